"""How the service is run: worker processes that share one socket, are replaced when they die, and restarted in turn.

SIGTERM or Ctrl-C stops them gracefully. SIGHUP replaces them one by one: the next one goes only when its successor
answers, so that no request is lost.
"""

import logging
import multiprocessing
import os
import shutil
import signal
import socket
import time
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from typing import Any

from flask import Flask
from werkzeug.serving import run_simple

from player.config import Settings
from player.connections import BACKLOG
from player.errors import ConfigError
from player.worker import run_worker

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
            self.workers[place] = self.start_worker()

    def restart_in_turn(self) -> None:
        """Replace every worker by a new one; the old one stays when its successor does not get ready."""
        log.info("restarting %d workers in turn", len(self.workers))
        for place, old in enumerate(self.workers):
            new = self.start_worker()
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


def serve(settings: Settings) -> None:
    """Run the service until it is stopped; raises ConfigError when its port is taken."""
    if settings.server.debug:
        serve_for_coding(settings)
        return
    sock = listen(settings)
    share_metrics(settings)
    supervisor = Supervisor(settings, sock)
    signal.signal(signal.SIGINT, supervisor.ask_to_stop)
    signal.signal(signal.SIGTERM, supervisor.ask_to_stop)
    for name, handler in (("SIGHUP", supervisor.ask_to_restart), ("SIGBREAK", supervisor.ask_to_stop)):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), handler)
    supervisor.run()


def listen(settings: Settings) -> socket.socket:
    """Return the listening socket that all workers share."""
    address = (settings.server.host, settings.server.port)
    family = socket.AF_INET6 if ":" in settings.server.host else socket.AF_INET
    try:
        sock = socket.create_server(address, family=family, backlog=BACKLOG)
        # Connections inherit it. Without it an answer of two packets waits 40 ms for the client to confirm the first.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock
    except OSError as error:
        raise ConfigError(
            f"Cannot listen on {address[0]}:{address[1]} ({error.strerror}); another service may use the port: "
            f"choose one with PLAYER_SERVER__PORT or --port."
        ) from None


def share_metrics(settings: Settings) -> None:
    """Prepare the folder in which the counters of all workers meet."""
    folder = settings.path("output/{environment}-metrics")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)


def serve_for_coding(settings: Settings) -> None:
    """Run Flask's own server: it reloads when a file changes and shows tracebacks, but runs no code."""
    os.environ["PLAYER_ENV"] = settings.environment
    from player.app import create_app

    reloaded = os.environ.get("WERKZEUG_RUN_MAIN") == "true"  # the reloader runs this command again as its child
    if not reloaded:
        listen(settings).close()  # a taken port is said in one line, as everywhere
    app = create_app(settings) if reloaded else Flask("reloader")
    extra = [str(path) for path in (settings.home / "config").glob("*.toml")]
    run_simple(settings.server.host, settings.server.port, app, use_reloader=True,
               use_debugger=True, use_evalex=False, threaded=True, extra_files=extra)  # fmt: skip
