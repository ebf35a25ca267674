"""A worker in this very process: when it says that it is ready, why it is not, and how it takes its leave."""

import asyncio
import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
import uvicorn

from player.config import Settings
from player.errors import ModelMissing
from player.serving import worker
from player.serving.connections import NOT_READY, Connection, Listening, Shares
from player.serving.worker import PATIENCE, READY, DrainedServer, configure, is_closed, run_worker, say, say_goodbye
from tests.postgres import free_port


@pytest.fixture(autouse=True)
def _shares(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a worker notes for its whole process is forgotten afterwards."""
    monkeypatch.setattr(Connection, "shares", Connection.shares)
    monkeypatch.setattr(Listening, "shares", Listening.shares)
    monkeypatch.setattr(Connection, "most", Connection.most)


@pytest.fixture(name="captured")
def _captured(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """Whether a worker let its log have the warnings of libraries; forgotten afterwards."""
    asked: list[bool] = []
    warnings = logging.getLogger("py.warnings")
    before = warnings.level
    monkeypatch.setattr(worker.logging, "captureWarnings", asked.append)
    yield asked
    warnings.setLevel(before)


@pytest.fixture(name="bound")
def _bound() -> Iterator[socket.socket]:
    """A port that is taken, but not open."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", free_port()))
        yield sock


def hello(_: Any, start_response: Any) -> list[bytes]:
    """Answer."""
    start_response("200 OK", [("Content-Length", "2")])
    return [b"hi"]


def reads_all(environ: dict[str, Any]) -> None:
    """Refuse no request by its head."""


class Parent:
    """The other end of the wire: it asks as soon as the worker says that it is ready, and then lets it go."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address
        self.heard: list[str] = []
        self.answer = b""
        self.held: list[int] = []

    def send(self, what: str) -> None:
        """Hear it, and ask without delay."""
        self.heard.append(what)
        self.held = list(Connection.shares.counts)
        try:
            self.client = socket.create_connection(self.address, timeout=10)
        except ConnectionRefusedError:
            self.answer = b"refused"
            return
        self.client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        threading.Thread(target=self.read, daemon=True).start()

    def read(self) -> None:
        """Read until the worker closes."""
        with self.client, suppress(OSError):
            while piece := self.client.recv(1000):
                self.answer += piece

    def poll(self) -> bool:
        """Close the wire when the answer is there."""
        return self.answer.endswith((b"hi", b"refused"))


def test_who_says_that_it_is_ready_answers(settings: Settings, bound: socket.socket) -> None:
    """The port is open by then: a service manager sends requests at once. And its siblings see that it takes some."""
    parent, counts = Parent(bound.getsockname()), [NOT_READY, 7]
    Connection.shares = Shares(counts, 0)
    asyncio.run(worker.serve(hello, reads_all, settings, bound, parent, threading.Event()))  # type: ignore[arg-type]

    assert ([READY], [0, 7]) == (parent.heard, parent.held)
    assert parent.answer.startswith(b"HTTP/1.1 200 OK")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(parent.address)
    Connection.shares.hold(5)
    assert 0 == counts[0], "who has gone counts no more in the place of the next one"


@pytest.mark.skipif(os.name != "posix", reason="Windows gives a number once")
def test_a_port_that_another_one_opened_first_is_an_error(
    settings: Settings, bound: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not said to be ready."""
    parent = Parent(bound.getsockname())
    with socket.socket() as other, Listening(fileno=os.dup(bound.fileno())) as ours:
        monkeypatch.setattr(worker, "Listening", lambda fileno: os.close(fileno) or ours)
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(bound.getsockname())
        other.listen()
        with pytest.raises(OSError, match="in use"):
            asyncio.run(worker.serve(hello, reads_all, settings, bound, parent, threading.Event()))  # type: ignore[arg-type]

    assert [] == parent.heard


@pytest.mark.parametrize(
    ("fails", "said"),
    [
        (ModelMissing("No model."), "No model."),
        (OSError(28, "No space left on device"), "the disk is full: free some space"),
    ],
)
def test_who_cannot_start_says_why(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, captured: list[bool], fails: Exception, said: str
) -> None:
    """In one line, to its parent; signals for all reach it no more, and it has the variables that it was given."""
    signals: dict[int, Any] = {}
    monkeypatch.setattr(worker.signal, "signal", signals.__setitem__)
    monkeypatch.setattr("player.app.create_app", Mock(side_effect=fails))
    given = {name: value for name, value in os.environ.items() if name.startswith("PLAYER_")}
    monkeypatch.setattr(os, "environ", {"OLD": "1"})
    wire = Mock()
    with pytest.raises(SystemExit) as ended:
        run_worker(Mock(), "testing", wire, Shares([0], 0), given)

    wire.send.assert_called_once_with(said)
    assert (1, given) == (ended.value.code, os.environ)
    assert ([True], logging.ERROR) == (captured, logging.getLogger("py.warnings").level), "one warning is many lines"
    assert signal.SIG_IGN == signals[signal.SIGINT]
    if hasattr(signal, "SIGHUP"):
        assert signal.SIG_IGN == signals[signal.SIGHUP]


