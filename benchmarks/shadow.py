"""What does mirroring each request to acceptance cost production?

Two production services of the same project run side by side, one with a shadow and one without. One client asks them in
turn, a block of requests each: without, with, without. Prints the median ratio of the blocks' p50 and p99, with and
without the shadow, and as the noise that of the two blocks without; then the same with acceptance stopped. Run it with
the path of a generated project in which `make test` has run.
"""

import argparse
import http.client
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

REQUESTS = 200
APPLICANT = {"age": 42, "income": 31000}


def free_port() -> int:
    """Return a port that nobody uses now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


class Service:
    """One environment of a copy of the project, on a port of its own."""

    def __init__(self, stack: ExitStack, python: Path, home: Path, environment: str, shadow: str = "") -> None:
        """Start it and wait until it answers; it stops with *stack*."""
        self.port = free_port()
        variables = {
            **os.environ, "PLAYER_SERVER__PORT": str(self.port), "PLAYER_SHADOW__URL": shadow,
            "PLAYER_SIGNING_KEY_FILE": "keys/{environment}-signing.key",
            "PLAYER_API_KEY_FILE": "keys/{environment}-api.key",  # pragma: allowlist secret - it is a path
        }  # fmt: skip
        command = [str(python), "-m", "player.cli", "-e", environment, "serve"]
        log = stack.enter_context((home / "output" / f"{environment}-benchmark.log").open("wb"))
        self.process = subprocess.Popen(
            command, cwd=home, env=variables, stdout=log, stderr=log, start_new_session=True
        )
        stack.callback(self.stop)
        while not self.ready():
            time.sleep(0.2)
        time.sleep(2)  # the second worker

    def ready(self) -> bool:
        """Ask once whether it is ready."""
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            connection.request("GET", "/health/ready")
            return connection.getresponse().status == http.client.OK
        except OSError:
            return False

    def stop(self) -> None:
        """Stop it, when it still runs."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait()

    def block(self, rate: float) -> tuple[float, float]:
        """Ask a block of requests over one connection, at most *rate* a second; return p50 and p99 in ms."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        took = []
        for _ in range(REQUESTS):
            begin = time.perf_counter()
            connection.request("POST", "/api", json.dumps({"features": APPLICANT}))
            answer = connection.getresponse()
            answer.read()
            took.append(1000 * (time.perf_counter() - begin))
            if answer.status != http.client.OK:
                raise SystemExit(f"production answered with status {answer.status}")
            time.sleep(max(0.0, begin + 1 / rate - time.perf_counter()))
        connection.close()
        percentiles = statistics.quantiles(took, n=100)
        return percentiles[49], percentiles[98]


def compare(without: Service, with_shadow: Service, rounds: int, rate: float) -> str:
    """Return the ratios of *rounds* interleaved rounds at *rate* requests a second as one line."""
    ratios: dict[str, list[float]] = {"with/without p50": [], "with/without p99": [], "noise p50": [], "noise p99": []}
    for _ in range(rounds):
        first, mirrored, second = without.block(rate), with_shadow.block(rate), without.block(rate)
        for place, name in enumerate(("p50", "p99")):
            ratios[f"with/without {name}"].append(mirrored[place] / ((first[place] + second[place]) / 2))
            ratios[f"noise {name}"].append(second[place] / first[place])
    return "   ".join(
        f"{name} {statistics.median(values):.2f} [{min(values):.2f}-{max(values):.2f}]"
        for name, values in ratios.items()
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project", type=Path)
    parser.add_argument("--python", type=Path, help="default: that of the project's .venv")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--rate", type=float, default=100, help="requests a second")
    arguments = parser.parse_args()
    python = arguments.python or arguments.project.resolve() / ".venv" / "bin" / "python"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, ExitStack() as stack:
        on, off = Path(folder) / "on", Path(folder) / "off"
        shutil.copytree(arguments.project, on, ignore=shutil.ignore_patterns(".venv", ".tox", ".git", "output"))
        (on / "output").mkdir()
        subprocess.run([python, "-m", "player.cli", "dtap", "--prepare"], cwd=on, check=True, stdout=subprocess.DEVNULL)
        shutil.copytree(on, off)
        acceptance = Service(stack, python, on, "acceptance")
        with_shadow = Service(stack, python, on, "production", f"http://127.0.0.1:{acceptance.port}")
        without = Service(stack, python, off, "production")
        compare(without, with_shadow, 2, arguments.rate)  # warm-up
        for state in ("runs", "stopped"):
            ratios = compare(without, with_shadow, arguments.rounds, arguments.rate)
            sys.stdout.write(f"acceptance {state:<8} {ratios}\n")
            acceptance.stop()


if __name__ == "__main__":
    main()
