"""A `customer host` and simulated players as processes of their own, to be killed and started again."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from customer.errors import CustomerError
from customer.host.door import find
from customer.host.store import open_engine
from tests.customer.rivals import mark, rule
from tests.postgres import free_port

PROJECT = Path(__file__).parents[2]
RIVALS = Path(__file__).with_name("rivals.py")


def run(folder: Path, words: list[Any], inside: Sequence[str] = (), **variables: str) -> "subprocess.Popen[bytes]":
    """Start a Python program of the project in *folder*, *inside* of another command where one is given."""
    environment = os.environ | {"PYTHONPATH": str(PROJECT), "PYTHONDONTWRITEBYTECODE": "1"} | variables
    with (folder / "log").open("ab") as log:
        command = [*inside, sys.executable, *map(str, words)]
        return subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)


def wait_for(ready: Callable[[], Any], seconds: float = 240) -> Any:
    """Return the first true value of *ready*."""
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        try:
            if value := ready():
                return value
        except (CustomerError, OSError):
            pass
        time.sleep(0.1)
    raise AssertionError("it did not come in time")


class HostProcess:
    """One tournament that can be killed at any moment and started again."""

    def __init__(self, folder: Path, *words: Any, database: str = "") -> None:
        self.folder, self.port, self.words = folder, free_port(), words
        self.database = database or f"sqlite:///{folder / 'output' / 'tournament.db'}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        (self.folder / "output" / "host.json").unlink(missing_ok=True)
        command = ["-m", "customer.cli", "host", "--port", self.port, *self.words]
        self.process = run(self.folder, command, CUSTOMER_DATABASE_URL=self.database)
        wait_for(self.status)

    def kill(self) -> None:
        """Kill it as a power cut would."""
        if self.process:
            self.process.kill()
            self.process.wait()

    def status(self) -> dict[str, Any]:
        """Return how the tournament stands."""
        return find(self.folder / "output").call("/host/status")

    def do(self, name: str, **words: str) -> str:
        """Pull a lever."""
        return str(find(self.folder / "output").call("/host/do", {"do": name, **words})["said"])

    def rounds_done(self) -> int:
        """Return how many rounds are over."""
        return sum(each["state"] == "done" for each in self.status()["rounds"])

    def query(self, text: str) -> list[Any]:
        """Ask the database."""
        with closing_engine(self.database) as engine, engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(text)]

    def points(self) -> dict[str, int]:
        """Return everybody's points in the database."""
        return dict(self.query("SELECT name, SUM(points) FROM asks JOIN players ON id = player_id GROUP BY name"))

    def worth(self, count: int) -> dict[str, int]:
        """Return what the answers of *count* simulated players are worth, each applicant counted once."""
        cases = [(json.loads(f), json.loads(x)) for f, x in self.query("SELECT features, label FROM cases")]
        right = [rule(features) == label for features, label in cases]
        flaky = [-1 if mark(features) % 3 == 1 else ok for (features, _), ok in zip(cases, right, strict=True)]
        kinds = [sum(right), sum(flaky), len(right) - sum(right)]
        return {f"Player {number}": kinds[number % 3] for number in range(count)}


@contextmanager
def closing_engine(address: str) -> Iterator[Engine]:
    """Return an engine that leaves no connection behind."""
    engine = open_engine(address)
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def hosted(
    folder: Path, players: int, *words: Any, database: str = "", address: str = "127.0.0.1"
) -> Iterator[HostProcess]:
    """Serve simulated players, and a host with all of them playing; both end with the block."""
    first = 20_000 + free_port() % 20_000
    (folder / "output").mkdir(parents=True, exist_ok=True)
    lines = [f"Player {number},http://{address}:{first + number}\n" for number in range(players)]
    (folder / "players.csv").write_text("name,url\n" + "".join(lines), encoding="utf-8")
    rivals = run(folder, [RIVALS, first, players], RIVALS_ADDRESS=address)
    host = HostProcess(folder, "--players", "players.csv", *words, database=database)
    try:
        host.start()
        wait_for(lambda: all(player["state"] == "playing" for player in host.status()["players"]))
        yield host
    finally:
        host.kill()
        rivals.kill()
        rivals.wait()