@pytest.mark.usefixtures("captured")
def test_what_was_opened_is_closed_when_the_port_cannot_be_had(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that wait are shipped; connections are counted where the parent said; SIGTERM tells it to stop."""
    signals: dict[int, Any] = {}
    parts, app, shares = Mock(), Mock(), Shares([0, 0], 1)
    app.extensions = {"player": parts}
    monkeypatch.setattr(worker.signal, "signal", signals.__setitem__)
    monkeypatch.setattr("player.app.create_app", Mock(return_value=app))
    monkeypatch.setattr(Listening, "shares", Listening.shares)
    stops = []

    async def fails(*given: Any) -> None:
        signals[signal.SIGTERM]()
        stops.append((given[-1].is_set(), Connection.shares, Listening.shares))
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(worker, "serve", fails)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    wire = Mock()
    with pytest.raises(SystemExit):
        run_worker(Mock(), "testing", wire, shares, dict(os.environ))

    parts.stop.assert_called_once_with()
    assert [(True, shares, shares)] == stops
    assert "too many files are open" in wire.send.call_args.args[0]


def test_a_parent_that_is_gone_is_no_trouble() -> None:
    """There is nobody to tell; it is time to stop."""
    gone = Mock(send=Mock(side_effect=BrokenPipeError), poll=Mock(side_effect=BrokenPipeError))
    say(gone, READY)

    assert is_closed(gone)
    assert [True, False] == [is_closed(Mock(poll=Mock(return_value=closed))) for closed in (True, False)]


@pytest.mark.parametrize(
    ("leave_after", "seconds"),
    [(0.0, 0.2), (0.5, 0.6), (99.0, 4.1)],
    ids=["nobody is there", "they ask once more", "they stay"],
)
def test_it_waits_for_its_clients_and_no_longer(
    monkeypatch: pytest.MonkeyPatch, leave_after: float, seconds: float
) -> None:
    """At least a moment: who was just accepted is not seen yet."""
    now = [1000.0]

    async def sleep(seconds: float) -> None:
        now[0] += seconds

    class State:
        @property
        def connections(self) -> bool:
            return now[0] - 1000.0 < leave_after - 1e-6

    monkeypatch.setattr(worker, "asyncio", SimpleNamespace(sleep=sleep))
    monkeypatch.setattr(worker, "time", SimpleNamespace(monotonic=lambda: now[0]))
    asyncio.run(say_goodbye(SimpleNamespace(server_state=State()), 4.0))  # type: ignore[arg-type]

    assert seconds == pytest.approx(now[0] - 1000.0, abs=PATIENCE + 1e-6)
    assert now[0] - 1000.0 >= 2 * PATIENCE - 1e-6


def test_signals_are_left_to_the_worker(settings: Settings) -> None:
    """A server of its own would close at once, in the middle of what clients still send."""
    before = signal.getsignal(signal.SIGTERM)
    with DrainedServer(uvicorn.Config(Mock())).capture_signals():
        assert before is signal.getsignal(signal.SIGTERM)


def test_only_a_trusted_proxy_may_say_who_asks(settings: Settings) -> None:
    """And how long connections live is what the settings say."""
    access = settings.access.model_copy(update={"trusted_proxies": "10.0.0.1"})
    found = configure(Mock(), settings.model_copy(update={"access": access}))

    assert (True, "10.0.0.1") == (found.proxy_headers, found.forwarded_allow_ips)
    assert (settings.server.keep_alive_seconds, settings.server.stop_timeout_seconds) == (
        found.timeout_keep_alive,
        found.timeout_graceful_shutdown,
    )
    assert False is found.access_log, "we write a line of our own for each request"


@pytest.mark.parametrize("taken", [True, False])
def test_a_port_is_closed_when_its_queue_is_empty(taken: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing it would cut who waits there; for connections that nobody takes it does not wait for ever."""
    monkeypatch.setattr(worker, "QUEUE_SECONDS", 30 if taken else 0.05)
    accepted: list[socket.socket] = []

    async def stop(port: socket.socket) -> None:
        if taken:
            asyncio.get_running_loop().add_reader(port, lambda: accepted.append(port.accept()[0]))
        await worker.empty_queue(port)

    with ExitStack() as opened:
        port = opened.enter_context(socket.create_server(("127.0.0.1", 0)))
        for _ in range(3):
            opened.enter_context(socket.create_connection(port.getsockname()))
        asyncio.run(stop(port))
        for connection in accepted:
            connection.close()

    assert (3 if taken else 0) == len(accepted)


def test_a_port_that_is_closed_has_no_queue() -> None:
    """As a worker without memory leaves it: it says goodbye all the same."""
    port = socket.create_server(("127.0.0.1", 0))
    port.close()

    asyncio.run(worker.empty_queue(port))
