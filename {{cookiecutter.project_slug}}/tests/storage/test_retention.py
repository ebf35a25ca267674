"""What is too old is gone: from the database, from the spool, and from the disk."""

import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from player.config import Settings
from player.storage import queries, retention
from player.storage.tables import create_engine_for
from player.storage.writer import LabelRow, Writer
from tests.postgres import _postgres, _postgres_url  # noqa: F401 - fixtures
from tests.storage_rows import NOON, count, find, label, prediction, select, with_database, with_storage

OLD, NEW = datetime.now(UTC) - timedelta(days=100), datetime.now(UTC)


@pytest.fixture(name="either", params=["sqlite", "postgresql"])
def _either(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Settings]:
    """Settings on each of the two databases."""
    yield with_database(settings, request.getfixturevalue("postgres_url")) if "p" in request.param else settings


def keep(settings: Settings, days: int) -> Settings:
    """Return *settings* that keep rows for so many days."""
    return with_storage(settings, keep_days=days)


def test_predictions_go_with_all_their_labels(either: Settings) -> None:
    """Those from before the time go, here and in the spool, also a label that came later; the others stay."""
    writer = Writer(either)
    writer.put_predictions([prediction(name, minute) for minute, name in enumerate("abc")])
    writer.put_labels([label("a", 1, 10), label("b", 1, 10), label("c", 0, 10), label("nothing", 0, 0)])
    writer.ship()
    engine = create_engine_for(either)
    deleted = retention.forget(engine, writer.spool, NOON + timedelta(minutes=2))

    assert 2 + 3 == deleted
    assert ["c"] == list(queries.recent(engine, 10)["request_id"])
    assert (1, 1) == count(engine)
    assert find(writer, "a") is None
    assert find(writer, "c") is not None
    assert [(2,)] == writer.spool.read("SELECT count(*) FROM rows")
    engine.dispose()
    writer.stop()


def test_a_running_service_forgets_by_itself(either: Settings) -> None:
    """The shipper does it; rows of today are not touched."""
    writer = Writer(keep(either, 90))
    writer.put_predictions([prediction("old"), prediction("new")])
    writer.ship()
    writer.stop()
    age = {"old": OLD, "new": NEW}
    writer = Writer(keep(either, 90))
    writer.put_predictions([row_at(f"{name}2", at) for name, at in age.items()])
    writer.ship()

    assert [("new2",)] == select(either, "SELECT request_id FROM predictions WHERE request_id LIKE '%2'")
    writer.stop()


def row_at(name: str, at: datetime) -> object:
    """Return a prediction received at *at*."""
    return prediction(name, (at - NOON).total_seconds() / 60)


def test_no_byte_of_a_deleted_applicant_is_left(settings: Settings) -> None:
    """Neither the database nor the spool nor one of their logs still holds what was deleted."""
    kept, gone = "Xkeptmarker", "Xgonemarker"
    strict = keep(settings, 90)
    writer = Writer(strict)
    writer.put_predictions([prediction("new", (NEW - NOON).total_seconds() / 60, features={"name": kept})])
    old = (OLD - NOON).total_seconds() / 60
    writer.put_predictions([prediction(f"old{n}", old, features={"name": gone, "n": n}) for n in range(300)])
    writer.put_labels([LabelRow(f"l{n}", f"old{n}", gone, NEW, gone) for n in range(300)])
    assert gone.encode() in everything(settings.home / "output")
    writer.ship()
    writer.stop()
    writer = Writer(strict)  # the next start of the service
    writer.start()
    writer.stop()

    assert gone.encode() not in everything(settings.home / "output")
    assert kept.encode() in everything(settings.home / "output")


def test_what_the_database_refused_goes_too(settings: Settings) -> None:
    """Rows set aside are as old as they say; one that says nothing is old, one of today stays."""
    writer = Writer(keep(settings, 90))
    writer.start()
    rows = [(1, json.dumps({"received_at": at.isoformat()})) for at in (OLD,)]
    rows += [(2, json.dumps({"received_at": NEW.isoformat()})), (3, "{}"), (4, "no JSON")]
    insert = "INSERT INTO aside (n, kind, body, reason) VALUES (?, 'prediction', ?, 'x')"
    writer.spool.write(lambda c: c.executemany(insert, rows))
    writer.spool.forget((NEW - timedelta(days=90)).timestamp())

    assert [2] == [row.n for row in writer.spool.set_aside()]
    writer.stop()


def test_a_damaged_spool_is_not_kept_for_ever(settings: Settings) -> None:
    """The copy that was set aside holds rows too; other files of the folder are nobody's to delete."""
    output = settings.home / "output"
    damaged, other = output / "testing-spool.db.damaged-20260101-000000-wal", output / "report.html"
    for path in (damaged, other):
        path.touch()
        then = time.time() - 91 * retention.DAY
        os.utime(path, (then, then))
    writer = Writer(keep(settings, 90))
    writer.start()
    writer.ship()
    writer.stop()

    assert (False, True) == (damaged.exists(), other.exists())


def everything(folder: Path) -> bytes:
    """Return the content of all files."""
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_old_files_go_too(settings: Settings, tmp_path: Path) -> None:
    """A backup would bring everything back; without a limit all of them stay."""
    for name, days in (("old", 91), ("new", 89)):
        (tmp_path / name).touch()
        then = time.time() - days * retention.DAY
        os.utime(tmp_path / name, (then, then))

    retention.forget_files(settings, tmp_path)
    assert {"old", "new"} <= {path.name for path in tmp_path.iterdir()}
    retention.forget_files(keep(settings, 90), tmp_path)
    assert "old" not in {path.name for path in tmp_path.iterdir()}
    assert (tmp_path / "new").exists()
