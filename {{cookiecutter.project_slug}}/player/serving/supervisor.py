"""Keeps worker processes alive: they share one socket, are replaced when they die, and restarted in turn.

Each worker has a wire to this process: it says over it that it is ready, or why it cannot be, and when the wire is
closed, by us or by our end, it stops.
"""

import logging
import multiprocessing
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from player.config import Settings
from player.errors import PlayerError
from player.serving.connections import NOT_READY, Shares
from player.serving.worker import READY, run_worker

log = logging.getLogger(__name__)

START_SECONDS = 120.0
SAY_SECONDS = 10.0
LONGEST_PAUSE = 30.0  # between two tries to replace workers that die before they are ready
# Not prometheus_client, which decides when it is loaded whether processes count together.
HEAVY = ("alembic.context", "flask", "pandas", "pyarrow.parquet", "pydantic_settings",
         "sklearn.calibration", "sklearn.compose", "sklearn.ensemble", "sklearn.impute", "sqlalchemy.orm",
         "uvicorn")  # fmt: skip
CAN_FORK = "forkserver" in multiprocessing.get_all_start_methods()


@dataclass
class Worker:
    """One worker process, our end of its wire, and what it said over it: that it is ready, or why it is not."""

    process: BaseProcess
    wire: Connection
    said: str = field(default="", init=False)

    def is_ready(self, seconds: float = 0.0) -> bool:
        """Tell whether it has said that it answers requests; waits at most *seconds* for its word."""
        try:
            if not self.said and self.wire.poll(seconds):
                self.said = str(self.wire.recv())
        except (OSError, EOFError):
            self.said = "it ended without a word"
        return self.said == READY

    def stop(self) -> None:
        """Tell it to stop."""
        self.wire.close()


class Supervisor:
    """Keeps the workers of one service alive."""

    def __init__(self, settings: Settings, sock: socket.socket, announce: Callable[[], None] = lambda: None) -> None:
        """Remember what to run, and what to do when the first worker answers; nothing is started yet."""
        self.settings = settings
        self.sock = sock
        self.announce = announce
        self.context = process_context()
        self.workers: list[Worker] = []
        self.counts = self.context.RawArray("i", [NOT_READY] * settings.server.workers)
        self.stopping = False
        self.restarting = False
        self.pause, self.not_before = 0.0, 0.0

    def run(self) -> None:
        """Start the workers, look after them, and return when all have stopped.

        Raises PlayerError, with what the workers said, when none of them gets ready at the start.
        """
        self.workers = [self.start_worker(place) for place in range(self.settings.server.workers)]
        try:
            self.wait_for_first()
            while not self.stopping:
                self.rest()
                self.replace_dead()
                if self.restarting:
                    self.restarting = False
                    self.restart_in_turn()
        finally:
            self.sock.close()  # a connection that nobody will accept is better refused now than cut when we end
            for worker in self.workers:
                worker.stop()
            for worker in self.workers:
                self.finish(worker)

    def rest(self) -> None:
        """Wait a moment, but not when a worker dies."""
        living = [worker.process.sentinel for worker in self.workers if worker.process.is_alive()]
        if living:
            wait(living, timeout=0.2)
        else:
            time.sleep(0.2)

    def wait_for_first(self) -> None:
        """Return when a worker answers; raises PlayerError when all end before, or none does in time."""
        began = said = time.monotonic()
        while not self.stopping and not any(worker.is_ready(0.05) for worker in self.workers):
            if not any(worker.process.is_alive() or worker.is_ready() for worker in self.workers):
                raise PlayerError(f"The service cannot start: {self.workers[0].said}")
            if time.monotonic() - began > START_SECONDS:
                raise PlayerError(f"No worker was ready within {START_SECONDS:.0f} s; is the machine very busy?")
            if time.monotonic() - said > SAY_SECONDS:
                said = time.monotonic()
                log.info("still starting, since %.0f s", said - began)
        if not self.stopping:
            self.announce()

    def start_worker(self, place: int) -> Worker:
        """Start one process for this *place* among the workers; it is not ready yet."""
        ours, theirs = self.context.Pipe()
        shares = Shares(self.counts, place)
        arguments = (self.sock, self.settings.environment, theirs, shares, dict(os.environ))
        process = self.context.Process(target=run_worker, args=arguments, name="player-worker")
        try:
            process.start()
        finally:
            theirs.close()
        return Worker(process, ours)

    def replace_dead(self) -> None:
        """Start a new worker for each that died; when they die before they are ready, less and less often."""
        for place, worker in enumerate(self.workers):
            if worker.process.is_alive():
                if worker.is_ready():
                    self.pause = 0.0
                continue
            self.counts[place] = NOT_READY
            if self.stopping or time.monotonic() < self.not_before:
                continue
            was_ready = worker.is_ready()
            why = "" if was_ready else f" before it was ready ({worker.said})"
            code = worker.process.exitcode
            log.warning("worker %s ended with exit code %s%s, replacing it", worker.process.pid, code, why)
            if not was_ready:
                self.pause = min(LONGEST_PAUSE, 2 * self.pause or 1.0)
                self.not_before = time.monotonic() + self.pause
            new = self.successor(place)
            if new is not None:
                worker.stop()
                self.workers[place] = new

    def successor(self, place: int) -> Worker | None:
        """Start a worker in the *place* of another; None when the operating system has no process for it now."""
        try:
            return self.start_worker(place)
        except (OSError, EOFError) as error:
            log.error("no worker can be started: %s", str(error) or type(error).__name__)
            time.sleep(1.0)
            return None

    def restart_in_turn(self) -> None:
        """Replace every worker by a new one; the old one stays when its successor does not get ready."""
        log.info("restarting %d workers in turn", len(self.workers))
        for place, old in enumerate(self.workers):
            new = self.successor(place)
            if new is None:
                return
            if not self.becomes_ready(new):
                log.error(
                    "the new worker did not get ready, worker %s stays: %s", old.process.pid, new.said or "too slow"
                )
                new.process.kill()
                new.stop()
                return
            self.workers[place] = new
            old.stop()
            self.finish(old)

    def becomes_ready(self, worker: Worker) -> bool:
        """Wait until *worker* answers requests; False when it died, took too long, or everything is to stop."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and worker.process.is_alive() and not self.stopping:
            if worker.is_ready(0.1):
                return True
        return worker.is_ready()

    def finish(self, worker: Worker) -> None:
        """Wait until *worker* has answered what it has, and end it when that takes too long."""
        worker.process.join(self.settings.server.stop_timeout_seconds + 5)
        if worker.process.is_alive():
            log.error("worker %s did not stop in time", worker.process.pid)
            worker.process.kill()

    def ask_to_stop(self, *_: object) -> None:
        """Stop soon (signal handler)."""
        self.stopping = True

    def ask_to_restart(self, *_: object) -> None:
        """Restart the workers soon (signal handler)."""
        self.restarting = True


def load_libraries() -> None:
    """Let the heavy libraries be loaded, in the process that workers are forked from, while we do something else.

    A new worker then answers within a second. The project's own code is not among what is loaded, so that a restart
    in turn runs the newest one. Where processes cannot be forked (Windows) each worker loads everything itself.
    """
    if CAN_FORK:
        from multiprocessing import forkserver  # not on Windows

        multiprocessing.get_context("forkserver").set_forkserver_preload(list(HEAVY))
        forkserver.ensure_running()


def process_context() -> Any:
    """Return how worker processes are started."""
    return multiprocessing.get_context("forkserver" if CAN_FORK else "spawn")
