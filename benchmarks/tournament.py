"""Are 500 players asked on time by one host, and do the hostile ones among them change anybody's score?

Starts simulated players (one process) and `customer host` (another) from the template folder, plays one round, and
compares: how late requests left, what the host used, and each honest player's points in the database with what its
answers are worth. Exit code 1 when a point is not what it should be.

    python benchmarks/tournament.py --players 500 --hostile 75 --minutes 1
"""

import argparse
import csv
import importlib
import json
import os
import sqlite3
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil

PROJECT = Path(__file__).parents[1] / "{{cookiecutter.project_slug}}"
FIRST_PORT, PORT = 21_000, 8_901


def main() -> int:
    """Play, print, and return 0 when every honest player has exactly its points."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--players", type=int, default=500)
    parser.add_argument("--hostile", type=int, default=75)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--rate", type=float, default=1.0)
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        used, board = play(stack, folder, options)
        return report(folder / "output" / "tournament.db", used, board, options)


def play(stack: ExitStack, folder: Path, options: argparse.Namespace) -> tuple[dict[str, float], dict[str, int]]:
    """Play one round; return what the host used, and the points on the board by name."""
    with (folder / "players.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["name", "url"])
        rows.writerows([f"Player {n}", f"http://127.0.0.1:{FIRST_PORT + n}"] for n in range(options.players))
    rivals = [PROJECT / "tests" / "customer" / "rivals.py", FIRST_PORT, options.players, options.hostile]
    start(stack, folder, rivals)
    game = ["--players", "players.csv", "--rounds", "as trained", "--minutes", options.minutes, "--rate", options.rate]
    host = start(stack, folder, ["-m", "customer.cli", "host", "--port", PORT, "--seed", 7, *game])
    key = wait_for(lambda: json.loads((folder / "output" / "host.json").read_text(encoding="utf-8"))["key"])
    wait_for(lambda: sum(p["state"] == "playing" for p in call("/host/status", key)["players"]) >= playing(options))
    before = host.cpu_times()
    begun = time.monotonic()
    call("/host/do", key, {"do": "next"})
    most = 0.0
    while True:
        time.sleep(1)
        most = max(most, host.memory_info().rss / 1e6)
        found = call("/host/status", key)
        if found["rounds"] and found["rounds"][-1]["state"] == "done":
            break
    after = host.cpu_times()
    used = {"MB": most, "CPU": (after.user + after.system - before.user - before.system) / (time.monotonic() - begun)}
    return used, {player["name"]: player["points"] for player in found["players"]}


def playing(options: argparse.Namespace) -> int:
    """Return how many players can be waited for: the hostile ones never answer."""
    return int(options.players - options.hostile)


def start(stack: ExitStack, folder: Path, words: list[Any]) -> Any:
    """Start a Python program of the project; it ends with the stack."""
    command = [sys.executable, *map(str, words)]
    environment = os.environ | {"PYTHONPATH": str(PROJECT), "PYTHONDONTWRITEBYTECODE": "1"}
    log = stack.enter_context((folder / f"{Path(str(words[0])).stem}.log").open("wb"))
    process = psutil.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    stack.callback(process.wait)
    stack.callback(process.terminate)
    return process


def wait_for(ready: Any, seconds: float = 120) -> Any:
    """Return the first true value of *ready*."""
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        try:
            if value := ready():
                return value
        except (OSError, ValueError, KeyError):
            pass
        time.sleep(0.5)
    raise SystemExit("The host was not ready in time.")


def call(path: str, key: str, words: dict[str, str] | None = None) -> Any:
    """Return the host's answer."""
    body = None if words is None else json.dumps(words).encode()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{PORT}{path}", body, headers)) as answer:
        return json.loads(answer.read())


def report(database: Path, used: dict[str, float], board: dict[str, int], options: argparse.Namespace) -> int:
    """Print the figures; return how the honest players' points differ: 0 for not at all."""
    sys.path.insert(0, str(PROJECT))
    rivals = importlib.import_module("tests.customer.rivals")

    rows = sqlite3.connect(database)
    late = sorted(row[0] for row in rows.execute("SELECT late_ms FROM asks"))
    cases = [(json.loads(features), json.loads(label)) for features, label in
             rows.execute("SELECT features, label FROM cases")]  # fmt: skip
    right = [rivals.rule(features) == label for features, label in cases]
    flaky = [-1 if rivals.mark(features) % 3 == 1 else ok for (features, _), ok in zip(cases, right, strict=True)]
    worth = [sum(right), sum(flaky), len(right) - sum(right)]
    stored = dict(rows.execute("SELECT name, SUM(points) FROM asks JOIN players ON id = player_id GROUP BY name"))
    wrong = [n for n in range(playing(options)) if not worth[n % 3] == stored[f"Player {n}"] == board[f"Player {n}"]]
    print(f"{len(late)} requests, {len(cases)} applicants, {options.players} players ({options.hostile} hostile)")
    print(f"sent late: p50 {late[len(late) // 2]:.1f} ms, p99 {late[int(0.99 * len(late))]:.1f} ms, "
          f"most {late[-1]:.1f} ms")  # fmt: skip
    print(f"host: {used['MB']:.0f} MB at most, {100 * used['CPU']:.0f} % of a processor; "
          f"machine: load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")  # fmt: skip
    print(f"honest players with other points than their answers are worth: {len(wrong)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
