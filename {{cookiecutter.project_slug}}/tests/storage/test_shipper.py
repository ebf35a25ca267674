"""Rows reach the database once each, whatever the database does meanwhile, and nobody waits for it."""

import gc
import json
import logging
import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from unittest.mock import Mock

import pytest
from sqlalchemy.engine import make_url

from player.config import Settings
from player.errors import NotDurable
from player.storage import shipper, statements
from player.storage.database import hide_password, within
from player.storage.local.spool import INSERT, Row
from player.storage.writer import PredictionRow, Writer
from tests.postgres import PASSWORD, Postgres, _postgres, _postgres_url  # noqa: F401 - fixtures
from tests.storage_rows import label, prediction, select, with_database, with_storage

PREDICTIONS = "SELECT request_id FROM predictions ORDER BY request_id"


def wait_until(fact: Callable[[], bool], seconds: float = 30.0) -> None:
    """Return when *fact* is true; fail when it does not become true in time."""
    patience = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < patience, "it did not happen in time"
        time.sleep(0.02)


def forget_connections() -> None:
    """Wait for the calls that a stopped writer left behind, and let go of their connections."""
    for thread in threading.enumerate():
        if thread.name == "database":
            thread.join(30)
    gc.collect()


@pytest.fixture(name="quick")
def _quick(settings: Settings) -> Settings:
    """Settings with which rows are shipped often."""
    return with_storage(settings, ship_seconds=0.05)


@pytest.fixture(name="on_postgres")
def _on_postgres(quick: Settings, postgres: Postgres) -> Iterator[tuple[Settings, Writer]]:
    """A running writer whose database is on the server that the test may stop."""
    on_postgres = with_database(quick, postgres.database())
    writer = Writer(on_postgres)
    writer.start()
    writer.put_prediction(prediction("before"))
    wait_until(lambda: writer.status()["spooled"] == 0)
    yield on_postgres, writer
    writer.stop()


def put_for(seconds: float, writer: Writer, name: str) -> tuple[list[str], float]:
    """Put rows and labels for some seconds; return the ids, and the longest time that one call took."""
    ids: list[str] = []
    worst, end = 0.0, time.monotonic() + seconds
    while time.monotonic() < end:
        ids.append(f"{name}-{len(ids)}")
        start = time.monotonic()
        writer.put_prediction(prediction(ids[-1]))
        writer.put_labels([label(ids[-1], 1), label(f"nothing-{ids[-1]}", 1)])
        worst = max(worst, time.monotonic() - start)
        time.sleep(0.01)
    return ids, worst


