"""The running service loses no request: not when a worker dies, not when all are replaced, not to slow clients."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psutil
import pytest
from conftest import clean_environment, scratch_project

from player.config import Settings, load_settings
from player.model import store
from player.storage import queries
from player.storage.tables import create_engine_for
from player.training import Trained

WAIT = 60.0


def free_port() -> int:
    """Return a port that nobody uses just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Service:
    """A service started by its command, as an operator would."""

    settings: Settings
    port: int
    process: "subprocess.Popen[bytes]"

    def ask(self, request_id: str, connection: http.client.HTTPConnection | None = None) -> Any:
        """Ask for one prediction; without a connection a new one is made."""
        if connection is None:
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as own:
                return self.ask(request_id, own)
        connection.request("POST", "/api", json.dumps({"request_id": request_id, "features": {"age": 42}}))
        answer = connection.getresponse()
        body = json.loads(answer.read())
        assert 200 == answer.status, body
        return body

    def workers(self) -> set[int]:
        """Return the process ids of the workers: the children of the process they are forked from."""
        forked = (child.children() for child in psutil.Process(self.process.pid).children())
        return {worker.pid for workers in forked for worker in workers}

    def wait_until(self, condition: Any) -> None:
        """Wait until *condition* holds, for a minute at most."""
        deadline = time.monotonic() + WAIT
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            assert self.process.poll() is None, "the service ended"
            time.sleep(0.05)

    def answers(self) -> bool:
        """Tell whether the service is ready."""
        try:
            self.ask("are-you-there")
        except OSError:
            return False
        return True


@pytest.fixture(name="service", scope="module")
def _service(tmp_path_factory: pytest.TempPathFactory, trained: Trained) -> Iterator[Service]:
    """The service on a free port with two workers; starting it takes seconds, so these tests share it."""
    home = scratch_project(tmp_path_factory.mktemp("service") / "project")
    with pytest.MonkeyPatch.context() as patch:
        clean_environment(patch, home)
        patch.setenv("PLAYER_SERVER__HEADER_TIMEOUT_SECONDS", "2")
        settings = load_settings("testing")
        store.activate(store.save(trained, settings).version, settings)
        port = free_port()
        command = [sys.executable, "-m", "player.cli", "-e", "testing", "serve", "--port", str(port)]
        with (home / "output" / "service.log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        service = Service(settings, port, process)
        service.wait_until(service.answers)
        yield service
        process.terminate()
        process.wait(WAIT)


@dataclass
class Load:
    """Clients that ask without a pause, each on a connection of its own, and count what came back."""

    service: Service
    clients: int = 4
    asked: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Load":
        self.threads = [threading.Thread(target=self.run, args=(number,)) for number in range(self.clients)]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()

    def run(self, number: int) -> None:
        """Ask until the load is over."""
        connection = http.client.HTTPConnection("127.0.0.1", self.service.port, timeout=10)
        count = 0
        while not self.over.is_set():
            request_id = f"{number}-{count}"
            count += 1
            try:
                self.service.ask(request_id, connection)
                self.asked.append(request_id)
            except (OSError, http.client.HTTPException, AssertionError) as error:
                self.failed.append(f"{request_id}: {error!r}")
                connection.close()
        connection.close()


def stored(settings: Settings) -> list[str]:
    """Return the ids in the database."""
    engine = create_engine_for(settings)
    ids = list(queries.recent(engine, 1_000_000)["request_id"])
    engine.dispose()
    return ids


def test_a_worker_that_is_killed_is_replaced_and_no_acknowledged_row_is_lost(service: Service) -> None:
    """After kill -9 of a worker another takes its place, and every answered request is stored exactly once."""
    before = service.workers()
    with Load(service) as load:
        os.kill(min(before), signal.SIGKILL)
        service.wait_until(lambda: len(service.workers() - before) == 1 and len(load.asked) > 200)
    service.wait_until(lambda: set(load.asked) <= set(stored(service.settings)))
    ids = stored(service.settings)

    assert len(set(ids)) == len(ids)
    assert len(load.failed) <= load.clients


def test_all_workers_are_replaced_without_a_failed_request(service: Service) -> None:
    """SIGHUP under load replaces every worker; each request is answered."""
    before = service.workers()
    with Load(service) as load:
        service.process.send_signal(signal.SIGHUP)
        service.wait_until(lambda: not service.workers() & before)

    assert [] == load.failed
    assert len(load.asked) > 0


def test_slow_clients_do_not_starve_the_others(service: Service) -> None:
    """Sixty sockets that send half a request are closed in time, and meanwhile others are answered."""
    slow = [socket.create_connection(("127.0.0.1", service.port)) for _ in range(60)]
    for number, one in enumerate(slow):
        one.sendall(b"POST /api HTTP/1.1\r\nHost: x\r\n" + (b"Content-Length: 100\r\n\r\n{" if number % 2 else b""))

    for number in range(20):
        service.ask(f"meanwhile-{number}")
    for one in slow[::2]:
        one.settimeout(WAIT)
        assert b"" == one.recv(100), "the server closes what never became a request"
    for one in slow:
        one.close()


def test_a_taken_port_is_said_in_one_line(service: Service) -> None:
    """A second service on the same port ends at once with a line that says what to do."""
    command = [sys.executable, "-m", "player.cli", "-e", "testing", "serve", "--port", str(service.port)]
    second = subprocess.run(command, capture_output=True, text=True, timeout=WAIT, check=False)

    assert 2 == second.returncode
    assert "choose one with PLAYER_SERVER__PORT or --port" in second.stderr
    assert 1 == second.stderr.count("\n")


def test_stopping_answers_what_was_asked_and_stores_it(service: Service) -> None:
    """SIGTERM ends the service with exit code 0, and what it answered is in the database."""
    for number in range(20):
        service.ask(f"last-{number}")
    with Load(service) as load:
        service.wait_until(lambda: len(load.asked) > 20)
        service.process.terminate()
        code = service.process.wait(WAIT)

    assert 0 == code
    assert all("ConnectionRefusedError" in failure for failure in load.failed), "nothing is cut, only refused"
    assert {f"last-{number}" for number in range(20)} <= set(stored(service.settings))
