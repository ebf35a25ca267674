"""Runs the service by its command, as an operator would, so that it can be killed, stopped and watched."""

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from player.config import Settings
from tests.postgres import free_port

WAIT = 120.0
READY = re.compile(r"worker (\d+) answers requests")


def wait_until(fact: Callable[[], bool], seconds: float = WAIT, what: str = "", pause: float = 0.1) -> float:
    """Return after how many seconds *fact* became true; fail when it does not in time."""
    started = time.monotonic()
    while not fact():
        assert time.monotonic() - started < seconds, f"waited {seconds:g} s in vain: {what or fact}"
        time.sleep(pause)
    return time.monotonic() - started


class Service:
    """`player serve` on a port of its own; its log is a file of the scratch project."""

    def __init__(self, settings: Settings, variables: dict[str, str] | None = None) -> None:
        """Start it in the environment of *settings*, with more *variables*, and wait until it answers."""
        self.settings = settings
        self.port = free_port()
        self.log = settings.home / "output" / "service.log"
        self.variables = {**os.environ, **(variables or {})}
        self.said_ready: set[int] = set()
        self.log_read = 0
        self.start()

    def start(self) -> float:
        """Start it; return after how many seconds it was ready."""
        command = [sys.executable, "-m", "player.cli", "-e", self.settings.environment, "serve", "--port",
                   str(self.port)]  # fmt: skip
        with self.log.open("ab") as out:  # a session of its own: a signal to its group cannot reach the tests
            self.process = subprocess.Popen(command, stdout=out, stderr=out, env=self.variables, start_new_session=True)
        return wait_until(self.is_ready, what="the service is ready")

    def wait_for_all(self) -> None:
        """Wait until every worker answers, not only the first."""
        count = int(self.variables.get("PLAYER_SERVER__WORKERS", self.settings.server.workers))
        wait_until(lambda: len(self.ready_workers()) == count, what="all workers answer")

    def is_ready(self) -> bool:
        """Tell whether it answers and stores."""
        assert self.process.poll() is None, f"the service ended: {self.log_text()[-2000:]}"
        try:
            return self.get("/health/ready")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def get(self, path: str) -> tuple[int, Any]:
        """Return status and JSON of one answer."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())

    def ask(self, request_id: str, connection: http.client.HTTPConnection | None = None, **features: Any) -> Any:
        """Return one prediction, over a connection of its own or a given one; fail on any status but 200."""
        if connection is None:
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as own:
                return self.ask(request_id, own, **features)
        connection.request("POST", "/api", json.dumps({"request_id": request_id, "features": features}))
        answer = connection.getresponse()
        body = json.loads(answer.read())
        assert answer.status == 200, body
        return body

    def log_text(self) -> str:
        """Return what it logged so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def workers(self) -> list[psutil.Process]:
        """Return its worker processes."""
        with contextlib.suppress(psutil.NoSuchProcess):
            children = psutil.Process(self.process.pid).children(recursive=True)
            return [child for child in children if is_worker(child)]
        return []

    def ready_workers(self) -> list[psutil.Process]:
        """Return the workers that have said that they answer."""
        with self.log.open(encoding="utf-8", errors="replace") as log:
            log.seek(self.log_read)
            self.said_ready |= {int(pid) for pid in READY.findall(log.read())}
            self.log_read = max(0, log.tell() - 200)  # the last line may not be whole yet
        return [worker for worker in self.workers() if worker.pid in self.said_ready]

    def memory(self) -> int:
        """Return the resident bytes of all its workers."""
        return sum(worker.memory_info().rss for worker in self.workers())

    def kill(self) -> None:
        """Kill the service and all its workers at once, as a crash of the machine's memory would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(WAIT)

    def stop(self) -> int:
        """Stop it with SIGTERM, and return its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(WAIT)


def is_worker(process: psutil.Process) -> bool:
    """Tell whether *process* is one that answers, not a helper of Python's own."""
    try:
        parent = process.parent()
        forked = (
            "forkserver" in " ".join(process.cmdline())
            and parent is not None
            and "forkserver" in " ".join(parent.cmdline())
        )
        return forked or any("spawn_main" in word for word in process.cmdline())
    except psutil.Error:
        return False


def spool_of(settings: Settings) -> Path:
    """Return the path of the spool."""
    return settings.path(settings.storage.spool)
