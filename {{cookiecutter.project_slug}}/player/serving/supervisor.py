"""Keeps worker processes alive: they share one socket, are replaced when they die, and restarted in turn."""

import logging
import multiprocessing
import socket
import time
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from typing import Any

from player.config import Settings
from player.serving.worker import run_worker

log = logging.getLogger(__name__)

START_SECONDS = 60.0
HEAVY = ("a2wsgi", "alembic", "flask", "pandas", "pydantic_settings", "sklearn.calibration", "sklearn.compose",
         "sklearn.ensemble", "sklearn.impute", "sqlalchemy", "uvicorn")  # fmt: skip


@dataclass
class Worker:
    """One worker process and the two flags it shares with us."""

    process: BaseProcess
    ready: Event
    stop: Event


class Supervisor:
    """Keeps the workers of one service alive."""

    def __init__(self, settings: Settings, sock: socket.socket) -> None:
        """Remember what to run; nothing is started yet."""
        self.settings = settings
        self.sock = sock
        self.context = process_context()
        self.workers: list[Worker] = []
        self.stopping = False
        self.restarting = False

    def run(self) -> None:
        """Start the workers, look after them, and return when all have stopped."""
        self.workers = [self.start_worker() for _ in range(self.settings.server.workers)]
        while not self.stopping:
            wait([worker.process.sentinel for worker in self.workers], timeout=0.2)
            self.replace_dead()
            if self.restarting:
                self.restarting = False
                self.restart_in_turn()
        self.sock.close()  # a connection that nobody will accept is better refused now than cut when we end
        for worker in self.workers:
            worker.stop.set()
        for worker in self.workers:
            self.finish(worker)

    def start_worker(self) -> Worker:
        """Start one process; it is not ready yet."""
        ready, stop = self.context.Event(), self.context.Event()
        arguments = (self.sock, self.settings.environment, ready, stop)
        process = self.context.Process(target=run_worker, args=arguments, name="player-worker")
        process.start()
        return Worker(process, ready, stop)

    def replace_dead(self) -> None:
        """Start a new worker for each that died; one that never got ready is not hurried."""
        for place, worker in enumerate(self.workers):
            if worker.process.is_alive() or self.stopping:
                continue
            log.warning("worker %s died with exit code %s, replacing it", worker.process.pid, worker.process.exitcode)
            if not worker.ready.is_set():
                time.sleep(1.0)
            self.workers[place] = self.successor() or worker

    def successor(self) -> Worker | None:
        """Start a worker in the place of another; None when the operating system has no process for it now."""
        try:
            return self.start_worker()
        except (OSError, EOFError) as error:
            log.error("no worker can be started: %s", error or type(error).__name__)
            time.sleep(1.0)
            return None

    def restart_in_turn(self) -> None:
        """Replace every worker by a new one; the old one stays when its successor does not get ready."""
        log.info("restarting %d workers in turn", len(self.workers))
        for place, old in enumerate(self.workers):
            new = self.successor()
            if new is None:
                return
            if not self.becomes_ready(new):
                log.error("the new worker did not get ready; worker %s stays", old.process.pid)
                new.process.kill()
                return
            self.workers[place] = new
            old.stop.set()
            self.finish(old)

    def becomes_ready(self, worker: Worker) -> bool:
        """Wait until *worker* answers requests; False when it died, took too long, or everything is to stop."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and worker.process.is_alive() and not self.stopping:
            if worker.ready.wait(0.1):
                return True
        return False

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


def process_context() -> Any:
    """Return how worker processes are started: forked from a process that has the heavy libraries loaded.

    A new worker then answers within a second. The project's own code is not among what is loaded, so that a restart
    in turn runs the newest one. Where processes cannot be forked (Windows) each worker loads everything itself.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(HEAVY))
    return context
