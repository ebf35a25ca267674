"""A whole workshop in ten minutes: do thirty generated players, a host and its pages hold on one machine?

Copies a generated project (in which `make play` has run) for each player, starts their services and `customer host`
with its timetable of two hours, compressed, and plays it to the end. Some players retrain when their monitoring says
so, some are killed again and again, some join late. Then the points on the board are compared with those in the
database. Exit code 1 when one differs, or when somebody was not asked everything. With --pictures a browser (chromium)
looks at board and pages.

    python benchmarks/rehearsal.py scratch/my-player --pictures output/pictures
"""

import argparse
import json
import random
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from contextlib import ExitStack
from itertools import cycle, groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import psutil

NOT_COPIED = (".venv", ".tox", ".cache", ".git", "output", "docs", "tests", "notebooks")
ROUNDS = ("as trained", "odd values", "another population", "data gathered differently", "another nature")
LATE_AFTER = 2  # rounds
CRASH_SECONDS, DOWN_SECONDS = (20.0, 60.0), 5.0
WINDOW = "--window-size=1600,900"


def main() -> int:
    """Play it, print, and return 0 when the board says what the database holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path)
    parser.add_argument("--players", type=int, default=30)
    parser.add_argument("--retraining", type=int, default=8)
    parser.add_argument("--crashing", type=int, default=3)
    parser.add_argument("--late", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=1.3, help="Of each round but the rush hour, a third.")
    parser.add_argument("--rate", type=float, default=2.0)
    parser.add_argument("--pictures", type=Path)
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        room = Room(stack, folder, options)
        began = time.monotonic()
        room.play()
        return room.report(time.monotonic() - began)


class Team:
    """One player: a copy of the project, its service, and what becomes of it."""

    def __init__(self, number: int, project: Path, folder: Path) -> None:
        """Copy the project."""
        self.name, self.home, self.port = f"Team {number:02}", folder / f"team-{number:02}", free_port()
        shutil.copytree(project, self.home, ignore=shutil.ignore_patterns(*NOT_COPIED))
        self.retrained: list[str] = []
        self.kills = 0
        self.start()

    def start(self) -> None:
        """Start the service."""
        self.service = psutil.Popen(self.command("serve", "--port", self.port), **self.where())

    def command(self, *words: Any) -> list[str]:
        """Return a command of the player."""
        return [sys.executable, "-m", "player.cli", *map(str, words)]

    def where(self) -> dict[str, Any]:
        """Return in which folder a command runs, and that it is silent."""
        return {"cwd": self.home, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}

    def kill(self) -> None:
        """Kill the service with all of its processes."""
        for process in [*self.service.children(recursive=True), self.service]:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        self.service.wait()

    def retrain(self) -> None:
        """Do what its timer would do."""
        command = self.command("retrain", "--if-drifted", "--json")
        done = subprocess.run(command, cwd=self.home, capture_output=True, text=True, check=False)
        failed = f"exit code {done.returncode}"
        self.retrained.append(failed if done.returncode else json.loads(done.stdout)["decision"])


class Room:
    """All of them, and the host."""

    def __init__(self, stack: ExitStack, folder: Path, options: argparse.Namespace) -> None:
        """Start every player and the host; who comes late is not registered yet."""
        self.folder, self.options, self.over = folder, options, threading.Event()
        self.teams = []
        for number in range(options.players):
            self.teams.append(Team(number, options.project.resolve(), folder))
            stack.callback(self.teams[-1].kill)
        crowd = self.teams[: options.players - options.late]
        lines = "".join(f"{team.name},http://127.0.0.1:{team.port}\n" for team in crowd)
        (folder / "players.csv").write_text("name,url\n" + lines, encoding="utf-8")
        self.port = free_port()
        rounds = [
            f'[[round]]\nname = "{name}"\nminutes = {options.minutes}\nrate = {options.rate}\n' for name in ROUNDS
        ]
        rounds += [f'[[round]]\nname = "rush hour"\nminutes = {options.minutes / 3}\nrate = {3 * options.rate}\n']
        (folder / "timetable.toml").write_text("\n".join(rounds), encoding="utf-8")
        where = ["--players", folder / "players.csv", "--output", folder / "output",
                 "--database", f"sqlite:///{folder / 'tournament.db'}"]  # fmt: skip
        where += ["--timetable", folder / "timetable.toml", "--seed", "7"]
        command = [sys.executable, "-m", "customer.cli", "host", "--port", self.port, *where]
        self.host = psutil.Popen(list(map(str, command)), **self.teams[0].where())
        stack.callback(self.host.wait)
        stack.callback(self.host.terminate)
        wait_for(lambda: sum(each["state"] == "playing" for each in self.status()["players"]) == len(crowd))

    def call(self, path: str, words: dict[str, str] | None = None) -> Any:
        """Return what the host answers."""
        door = json.loads((self.folder / "output" / "host.json").read_text(encoding="utf-8"))
        headers = {"Authorization": f"Bearer {door['key']}", "Content-Type": "application/json"}
        body = None if words is None else json.dumps(words).encode()
        url = f"http://127.0.0.1:{self.port}{path}"
        with urllib.request.urlopen(urllib.request.Request(url, body, headers)) as answer:
            return json.loads(answer.read())

    def status(self) -> Any:
        """Return how the tournament stands."""
        return self.call("/host/status")

    def rounds_done(self) -> int:
        """Return how many rounds are over."""
        return [each["state"] for each in self.status()["rounds"]].count("done")

    def play(self) -> None:
        """Play the whole timetable; meanwhile some retrain and some crash."""
        beside = [threading.Thread(target=each) for each in (self.retrain, self.crash)]
        for each in beside:
            each.start()
        try:
            played = 0
            while self.status()["next"]:
                if played == LATE_AFTER:
                    self.join_late()
                print(f"{time.strftime('%H:%M:%S')} {self.call('/host/do', {'do': 'next'})['said']}", flush=True)
                played += 1
                time.sleep(20)
                self.picture(f"board-{played}", "/")
                wait_for(lambda so_far=played: self.rounds_done() >= so_far, 600)
        finally:
            self.over.set()
            for each in beside:
                each.join()
        self.call("/host/do", {"do": "end"})
        wait_for(lambda: self.status()["phase"] == "ended")
        wait_for((self.folder / "output" / "results.json").exists)
        for name, path in (("board-end", "/"), ("review", "/review")):
            self.picture(name, path)

    def join_late(self) -> None:
        """Let those join who were late."""
        for team in self.teams[len(self.teams) - self.options.late :]:
            words = [sys.executable, "-m", "player.cli", "join", f"http://127.0.0.1:{self.port}",
                     "--name", team.name, "--url", f"http://127.0.0.1:{team.port}"]  # fmt: skip
            subprocess.run(words, cwd=team.home, check=True, capture_output=True)

    def retrain(self) -> None:
        """Let one after the other ask its monitoring whether it should retrain, until it is over."""
        for team in cycle(self.teams[: self.options.retraining]):
            if self.over.is_set():
                return
            team.retrain()

    def crash(self) -> None:
        """Kill some services at random moments, and start them again, until it is over."""
        chance, first = random.Random(7), self.options.retraining  # noqa: S311 - no secret
        unlucky = self.teams[first : first + self.options.crashing]
        for team in cycle(unlucky):
            if self.over.wait(chance.uniform(*CRASH_SECONDS) / len(unlucky)):
                return
            team.kill()
            team.kills += 1
            self.over.wait(DOWN_SECONDS)
            team.start()

    def picture(self, name: str, path: str) -> None:
        """Let a browser look at a page of the host."""
        if self.options.pictures:
            self.options.pictures.mkdir(parents=True, exist_ok=True)
            file = self.options.pictures.resolve() / f"{name}.png"
            browser = ["chromium", "--headless=new", "--no-sandbox", "--hide-scrollbars", "--timeout=4000", WINDOW]
            subprocess.run([*browser, f"--screenshot={file}", f"http://127.0.0.1:{self.port}{path}"], check=True,
                           capture_output=True, timeout=90)  # fmt: skip

    def report(self, seconds: float) -> int:
        """Print who stands where; return 1 when the board and the database differ, or somebody was not asked."""
        board = {each["name"]: each for each in self.status()["players"]}
        with sqlite3.connect(self.folder / "tournament.db") as rows:
            each = "FROM asks JOIN players ON id = player_id GROUP BY name"
            stored = dict(rows.execute(f"SELECT name, SUM(points) {each}"))
            asked = dict(rows.execute(f"SELECT name, COUNT(*) {each}"))
            late = "SELECT name, late_ms FROM asks JOIN plays ON id = play_id ORDER BY play_id, late_ms"
            by_round = groupby(rows.execute(late), itemgetter(0))
            punctual = [(name, [each[1] for each in found]) for name, found in by_round]
            labels = rows.execute("SELECT SUM(labels) FROM deliveries").fetchone()[0]
            reasons = dict(rows.execute("SELECT reason, COUNT(*) FROM asks GROUP BY reason ORDER BY 2 DESC"))
        for team in self.teams:
            here = board[team.name]
            done = [f"killed {team.kills} times"] if team.kills else []
            done += [f"{times} x {decision}" for decision, times in Counter(team.retrained).items()]
            stands = f"{here['rank']:>3} {team.name} {here['points']:>5} points, asked {asked[team.name]:>4}"
            print(f"{stands}  {', '.join(done)}")
        different = [name for name in stored if stored[name] != board[name]["points"]]
        whole = {asked[team.name] for team in self.teams[: self.options.players - self.options.late]}
        print(f"{sum(asked.values())} requests in {seconds / 60:.1f} minutes: {reasons}; {labels} labels brought")
        for name, ms in punctual:
            print(f"{name}: sent late p50 {ms[len(ms) // 2]:.1f} ms, p99 {ms[int(0.99 * len(ms))]:.1f} ms")
        print(f"points on the board that differ from the database: {len(different)}; asked equally often: {whole}")
        return 1 if different or len(whole) != 1 else 0


def wait_for(ready: Any, seconds: float = 300) -> None:
    """Wait until *ready* returns something true."""
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        try:
            if ready():
                return
        except (OSError, ValueError, KeyError):
            pass
        time.sleep(0.5)
    raise SystemExit("It did not come in time.")


def free_port() -> int:
    """Return a port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