def test_a_stopped_server_is_not_noticed(
    on_postgres: tuple[Settings, Writer], postgres: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    """While PostgreSQL is down rows go on being durable; when it is back they all arrive, once, and the log says so."""
    settings, writer = on_postgres
    with caplog.at_level(logging.WARNING, "player"):
        postgres.stop()
        ids, worst = put_for(2.0, writer, "down")
        wait_until(lambda: writer.status()["database"] == "down")
        waiting = writer.status()["spooled"]
        postgres.start()
        wait_until(lambda: writer.status() == {"spooled": 0, "set_aside": 0, "database": "ok", "last_error": ""})

    assert worst < 1.0
    assert waiting >= len(ids)
    assert sorted([*ids, "before"]) == [row[0] for row in select(settings, PREDICTIONS)]
    assert select(settings, "SELECT count(*) FROM labels") == [(2 * len(ids),)]
    assert len([r for r in caplog.records if r.name == "player.storage.shipper"]) <= 4
    assert PASSWORD not in caplog.text


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of the connection left behind
def test_a_frozen_server_is_not_noticed(
    on_postgres: tuple[Settings, Writer], postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that keeps its connections and says nothing holds up no row, no label and no stop."""
    settings, writer = on_postgres
    monkeypatch.setattr(shipper, "SEND_SECONDS", 0.5)
    postgres.freeze()
    try:
        ids, worst = put_for(2.0, writer, "frozen")
        wait_until(lambda: writer.status()["database"] == "down")
        start = time.monotonic()
        writer.stop(timeout=1.0)
        stopped = time.monotonic() - start
    finally:
        postgres.thaw()
    forget_connections()
    again = Writer(settings)
    again.start()
    wait_until(lambda: again.status()["spooled"] == 0)
    again.stop()

    assert worst < 1.0
    assert stopped < 2.0
    assert sorted([*ids, "before"]) == [row[0] for row in select(settings, PREDICTIONS)]


def test_a_process_ends_although_the_server_is_frozen(quick: Settings, postgres: Postgres) -> None:
    """A frozen database cannot keep a process alive."""
    code = """
import sys
from player.config import load_settings
from player.storage.writer import PredictionRow, Writer
writer = Writer(load_settings("testing"))
writer.start()
writer.ship()
print(writer.status()["database"], flush=True)
sys.stdin.readline()
writer.stop(timeout=1.0)
"""
    environment = {**os.environ, "PLAYER_DATABASE_URL": postgres.database()}
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                             env=environment)  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline().strip() == "ok"
    postgres.freeze()
    try:
        child.communicate("\n", timeout=10)
    finally:
        postgres.thaw()

    assert child.returncode == 0


def test_a_locked_sqlite_file_is_not_noticed(quick: Settings) -> None:
    """Another program may hold the database for long; rows wait in the spool and arrive afterwards."""
    writer = Writer(quick)
    writer.start()
    writer.ship()
    with closing(sqlite3.connect(make_url(quick.database_url.get_secret_value()).database or "")) as other:
        other.execute("BEGIN EXCLUSIVE")
        ids, worst = put_for(1.0, writer, "locked")
        assert writer.status()["spooled"] >= len(ids)
        other.rollback()
    wait_until(lambda: writer.status()["spooled"] == 0)
    writer.stop()

    assert worst < 1.0
    assert sorted(ids) == [row[0] for row in select(quick, PREDICTIONS)]


def test_a_deleted_sqlite_file_is_made_again(settings: Settings) -> None:
    """Who deletes the database to start afresh gets a new one with what comes from now on."""
    writer = Writer(settings)
    writer.put_prediction(prediction("before"))
    writer.ship()
    Path(make_url(settings.database_url.get_secret_value()).database or "").unlink()
    writer.put_prediction(prediction("after"))
    writer.ship()
    writer.ship()
    writer.stop()

    assert [("after",)] == select(settings, PREDICTIONS)


def test_a_crash_between_the_two_commits_doubles_nothing(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that reached the database but were not marked are sent again, and stay single."""
    writer = Writer(settings)
    writer.put_predictions([prediction(str(i)) for i in range(10)])
    writer.put_labels([label("1", 1)])
    writer.ship()
    writer.spool.write(lambda connection: connection.execute("UPDATE state SET value = 0 WHERE name = 'shipped'"))

    assert writer.ship() == 11
    assert select(settings, "SELECT count(*) FROM predictions") == [(10,)]
    assert select(settings, "SELECT count(*) FROM labels") == [(1,)]
    writer.stop()


def test_a_spool_that_cannot_be_read_for_a_while_ends_no_shipping(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No file could be opened, for example: the round is over, the thread lives on, and the next one sends all."""
    writer = Writer(settings)
    writer.put_prediction(prediction("a"))
    with monkeypatch.context() as patch:
        patch.setattr(writer.spool, "count", Mock(side_effect=NotDurable("too many files are open")))
        assert writer.ship() == 0

    assert writer.ship() == 1
    writer.stop()


def test_one_process_ships_at_a_time(settings: Settings) -> None:
    """While one holds the lock the others leave the rows to it, and take over when it is gone."""
    first, second = Writer(settings), Writer(settings)
    first.put_prediction(prediction("a"))
    assert first.ship() == 1
    second.put_prediction(prediction("b"))
    assert second.ship() == 0
    first.stop()
    assert second.ship() == 1
    second.stop()


@pytest.fixture(name="any_database", params=["sqlite", "postgresql"])
def _any_database(request: pytest.FixtureRequest, settings: Settings) -> Settings:
    """The settings with each of the two kinds of database."""
    if request.param == "sqlite":
        return settings
    return with_database(settings, request.getfixturevalue("postgres_url"))


POISON = [
    "no json at all", "{}", "[]", "null", '{"request_id": "x", "received_at": "yesterday"}',
    json.dumps({**vars(prediction("p")), "received_at": "2026-11-23T12:00:00+00:00", "model": None}),
    json.dumps({**vars(prediction("p")), "received_at": "2026-11-23T12:00:00+00:00", "degraded": "maybe"}),
]  # fmt: skip


def test_a_poisonous_row_holds_up_nobody(any_database: Settings, caplog: pytest.LogCaptureFixture) -> None:
    """Rows that the database will never take are set aside with the reason; all others arrive."""
    writer = Writer(any_database)
    for number, body in enumerate(POISON):
        writer.put_prediction(prediction(f"good {number}"))
        values = ("prediction", f"bad {number}", None, None, 0.0, body)
        writer.spool.write(lambda c, values=values: c.execute(INSERT, values))  # type: ignore[misc]
    writer.ship()

    assert [f"good {number}" for number in range(len(POISON))] == [r[0] for r in select(any_database, PREDICTIONS)]
    assert {"spooled": 0, "set_aside": len(POISON), "database": "ok", "last_error": ""} == writer.status()
    assert "is set aside" in caplog.text
    writer.stop()


def test_a_row_of_a_newer_version_arrives(settings: Settings) -> None:
    """After a rollback of the code, columns that it does not know are left out."""
    writer = Writer(settings)
    body = json.dumps({**vars(prediction("p")), "received_at": "2026-11-23T12:00:00+00:00", "unheard_of": 1})
    writer.spool.write(lambda c: c.execute(INSERT, ("prediction", "p", None, None, 0.0, body)))
    writer.ship()
    writer.stop()

    assert [("p",)] == select(settings, PREDICTIONS)


def test_what_was_set_aside_is_tried_again(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that was refused by an older version arrives with the version that knows better."""
    writer = Writer(settings)
    writer.put_prediction(prediction("a"))
    with monkeypatch.context() as patch:
        patch.setattr(statements, "read_columns", lambda body, table: 1 / 0)
        patch.setattr(statements, "ERRORS", (ZeroDivisionError,))
        patch.setattr(statements, "is_rows_fault", lambda error: True)
        writer.ship()
    assert writer.status()["set_aside"] == 1
    writer.stop()

    newer = Writer(settings)
    newer.ship()

    assert newer.status()["set_aside"] == 0
    assert [("a",)] == select(settings, PREDICTIONS)
    newer.stop()


def test_a_database_without_tables_is_no_reason_to_set_rows_aside(settings: Settings) -> None:
    """Where users depend on it, rows wait until a person has made the tables."""
    strict = settings.model_copy(update={"environment": "production"})
    writer = Writer(strict)
    writer.put_prediction(prediction("a"))
    assert writer.ship() == 0

    status = writer.status()

    assert (1, 0, "down") == (status["spooled"], status["set_aside"], status["database"])
    assert "unable to open database file" in status["last_error"]
    writer.stop()


ODD_TEXTS = [
    "", "\0", "a\0b", "\ud800", "\udfff\ud800", "\\", "\\0", "\\u0000", "'", '"', "%s", "{}", "\r\n\u2028\x1b[31m",
    "é", "名前", "\U0001f600", "\u202e", "e\u0301", "NULL", "1' OR '1'='1", "x" * 3000, "\ufeff", "\x7f\x80",
]  # fmt: skip
ODD_VALUES = [
    *ODD_TEXTS, None, True, False, 0, -0.0, 1, 0.1, 1e-320, 1e308, 2**53 + 1, -(2**63), 2**64, 10**400,
    float("nan"), float("inf"), float("-inf"), [], {}, [None, [1.0, {"a": "\0"}]], {"": "", "\ud800": "\0"},
]  # fmt: skip


@pytest.fixture(name="odd_rows")
def _odd_rows() -> list[PredictionRow]:
    """1,000 rows with odd ids, values, numbers and texts in every combination that chance makes."""
    chance = random.Random(1)
    numbers = [value for value in ODD_VALUES if isinstance(value, float)]
    return [
        prediction(f"{i} {chance.choice(ODD_TEXTS)}", chance.random(), pred=chance.choice(ODD_VALUES),
                   features={chance.choice(ODD_TEXTS): chance.choice(ODD_VALUES) for _ in range(4)},
                   proba=chance.choice(numbers), client=chance.choice(ODD_TEXTS), warnings=[chance.choice(ODD_TEXTS)])
        for i in range(1000)
    ]  # fmt: skip


def test_both_databases_hold_the_same_bytes(
    settings: Settings, postgres_url: str, odd_rows: list[PredictionRow]
) -> None:
    """Whatever is in a row, SQLite and PostgreSQL store the same texts and numbers."""
    stored = []
    for name, one in (("sqlite", settings), ("postgresql", with_database(settings, postgres_url))):
        writer = Writer(with_storage(one, spool=f"output/{name}-spool.db"))
        writer.put_predictions(odd_rows)
        writer.put_labels([label(row.request_id, row.pred, 1) for row in odd_rows[:200]])
        writer.ship()
        assert writer.status() == {"spooled": 0, "set_aside": 0, "database": "ok", "last_error": ""}
        writer.stop()
        columns = "request_id, model, pred, proba, features, warnings, latency_ms, client"
        stored.append(select(one, f"SELECT {columns} FROM predictions ORDER BY received_at, latency_ms"))
        stored[-1] += select(one, "SELECT request_id, label, status FROM labels ORDER BY id")
    sqlite_rows, postgresql_rows = (sorted(rows, key=repr) for rows in stored)

    assert len(sqlite_rows) == len(odd_rows) + 200
    assert sqlite_rows == postgresql_rows


def test_waiting_has_an_end() -> None:
    """What hangs is left behind; what fails says why."""
    never = threading.Event()
    with pytest.raises(TimeoutError, match=r"no answer within 0\.05 s"):
        within(0.05, never.wait)
    never.set()
    with pytest.raises(ZeroDivisionError):
        within(1, divmod, 1, 0)
    assert within(1, divmod, 7, 2) == (3, 1)


@pytest.mark.parametrize("password", ["secret", "p%w/ö @:"])
def test_no_error_shows_the_password(settings: Settings, password: str) -> None:
    """However a driver writes the address, the password is masked."""
    url = make_url("postgresql+psycopg://player@localhost/x").set(password=password)
    text = url.render_as_string(hide_password=False)
    masked = hide_password(f"cannot connect to {text} with password {password}", with_database(settings, text))

    assert password not in masked
    assert "***" in masked


def test_a_batch_has_a_size(settings: Settings) -> None:
    """Huge rows are not all taken into memory at once."""
    writer = Writer(settings)
    writer.put_predictions([prediction(str(i), features={"x": "y" * 3_000_000}) for i in range(5)])

    assert [1, 2, 3] == [row.n for row in writer.spool.waiting(1000)]
    assert isinstance(writer.spool.waiting(1)[0], Row)
    writer.stop()


def test_after_an_outage_batches_grow_again(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first row goes alone, to see whether the database is well; what waits for an hour does not go row by row."""
    writer, sizes, real = Writer(settings), list[int](), statements.send

    def send(engine: object, rows: list[Row]) -> object:
        if len(sizes) < 12:
            sizes.append(0)
            raise OSError("the database is away")
        sizes.append(len(rows))
        return real(engine, rows)  # type: ignore[arg-type]

    writer.put_predictions([prediction(str(number)) for number in range(3000)])
    monkeypatch.setattr(shipper, "send", send)
    while writer.status()["spooled"]:
        writer.ship()
    writer.stop()

    assert [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000] == [size for size in sizes if size][:11]
    assert [(3000,)] == select(settings, "SELECT count(*) FROM predictions")
