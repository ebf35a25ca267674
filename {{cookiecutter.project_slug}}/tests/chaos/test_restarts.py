"""A service manager stops, kills and starts the service under load, by the rules of `server/player.service`.

The manager here does what systemd does for that unit: it keeps the socket (sd_listen_fds), waits for READY=1
(sd_notify), sends SIGTERM and after TimeoutStopSec SIGKILL, and starts what ended again after RestartSec.
"""

import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from player.config import Settings
from tests.chaos.load import Load, settle
from tests.postgres import Postgres
from tests.service import WAIT, Service, wait_until

# As systemd does: the socket is the third file, and the service is the process that it is meant for.
HAND_OVER = """import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.executable, [sys.executable, "-m", "player.cli", "-e", sys.argv[2], "serve"])"""
UNIT = (Path(__file__).parents[2] / "server" / "player.service").read_text(encoding="utf-8")


def rule(name: str) -> float:
    """Return a number that the unit sets."""
    found = re.search(rf"^{name}=(\d+)$", UNIT, re.MULTILINE)
    assert found is not None, name
    return float(found[1])


class Managed(Service):
    """`player serve` under the manager: the port is the manager's, and stays open."""

    def __init__(self, settings: Settings) -> None:
        """Open the port and the place where the service says that it is ready; start it."""
        self.listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notices.bind(str(settings.home / "notify"))
        self.notices.setblocking(False)
        super().__init__(settings, {"NOTIFY_SOCKET": str(settings.home / "notify"), "LISTEN_FDS": "1"})

    def start(self) -> float:
        """Start it as the unit says; return after how many seconds it said that it is ready."""
        assert "Type=notify" in UNIT
        self.port = int(self.listening.getsockname()[1])
        began, given = time.monotonic(), self.listening.fileno()
        command = [sys.executable, "-c", HAND_OVER, str(given), self.settings.environment]
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=out, env=self.variables, pass_fds=[given],
                                            start_new_session=True)  # fmt: skip
        wait_until(self.has_said_ready, rule("TimeoutStartSec"), "it says that it is ready")
        return time.monotonic() - began

    def has_said_ready(self) -> bool:
        """Tell whether it sent the manager its word; fail when it ended instead."""
        assert self.process.poll() is None, f"the service ended: {self.log_text()[-2000:]}"
        with suppress(BlockingIOError):
            return self.notices.recv(100) == b"READY=1"
        return False

    def stop(self) -> int:
        """Stop it as the unit says."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(rule("TimeoutStopSec"))
        except subprocess.TimeoutExpired:
            self.kill()
            return self.process.wait(WAIT)

    def restart(self) -> float:
        """Stop it in order and start it at once; return the seconds until it is ready again."""
        began = time.monotonic()
        assert 0 == self.stop()
        self.start()
        return time.monotonic() - began

    def crash(self) -> float:
        """Kill it, and start it again as the unit says; return the seconds until it is ready again."""
        began = time.monotonic()
        self.kill()
        time.sleep(rule("RestartSec"))
        self.start()
        return time.monotonic() - began


@pytest.fixture(name="managed")
def _managed(on_postgres: Settings) -> Iterator[Managed]:
    """The service on a database that the test may stop."""
    service = Managed(on_postgres)
    yield service
    if service.process.poll() is None:
        service.kill()
    service.listening.close()
    service.notices.close()


@pytest.mark.parametrize("database", ["up", "down"])
def test_it_is_restarted(
    managed: Managed, postgres: Postgres, amount: Callable[[str], int], report: Callable[..., None], database: str
) -> None:
    """No acknowledged row is missing, and nobody is refused: who asks meanwhile waits in the manager's queue."""
    times: list[float] = []
    with Load(managed, rate=50, tries=20, clients=16) as load:  # a slow machine restarts while a try waits
        if database == "down":
            postgres.stop()
        try:
            for _ in range(amount("RESTARTS")):
                time.sleep(random.uniform(0.2, 1.0))
                times.append(random.choice([managed.restart, managed.crash])())
        finally:
            if database == "down":
                postgres.start()
    figures: dict[str, Any] = settle(managed.settings, load)
    p50, worst = np.percentile(times, [50, 100])
    report(restarts=len(times), **figures, cut=load.interrupted.total(), failed=len(load.failed),
           down_s_p50=round(float(p50), 1), down_s_worst=round(float(worst), 1), **load.times())  # fmt: skip

    assert [] == load.failed
    assert not {kind for kind in load.interrupted if "Connector" in kind}, "refused"
    assert "Traceback" not in managed.log_text()


def test_a_start_that_cannot_work_ends_with_a_sentence(on_postgres: Settings) -> None:
    """Nothing loops inside: the manager sees an exit code, and the log has one line that says why."""
    (on_postgres.home / "output" / "testing-spool.db").write_text("damaged", encoding="utf-8")
    command = [sys.executable, "-m", "player.cli", "-e", "testing", "serve", "--port", "5999"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT, check=False, env=dict(os.environ))

    assert 1 == done.returncode
    assert "player doctor --fix" in done.stderr
    assert "Traceback" not in done.stderr
