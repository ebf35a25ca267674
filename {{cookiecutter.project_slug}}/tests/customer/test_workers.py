"""Several workers share a tournament; who dies loses nothing."""

import asyncio
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from customer.cli import main
from customer.host import crew
from customer.host.block import Block
from customer.host.roster import LEFT, NEW, PLAYING
from customer.rounds import Case
from tests.customer.host_process import HostProcess, hosted, run, wait_for
from tests.postgres import PASSWORD, Postgres, _postgres, _postgres_url  # noqa: F401 - fixtures

PLAYERS = 6
GAME = "--rounds;as trained;--minutes;0.2;--rate;5;--block;10;--seed;7;--deadline;10;--workers"


@pytest.fixture(name="host")
def _host(tmp_path: Path, postgres_url: str) -> Iterator[HostProcess]:
    """A tournament in PostgreSQL that asks nobody by itself."""
    with hosted(tmp_path, PLAYERS, *GAME.split(";"), database=postgres_url) as host:
        yield host


@pytest.fixture(name="workers")
def _workers(host: HostProcess) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Two workers of it."""
    words = ["-m", "customer.cli", "worker"]
    workers = [run(host.folder, words, CUSTOMER_DATABASE_URL=host.database) for _ in range(2)]
    yield workers
    for each in workers:
        each.kill()
        each.wait()


def test_a_worker_and_the_host_are_killed_and_nothing_is_lost(
    host: HostProcess, workers: list[subprocess.Popen[bytes]]
) -> None:
    """Points are those of the undisturbed game; each of the two has asked; the one that is left asks on."""
    wait_for(lambda: host.query("SELECT COUNT(*) FROM procrastinate_workers") == [(2,)])
    host.do("next")
    wait_for(lambda: host.query("SELECT 1 FROM asks"))
    time.sleep(1.0)
    both = host.query("SELECT DISTINCT worker_id FROM procrastinate_jobs WHERE status = 'doing'")
    workers[0].kill()
    host.kill()
    host.start()
    wait_for(lambda: host.rounds_done() == 1)
    board = {player["name"]: player["points"] for player in host.status()["players"]}
    asked = host.query("SELECT player_id, number, COUNT(*) FROM asks GROUP BY 1, 2")

    assert 2 == len(both)
    assert host.worth(PLAYERS) == host.points() == board
    assert PLAYERS * 60 == len(asked)
    assert {1} == {count for _, _, count in asked}


def test_the_host_decides_and_the_workers_follow(host: HostProcess) -> None:
    """It is said that nobody asks; a worker asks until a pause, and after it; with the tournament it ends by itself."""
    host.do("next")
    waits = wait_for(lambda: host.status()["no_worker"])
    worker = run(host.folder, ["-m", "customer.cli", "worker"], CUSTOMER_DATABASE_URL=host.database)
    try:
        wait_for(lambda: host.query("SELECT 1 FROM asks"))
        host.do("pause")
        time.sleep(1.0)
        during = [host.query("SELECT COUNT(*) FROM asks") for _ in range(2) if time.sleep(1.0) is None]
        host.do("remove", player="Player 0")
        host.do("resume")
        wait_for(lambda: host.rounds_done() == 1)
        removed, stayed = (
            host.query(f"SELECT COUNT(*) FROM asks JOIN players ON id = player_id WHERE name = 'Player {number}'")[0][0]
            for number in (0, 3)
        )
        host.do("end")

        assert f"{PLAYERS} players wait for a worker; start one: customer worker" == waits
        assert during[0] == during[1]
        assert removed < stayed == 60
        assert "" == host.status()["no_worker"]
        assert 0 == worker.wait(30)
    finally:
        worker.kill()
        worker.wait()


def test_the_database_is_away_for_a_while(tmp_path: Path, postgres: Postgres) -> None:
    """Host and worker wait for it, and go on; nothing is lost, doubled or charged."""
    with hosted(tmp_path, PLAYERS, *GAME.split(";"), database=postgres.database()) as host:
        worker = run(host.folder, ["-m", "customer.cli", "worker"], CUSTOMER_DATABASE_URL=host.database)
        try:
            host.do("next")
            wait_for(lambda: host.query("SELECT 1 FROM asks"))
            postgres.stop()
            time.sleep(4.0)
            postgres.start()
            wait_for(lambda: host.rounds_done() == 1)
        finally:
            worker.kill()
            worker.wait()
        asked = host.query("SELECT player_id, number, COUNT(*) FROM asks GROUP BY 1, 2")

        assert host.worth(PLAYERS) == host.points()
        assert PLAYERS * 60 == len(asked)
        assert {1} == {count for _, _, count in asked}


def test_without_a_tournament_a_worker_says_so(tmp_path: Path, postgres_url: str) -> None:
    """One line, no password in it; a host that would have workers in SQLite is told what they need."""
    there = f"sqlite:///{tmp_path / 'tournament.db'}"
    for words, said in (
        (["worker", "--database", postgres_url], "holds no tournament; begin it there: customer host --workers"),
        (["worker", "--database", there], "holds no tournament"),
        (["worker", "--database", postgres_url[:-1]], "cannot be used"),
        (["host", "--workers", "--database", there, "--output", str(tmp_path)], "through PostgreSQL"),
    ):
        found = CliRunner().invoke(main, words)
        assert 1 == found.exit_code, words
        assert said in found.output
        assert 1 == len(found.output.strip().splitlines())
        assert PASSWORD not in found.output


class NoWorkers:
    """A queue and a database, as far as handing out needs them; nobody takes anything."""

    def __init__(self) -> None:
        """Keep what is handed out."""
        self.job_manager = self.store = self.book = self
        self.handed_out: list[Any] = []

    def configure_task(self, name: str, queue: str) -> "NoWorkers":
        """Return what hands out."""
        return self

    async def list_jobs_async(self, queue: str) -> list[Any]:
        """Return what is handed out already."""
        return []

    async def batch_defer_async(self, *jobs: Any) -> None:
        """Hand out."""
        self.handed_out += jobs

    async def fetch(self, function: Any, *words: Any) -> Any:
        """Ask the database."""
        return function(*words)

    def now(self) -> float:
        """Return the time."""
        return 1000.0

    def reasons(self, block_id: int) -> list[Any]:
        """Return what was asked: nothing."""
        return []


def test_who_leaves_and_comes_back_holds_up_no_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its worker has let it go when it left, so the block ends without it."""
    monkeypatch.setattr(crew, "LOOK_SECONDS", 0.01)
    nobody: Any = NoWorkers()
    seats: Any = [SimpleNamespace(state=PLAYING, row=SimpleNamespace(id=number)) for number in (1, 2)]
    case = Case({"age": 1}, 1, True, "row")

    async def leave_and_come_back() -> None:
        playing = crew.Crew(nobody, nobody).play(Block(7, 1, {0: case}, 0.0, 1.0), seats, set(), 2.0)
        waiting = asyncio.create_task(playing)
        for number, state in ((0, LEFT), (0, NEW), (1, LEFT)):
            await asyncio.sleep(0.1)
            assert not waiting.done()
            seats[number].state = state
        await asyncio.wait_for(waiting, 5)

    asyncio.run(leave_and_come_back())
    assert [{"player": number, "block": 7, "start": 1002.0} for number in (1, 2)] == nobody.handed_out
