"""The steps of a start, one by one: the port, what a service manager gives and is told, signals, Flask's own server."""

import errno
import os
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from flask import Flask

from player.config import Settings
from player.errors import ConfigError, PlayerError
from player.serving import service
from player.serving.service import NOT_HERE, announce, bind, check_port, given_socket, serve, share_metrics
from tests.postgres import free_port

POSIX = pytest.mark.skipif(os.name != "posix", reason="Windows has neither such sockets nor such a manager")
VARIABLES = ("LISTEN_PID", "LISTEN_FDS", "NOTIFY_SOCKET", "WERKZEUG_RUN_MAIN", "PROMETHEUS_MULTIPROC_DIR", "PLAYER_ENV")


def with_server(settings: Settings, **changes: Any) -> Settings:
    """Return *settings* with changes in the table [server]."""
    return settings.model_copy(update={"server": settings.server.model_copy(update=changes)})


@pytest.fixture(name="local")
def _local(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings with a port that nobody has; no service manager runs the tests, and what a start sets is forgotten."""
    for name in VARIABLES:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    return with_server(settings, port=free_port())


@pytest.mark.parametrize(
    ("host", "address"), [("127.0.0.1", "http://127.0.0.1:5001"), ("::1", "http://[::1]:5001")], ids=["IPv4", "IPv6"]
)
def test_where_it_is_served_can_be_clicked(
    local: Settings, capsys: pytest.CaptureFixture[str], host: str, address: str
) -> None:
    """Its address, with the path that the customer asks."""
    announce(local, host, 5001)

    assert f"Serving on {address}/api (begin at {address}/). Stop with Ctrl-C.\n" == capsys.readouterr().out


@pytest.fixture(name="manager")
def _manager() -> Iterator[socket.socket]:
    """Where a service manager listens, for datagrams."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(0.5)
        yield manager


@POSIX
@pytest.mark.parametrize("given", ["{folder}/notify", "{folder}/one@two", "@player-{process}-a@b"])
def test_a_service_manager_is_told_that_it_is_ready(
    local: Settings, manager: socket.socket, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    """At a file, or at a name of Linux's own that begins with @ and has no file."""
    if given.startswith("@") and not hasattr(os, "memfd_create"):
        pytest.skip("only Linux has names without a file")
    with tempfile.TemporaryDirectory() as folder:  # of a short name: such a socket takes 100 characters
        place = given.format(folder=folder, process=os.getpid())
        manager.bind(f"\0{place[1:]}" if place.startswith("@") else place)
        monkeypatch.setenv("NOTIFY_SOCKET", place)
        announce(local, "127.0.0.1", 5001)

        assert b"READY=1" == manager.recv(100)


@POSIX
def test_a_service_manager_that_is_gone_stops_nothing(local: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The requests matter more."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(local.home / "gone"))

    announce(local, "127.0.0.1", 5001)


@POSIX
@pytest.mark.parametrize(
    ("process", "count", "is_ours"),
    [("{own}", "1", True), ("1", "1", False), ("{own}", "0", False), ("{own}", None, False), (None, "1", False)],
)
def test_a_socket_is_taken_over_when_it_was_meant_for_us(
    local: Settings, monkeypatch: pytest.MonkeyPatch, process: str | None, count: str | None, is_ours: bool
) -> None:
    """Variables of a manager reach the children of who was meant, too."""
    for name, value in (("LISTEN_PID", process), ("LISTEN_FDS", count)):
        if value is not None:
            monkeypatch.setenv(name, value.format(own=os.getpid()))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        given = os.dup(listening.fileno())
        monkeypatch.setattr(service, "FIRST_GIVEN", given)
        found = given_socket()
        if found is None:
            os.close(given)
            assert not is_ours
        else:
            with found:
                assert (is_ours, listening.getsockname()) == (True, found.getsockname())
                assert found.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@POSIX
def test_the_manager_opens_files_from_the_third_on(local: Settings) -> None:
    """As sd_listen_fds(3) says."""
    assert 3 == service.FIRST_GIVEN


def test_a_port_is_looked_at_first_and_given_back(local: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A taken one is said before a model is looked at; where the manager has it, it is taken by us."""
    check_port(local)
    with bind(local) as sock:
        sock.listen()
        with pytest.raises(ConfigError, match=r"another service uses the port: choose one with PLAYER_SERVER__PORT"):
            check_port(local)
        monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
        check_port(local)


class Plain(socket.socket):
    """A socket whose bind does nothing but fail with *error*, where there is one."""

    error: OSError | None = None
    made: "Plain"

    def bind(self, address: Any) -> None:
        """Keep where, and fail."""
        self.address = address
        Plain.made = self
        if self.error is not None:
            raise self.error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.EADDRNOTAVAIL, "Cannot assign"), NOT_HERE),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), NOT_HERE),
        (OSError(errno.EACCES, "Permission denied"), "this user may not open the port: choose one above 1023"),
        (OSError(errno.ENOBUFS, "No buffer space"), "No buffer space."),
    ],
)
def test_a_port_that_cannot_be_had_is_one_sentence(
    local: Settings, monkeypatch: pytest.MonkeyPatch, error: OSError, said: str
) -> None:
    """It says what to do, and nothing stays open."""
    monkeypatch.setattr(service.socket, "socket", type("Fails", (Plain,), {"error": error}))

    with pytest.raises(ConfigError) as caught:
        bind(local)

    assert str(caught.value).startswith(f"Cannot listen on 127.0.0.1:{local.server.port}: {said}")
    assert -1 == Plain.made.fileno()


@pytest.mark.parametrize(("host", "family"), [("::1", socket.AF_INET6), ("127.0.0.1", socket.AF_INET)])
def test_an_address_of_either_kind_can_be_served(
    local: Settings, monkeypatch: pytest.MonkeyPatch, host: str, family: int
) -> None:
    """Also where the machine that runs the tests has only one of them."""
    monkeypatch.setattr(service.socket, "socket", Plain)
    with bind(with_server(local, host=host)) as sock:
        assert (family, (host, local.server.port)) == (sock.family, sock.address)  # type: ignore[attr-defined]


@POSIX
def test_old_connections_do_not_keep_the_port_from_a_restart(local: Settings) -> None:
    """The system remembers for a minute those that we closed first."""
    with bind(local) as sock:
        sock.listen()
        with socket.create_connection(sock.getsockname()) as client:
            sock.accept()[0].close()
            client.recv(1)

    bind(local).close()


def test_counters_begin_anew_with_each_start(local: Settings) -> None:
    """Those of a process that is gone would be counted for ever."""
    share_metrics(local)
    folder = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
    (folder / "counter_1.db").touch()
    share_metrics(local)

    assert [] == list(folder.iterdir())
    assert local.home / "output" / "testing-metrics" / str(local.server.port) == folder


def test_counters_that_cannot_be_kept_are_said_in_one_sentence(local: Settings) -> None:
    """With what to do."""
    (local.home / "output" / "testing-metrics").touch()

    with pytest.raises(PlayerError, match=r"The counters cannot be kept in .*: a file stands where a folder should be"):
        share_metrics(local)


@pytest.fixture(name="signals")
def _signals(monkeypatch: pytest.MonkeyPatch) -> dict[int, Any]:
    """What each signal would do."""
    found: dict[int, Any] = {}
    monkeypatch.setattr(service.signal, "signal", found.__setitem__)
    return found


def test_a_signal_stops_or_restarts_it(
    local: Settings, signals: dict[int, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The service that runs has its port, and says so when it answers."""
    made: list[Any] = []

    class Played(service.Supervisor):
        def run(self) -> None:
            made.append(self)

    monkeypatch.setattr(service, "Supervisor", Played)
    serve(local)
    (one,) = made
    with one.sock:
        assert ("127.0.0.1", local.server.port) == one.sock.getsockname()
        one.announce()
        signals[signal.SIGINT]()
        assert (True, False) == (one.stopping, one.restarting)
        one.stopping = False
        signals[signal.SIGTERM]()
        assert (True, False) == (one.stopping, one.restarting)
        if hasattr(signal, "SIGHUP"):
            one.stopping = False
            signals[signal.SIGHUP]()
            assert (False, True) == (one.stopping, one.restarting)

    assert f"Serving on http://127.0.0.1:{local.server.port}/api" in capsys.readouterr().out
    assert f"testing-metrics{os.sep}{local.server.port}" in os.environ["PROMETHEUS_MULTIPROC_DIR"]


@POSIX
def test_the_socket_of_a_manager_is_the_one_that_is_served(
    local: Settings, signals: dict[int, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And its address is told, not the one of the settings."""
    made = Mock()
    monkeypatch.setattr(service, "Supervisor", made)
    with socket.create_server(("127.0.0.1", 0)) as given:
        monkeypatch.setattr(service, "given_socket", lambda: given)
        serve(local)
        made.call_args.args[2]()

        assert given is made.call_args.args[1]
        assert f"http://127.0.0.1:{given.getsockname()[1]}/api" in capsys.readouterr().out


@pytest.fixture(name="coding")
def _coding(local: Settings, monkeypatch: pytest.MonkeyPatch) -> Mock:
    """Flask's own server, which is only told what to serve."""
    run = Mock()
    monkeypatch.setattr(service, "run_simple", run)
    monkeypatch.setattr("player.app.create_app", lambda _: "the application")
    return run


def test_for_coding_the_page_of_an_error_runs_no_code(
    local: Settings, coding: Mock, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first process only watches the files, the settings among them: it makes no application and says nothing."""
    serve(with_server(local, debug=True))
    host, port, app = coding.call_args.args
    told = coding.call_args.kwargs

    assert ("127.0.0.1", local.server.port, "") == (host, port, capsys.readouterr().out)
    assert isinstance(app, Flask)
    assert (True, True, False, True) == tuple(
        told[name] for name in ("use_reloader", "use_debugger", "use_evalex", "threaded")
    )
    assert {str(path) for path in (local.home / "config").glob("*.toml")} == set(told["extra_files"])
    assert len(told["extra_files"]) > 4


def test_for_coding_its_child_answers(
    local: Settings, coding: Mock, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The reloader starts it anew after each change; the port is its own by then."""
    monkeypatch.setenv("WERKZEUG_RUN_MAIN", "true")
    with bind(local) as taken:
        taken.listen()
        serve(with_server(local, debug=True))

    assert ("the application", "testing") == (coding.call_args.args[2], os.environ["PLAYER_ENV"])
    assert "Serving on" in capsys.readouterr().out


def test_for_coding_a_taken_port_is_one_sentence_too(local: Settings, coding: Mock) -> None:
    """Flask would print an address and then a traceback."""
    with bind(local) as taken:
        taken.listen()
        with pytest.raises(ConfigError, match="another service uses the port"):
            serve(with_server(local, debug=True))

    assert not coding.called
