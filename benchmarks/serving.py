"""How many requests a second does a player answer, beside what one would write without it?

The player (validation, a durable row and a log line for each request), FastAPI and LitServe with a row of pandas, and
an empty Flask application in the player's own server run side by side, two worker processes each, on the same model.
They are asked in turn, round after round, and every answer is compared with what the pipeline says. Prints for each the
median of the rounds: requests a second, how long an answer took, how much processor time it cost, and how many times
FastAPI's rate that is in the same round (lowest to highest).

Run it with the path of a generated project in which `make play` has run. The peers are installed into scratch/peers.
"""

import argparse
import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import time
import uuid
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from shadow import free_port

PEERS = ("fastapi==0.165.0", "litserve==0.2.19")
NAMES = ("fastapi", "litserve", "player", "hello")
ROWS = 200
CLOSE = 1e-6  # the player answers with six digits
ASKED = """
import json, sys
sys.path.insert(0, sys.argv[1])
import pandas as pd
from peers import load
pipeline, names = load()
table = pd.read_csv("data/train_data.csv").dropna(subset=names).head({rows})[names]
rows = json.loads(table.to_json(orient="records"))
proba = pipeline.predict_proba(pd.DataFrame(rows, columns=names))[:, 1]
print(json.dumps([list(each) for each in zip(rows, proba.tolist())]))
"""


@dataclass
class Round:
    """What one server did in one round: seconds of each answer, wrong answers, processor seconds, its length."""

    seconds: list[float] = field(default_factory=list)
    wrong: int = 0
    processor: float = 0.0
    length: float = 1.0

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.seconds) / self.length

    def percentile(self, percent: int) -> float:
        """Return how many milliseconds that many percent of the answers took at most."""
        return 1000 * sorted(self.seconds)[min(len(self.seconds) - 1, len(self.seconds) * percent // 100)]


class Server:
    """One server as a process, with its children."""

    def __init__(self, stack: ExitStack, command: list[str], project: Path, port: int) -> None:
        """Start it and wait until it answers; it stops with *stack*."""
        self.port = port
        log = stack.enter_context((project / "output" / f"benchmark-{port}.log").open("wb"))
        variables = {**os.environ, "PYTHONPATH": str(project), "OMP_NUM_THREADS": "1", "PLAYER_SERVER__DEBUG": "false"}
        self.process = subprocess.Popen(
            command, cwd=project, env=variables, stdout=log, stderr=log, start_new_session=True
        )
        stack.callback(self.stop)

    def processor_seconds(self) -> float:
        """Return the processor time of all its processes so far."""
        parent = psutil.Process(self.process.pid)
        return sum(sum(each.cpu_times()[:2]) for each in (parent, *parent.children(recursive=True)))

    def stop(self) -> None:
        """End it, and whatever it started."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
        for child in children:
            if child.is_running():
                child.kill()


async def ask(port: int, asked: list[tuple[dict[str, object], float]], place: int, until: float, found: Round) -> None:
    """Ask over one connection, one request after the other, *until* then."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.perf_counter() < until:
        place = (place + 1) % len(asked)
        row, proba = asked[place]
        body = json.dumps({"request_id": uuid.uuid4().hex, "features": row}).encode()
        head = f"POST /api HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        began = time.perf_counter()
        writer.write(head.encode() + body)
        answered = await reader.readuntil(b"\r\n\r\n")
        length = int(answered.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        answer = json.loads(await reader.readexactly(length))
        found.seconds.append(time.perf_counter() - began)
        found.wrong += "hello" not in answer and abs(answer["proba"] - proba) > CLOSE
    writer.close()


async def play_round(
    server: Server, asked: list[tuple[dict[str, object], float]], clients: int, seconds: float
) -> Round:
    """Ask *server* with so many *clients* at once for so many *seconds*."""
    found, before, began = Round(), server.processor_seconds(), time.perf_counter()
    places = [ROWS * client // clients for client in range(clients)]
    await asyncio.gather(*(ask(server.port, asked, place, began + seconds, found) for place in places))
    found.length, found.processor = time.perf_counter() - began, server.processor_seconds() - before
    return found


async def is_ready(server: Server, asked: list[tuple[dict[str, object], float]]) -> None:
    """Wait until *server* answers; raises TimeoutError after two minutes."""
    async with asyncio.timeout(120):
        while True:
            try:
                return await ask(server.port, asked, 0, time.perf_counter() + 2, Round())
            except (OSError, asyncio.IncompleteReadError, IndexError):
                await asyncio.sleep(0.5)


def peers_of(project: Path) -> Path:
    """Return the Python that has the peers and what *project* needs; installs them once."""
    folder = Path(__file__).resolve().parent.parent / "scratch" / "peers"
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        constraints = ["--constraint", str(project / "constraints.txt")]
        subprocess.run([python, "-m", "pip", "install", "--quiet", *constraints, str(project), *PEERS], check=True)
    return python


def show(name: str, clients: int, rounds: list[Round], fastapi: list[Round]) -> None:
    """Print one line of the table."""
    times = [mine.rate / theirs.rate for mine, theirs in zip(rounds, fastapi, strict=True)]
    figures = (
        statistics.median(each.rate for each in rounds),
        statistics.median(each.percentile(50) for each in rounds),
        statistics.median(each.percentile(99) for each in rounds),
        1000 * max(max(each.seconds) for each in rounds),
        statistics.median(1e6 * each.processor / len(each.seconds) for each in rounds),
    )
    shown = "".join(f"{figure:>11,.1f}" for figure in figures)
    against = f"{statistics.median(times):.1f} ({min(times):.1f} to {max(times):.1f})"
    print(f"{name:<10}{clients:>8}{shown}   {against:<22}{sum(each.wrong for each in rounds):>5}")


def main() -> None:
    """Start all of them, play the rounds, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 16, 64], help="how many ask at once")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each server in each round")
    options = parser.parse_args()
    project = options.project.resolve()
    python, here = str(peers_of(project)), Path(__file__).resolve().parent
    asked = json.loads(
        subprocess.run(
            [python, "-c", ASKED.format(rows=ROWS), str(here)], cwd=project, check=True, capture_output=True
        ).stdout
    )
    with ExitStack() as stack:
        servers = {}
        for name in NAMES:
            port = free_port()
            command = ["-m", "player.cli", "serve", "--port", str(port)] if name == "player" else [
                str(here / "peers.py"), name, str(port)]  # fmt: skip
            servers[name] = Server(stack, [python, *command], project, port)
        for server in servers.values():
            asyncio.run(is_ready(server, asked))
        print("                        answers               milliseconds           us of   times            answers")
        print("server     clients     a second     median       99 %      worst  processor   FastAPI            wrong")
        for clients in options.clients:
            rounds: dict[str, list[Round]] = {name: [] for name in NAMES}
            for _ in range(options.rounds):
                for name in NAMES:
                    rounds[name].append(asyncio.run(play_round(servers[name], asked, clients, options.seconds)))
            for name in NAMES:
                show(name, clients, rounds[name], rounds["fastapi"])


if __name__ == "__main__":
    main()
