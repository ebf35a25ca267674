"""The database is stopped, frozen, cut off, slow, locked or full: answers go on, and every row arrives exactly once."""

import contextlib
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy.engine import make_url

from player.config import Settings, load_settings
from tests.chaos.load import Load, peak_rate, settle
from tests.postgres import Postgres
from tests.service import Service

SHARE = 0.7  # of the peak rate
SLOWEST_MS = 300


def survive(
    service: Service, fault: Callable[[], Any], seconds: float, mend: Callable[[], Any], patience: float = 60.0,
    **more: Any,
) -> dict[str, Any]:  # fmt: skip
    """Break something for *seconds* under load; return the figures, after asserting that nothing failed or is lost.

    All rows must be stored *patience* seconds after the load. The answer times before the fault are figures too: on a
    busy machine they say what the machine costs.
    """
    rate = SHARE * peak_rate(service)
    with Load(service, rate, **more) as load:
        started = time.monotonic()
        time.sleep(min(10.0, seconds))
        broken = time.monotonic()
        fault()
        time.sleep(seconds)
        mend()
        mended = time.monotonic()
        time.sleep(min(10.0, seconds))
    stored = settle(service.settings, load, patience)
    assert [] == load.failed
    before = {f"before: {name}": value for name, value in load.times(started, broken).items()}
    return {"seconds": round(mended - broken), "a second": round(rate), **stored, "failed": 0, **before,
            **load.times(broken, mended)}  # fmt: skip


def test_postgresql_is_stopped(
    on_postgres: Settings, postgres: Postgres, start: Callable[..., Service], amount: Callable[[str], int],
    report: Callable[..., None],
) -> None:  # fmt: skip
    """Five minutes without the database cost no answer; a minute after its return it has every row once.

    After a longer time without it, a fifteenth of that time later.
    """
    seconds = amount("SECONDS")
    patience = max(60.0, seconds / 15)
    figures = survive(start(on_postgres), postgres.stop, seconds, postgres.start, patience)
    report(**figures)

    assert figures["stored after s"] < patience
    assert figures["worst ms"] < max(SLOWEST_MS, 2 * figures["before: worst ms"])


def test_postgresql_is_frozen(
    on_postgres: Settings, postgres: Postgres, start: Callable[..., Service], amount: Callable[[str], int],
    report: Callable[..., None],
) -> None:  # fmt: skip
    """A server that keeps its connections and says nothing for a minute costs no answer either."""
    figures = survive(start(on_postgres), postgres.freeze, min(60, amount("SECONDS")), postgres.thaw)
    report(**figures)

    assert figures["worst ms"] < max(SLOWEST_MS, 2 * figures["before: worst ms"])


def test_all_connections_are_terminated(
    on_postgres: Settings, start: Callable[..., Service], report: Callable[..., None]
) -> None:
    """An administrator who ends all connections, again and again, is not noticed."""
    url = make_url(on_postgres.database_url.get_secret_value()).set(drivername="postgresql")
    over = threading.Event()

    def terminate() -> None:
        with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
            while not over.wait(0.2):
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE pid <> pg_backend_pid() AND datname = current_database()"
                )

    thread = threading.Thread(target=terminate)
    try:
        report(**survive(start(on_postgres), thread.start, 20, over.set))
    finally:
        over.set()
        thread.join()


class Wire:
    """A wire to the database of which one can choose how long a piece takes, and how many bytes a piece has."""

    def __init__(self, port: int) -> None:
        """Lead to *port* of this machine."""
        self.target, self.delay, self.piece, self.cut = port, 0.0, 65536, False
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listening.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        """Lead each connection on, until closed."""
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listening.accept()
                if self.cut:
                    client.close()
                    continue
                server = socket.create_connection(("127.0.0.1", self.target))
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=self.pump, args=pair, daemon=True).start()

    def pump(self, source: socket.socket, target: socket.socket) -> None:
        """Carry bytes one way."""
        with contextlib.suppress(OSError):
            while data := source.recv(self.piece):
                time.sleep(self.delay)
                if self.cut:
                    break
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        source.close()  # the thread of the other direction closes the other end


@pytest.fixture(name="wire")
def _wire(postgres: Postgres) -> Iterator[Wire]:
    """A wire to PostgreSQL."""
    wire = Wire(postgres.port)
    yield wire
    wire.listening.close()


@pytest.mark.parametrize(
    ("name", "value"), [("delay", 2.0), ("piece", 20), ("cut", True)], ids=["two seconds late", "in pieces", "reset"]
)
def test_the_wire_to_postgresql_is_bad(
    name: str, value: Any, on_postgres: Settings, wire: Wire, start: Callable[..., Service],
    report: Callable[..., None], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Latency, tiny pieces and resets between service and database are not noticed by who asks."""
    direct = on_postgres.database_url.get_secret_value()
    monkeypatch.setenv("PLAYER_DATABASE_URL", make_url(direct).set(port=wire.port).render_as_string(False))
    good = getattr(wire, name)
    service = start(load_settings("testing"))
    figures = survive(service, lambda: setattr(wire, name, value), 20, lambda: setattr(wire, name, good))
    report(**figures)


@pytest.mark.parametrize("file", ["database", "spool"])
def test_another_program_locks_the_file(
    file: str, model_settings: Settings, start: Callable[..., Service], report: Callable[..., None]
) -> None:
    """BEGIN EXCLUSIVE on the database for 30 s is not noticed.

    On the spool, which must take the row before the answer leaves, requests wait as long as the lock is held if that
    is short, and are refused honestly with 503 and Retry-After when it is long; what was acknowledged is there.
    """
    service = start(model_settings)
    name = "output/testing.db" if file == "database" else model_settings.storage.spool.format(environment="testing")
    other = sqlite3.connect(model_settings.home / name, isolation_level=None, timeout=30, check_same_thread=False)
    if file == "database":
        figures = survive(service, lambda: other.execute("BEGIN EXCLUSIVE"), 30, lambda: other.execute("ROLLBACK"))
        report(**figures)
        other.close()
        return
    with Load(service, 100, tries=50) as load:
        time.sleep(2)
        other.execute("BEGIN EXCLUSIVE")
        time.sleep(30)
        other.execute("ROLLBACK")
        time.sleep(5)
    other.close()
    report(**settle(model_settings, load), refused_503=load.interrupted["status 503"], failed=len(load.failed))

    assert {"status 503"} >= load.interrupted.keys()
    assert 0 == load.without_retry_after
    assert [] == load.failed


def test_the_disk_is_full(
    model_settings: Settings, small_disk: Path, start: Callable[..., Service], report: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """On a full disk requests are refused honestly, with 503; when there is room again, the service goes on."""
    monkeypatch.setenv("PLAYER_STORAGE__SPOOL", str(small_disk / "spool.db"))
    monkeypatch.setenv("PLAYER_DATABASE_URL", f"sqlite:///{small_disk / 'testing.db'}")
    settings = load_settings("testing")
    service, filler = start(settings), small_disk / "filler"
    with Load(service, 50) as load:
        for _ in range(5):
            time.sleep(2)
            with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(65536))
            time.sleep(4)
            filler.unlink()
        time.sleep(3)
    with Load(service, 20) as after:
        time.sleep(3)
    report(
        times=5, **settle(settings, load), refused_503=load.interrupted["status 503"], failed_after=len(after.failed)
    )

    assert {"status 503"} >= load.interrupted.keys()
    assert 0 == load.without_retry_after
    assert [] == after.failed
    assert after.answers
