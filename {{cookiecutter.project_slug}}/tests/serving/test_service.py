"""The running service loses no request: not when a worker dies, not when all are replaced, not to slow clients."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import Mock

import psutil
import pytest
from conftest import clean_environment, scratch_project

from player.config import Settings, load_settings
from player.model import saving, store
from player.serving.connections import NOT_READY
from player.serving.service import bind
from player.serving.supervisor import Supervisor, Worker
from player.serving.worker import READY, configure, note_trouble
from player.settings.sections import Server
from player.storage import queries
from player.storage.tables import create_engine_for
from player.training import Trained
from tests.postgres import free_port
from tests.service import WAIT, Service, wait_until


@pytest.fixture(name="service", scope="module")
def _service(tmp_path_factory: pytest.TempPathFactory, trained: Trained) -> Iterator[Service]:
    """The service on a free port with two workers; starting it takes seconds, so these tests share it."""
    home = scratch_project(tmp_path_factory.mktemp("service") / "project")
    with pytest.MonkeyPatch.context() as patch:
        clean_environment(patch, home)
        patch.setenv("PLAYER_SERVER__HEADER_TIMEOUT_SECONDS", "2")
        settings = load_settings("testing")
        store.activate(saving.save(trained, settings).version, settings)
        service = Service(settings)
        service.wait_for_all()
        yield service
        service.stop()


def pids(service: Service) -> set[int]:
    """Return the process ids of the workers that answer."""
    return {worker.pid for worker in service.ready_workers()}


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
    before = pids(service)
    with Load(service) as load:
        os.kill(min(before), signal.SIGKILL)
        wait_until(lambda: len(pids(service) - before) == 1 and len(load.asked) > 200)
    wait_until(lambda: set(load.asked) <= set(stored(service.settings)))
    ids = stored(service.settings)

    assert len(set(ids)) == len(ids)
    assert len(load.failed) <= load.clients


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no such signal")
def test_all_workers_are_replaced_without_a_failed_request(service: Service) -> None:
    """SIGHUP under load replaces every worker; each request is answered."""
    before = pids(service)
    with Load(service) as load:
        service.process.send_signal(signal.SIGHUP)
        wait_until(lambda: not pids(service) & before)

    assert [] == load.failed
    assert len(load.asked) > 0


def test_clients_that_come_at_once_are_shared_among_the_workers(service: Service) -> None:
    """They keep their connections: who had most of them would answer for both, and the other would have nothing to do.

    A worker that was killed before is no obstacle: who takes its place counts anew.
    """
    workers = service.ready_workers()
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(socket.create_connection(("127.0.0.1", service.port)))
        wait_until(lambda: sum(map(held, workers)) >= 20, what="all connections are taken")
        shared = sorted(map(held, workers))

    assert shared[0] >= 7, shared


def held(worker: psutil.Process) -> int:
    """Return how many connections *worker* holds."""
    return sum(each.status == psutil.CONN_ESTABLISHED for each in worker.net_connections(kind="tcp"))


def counted(service: Service) -> float:
    """Return how many predictions /metrics knows of, whichever worker is asked."""
    with urllib.request.urlopen(f"http://127.0.0.1:{service.port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("player_predictions_total"))


def test_every_worker_knows_what_all_have_counted(service: Service) -> None:
    """Prometheus asks one of them, and never knows which."""
    before = counted(service)
    for number in range(30):
        service.ask(f"counted-{number}")

    assert {before + 30} == {counted(service) for _ in range(20)}


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


def test_a_large_body_of_who_has_had_its_share_is_never_asked_for(service: Service) -> None:
    """The head is answered while the body has not come: nobody reads two megabytes for a refusal."""
    mean = Service(service.settings, {"PLAYER_ACCESS__REQUESTS_PER_MINUTE": "1"})
    try:
        with socket.create_connection(("127.0.0.1", mean.port), timeout=WAIT) as one:
            one.sendall(b"POST /api HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
            answer = b"".join(iter(lambda: one.recv(1000), b""))
    finally:
        mean.stop()

    assert answer.startswith(b"HTTP/1.1 429 ")
    assert b"connection: close" in answer
    assert b"At most 1 requests a minute" in answer


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
        wait_until(lambda: len(load.asked) > 20)
        service.process.terminate()
        code = service.process.wait(WAIT)

    assert 0 == code
    assert all("ConnectionRefusedError" in failure for failure in load.failed), "nothing is cut, only refused"
    assert {f"last-{number}" for number in range(20)} <= set(stored(service.settings))


def test_an_answer_of_two_packets_does_not_wait(home: Path) -> None:
    """Connections send at once what they have: waiting for the client's confirmation would cost 40 ms."""
    with bind(load_settings("testing").model_copy(update={"server": own_port()})) as sock:
        sock.listen()
        client = socket.create_connection(sock.getsockname())
        connection, _ = sock.accept()
        with client, connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_process_that_cannot_be_started_is_tried_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the system has no process to give, the other workers go on, and the next try may succeed."""
    supervisor = Supervisor(settings, Mock())
    old, dead, new = (worker(is_alive) for is_alive in (True, False, True))
    supervisor.workers = [old, dead]
    start = Mock(side_effect=[BlockingIOError("no process"), EOFError, new])
    monkeypatch.setattr(supervisor, "start_worker", start)
    supervisor.counts[:] = [5, 5]

    supervisor.replace_dead()
    assert [old, dead] == supervisor.workers
    assert [5, NOT_READY] == supervisor.counts[:]  # nobody waits for what a dead one would take
    assert "no worker can be started: no process" in caplog.text
    supervisor.restart_in_turn()
    assert "no worker can be started: EOFError" in caplog.text
    assert [old, dead] == supervisor.workers
    supervisor.replace_dead()
    assert [old, new] == supervisor.workers
    assert [1, 0, 1] == [each.args[0] for each in start.call_args_list]


def worker(is_alive: bool) -> Worker:
    """Return a worker that is only said to be alive or dead."""
    return Worker(
        Mock(is_alive=Mock(return_value=is_alive)), Mock(poll=Mock(return_value=True), recv=Mock(return_value=READY))
    )


def test_a_service_does_not_say_what_it_runs_on(settings: Settings) -> None:
    """The header `Server` would tell a stranger which holes to try; without a trusted proxy none is believed."""
    found = configure(Mock(), settings)

    assert (False, False) == (found.server_header, found.proxy_headers)


def own_port() -> Server:
    """Return the server settings of testing with a port that is free."""
    return load_settings("testing").server.model_copy(update={"port": free_port()})


@pytest.mark.parametrize(("error", "gives_up"), [(MemoryError(), True), (OSError(), False), (None, False)])
def test_a_process_without_memory_for_a_connection_takes_no_more(error: Exception | None, gives_up: bool) -> None:
    """It would cut them all at once, be free again, and get the next one. Any other trouble is only logged."""
    listening, stop, loop = Mock(), Mock(), Mock()
    context = {"message": "trouble", "exception": error}
    note_trouble(Mock(servers=[listening]), stop, loop, context)

    loop.default_exception_handler.assert_called_once_with(context)
    assert (gives_up, gives_up) == (listening.close.called, stop.set.called)
