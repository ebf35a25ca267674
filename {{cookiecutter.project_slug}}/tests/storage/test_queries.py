"""What the pages, the training and the reports read from the database."""

from collections.abc import Iterator
from datetime import UTC, timedelta

import pandas as pd
import pytest
from sqlalchemy import Engine

from player.config import Settings
from player.storage import queries
from player.storage.migrations import upgrade
from player.storage.tables import create_engine_for
from player.storage.writer import Writer
from tests.postgres import _postgres, _postgres_url  # noqa: F401 - fixtures
from tests.storage_rows import NOON, label, prediction, with_database


@pytest.fixture(name="engine", params=["sqlite", "postgresql"])
def _engine(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Engine]:
    """Each kind of database with four predictions: `a` and `d` have true labels, `b` a label that is history."""
    if request.param == "postgresql":
        settings = with_database(settings, request.getfixturevalue("postgres_url"))
    writer = Writer(settings)
    writer.put_labels([label("d", "early", 0), label("nothing", 1, 0)])
    writer.put_predictions([prediction(name, minute) for minute, name in enumerate("abcd")])
    writer.put_predictions([prediction("e", 4, degraded=True, proba=float("nan"))])
    writer.put_labels([label("a", 1, 11), label("a", 0, 10), label("a", 1, 12), label("d", "late", 12)])
    writer.ship()
    assert writer.status()["spooled"] == 0
    writer.stop()
    engine = create_engine_for(settings)
    yield engine
    engine.dispose()


def test_recent_rows_come_newest_first_with_their_true_label(engine: Engine) -> None:
    """The first label that can be the truth stands beside its prediction; contradictions never do."""
    table = queries.recent(engine, limit=4)

    assert ["e", "d", "c", "b"] == list(table["request_id"])
    assert [None, "early", None, None] == list(table["label"])
    assert {"age": 42, "home": "rent"} == table["features"][0]
    assert [] == table["warnings"][0]
    assert [True, False, False, False] == list(table["degraded"])
    assert pd.isna(table["proba"][0])
    assert NOON + timedelta(minutes=4) == table["received_at"][0]
    assert pd.Timestamp(NOON) == table["label_at"][1]
    assert str(table["received_at"].dt.tz) == str(UTC)


def test_recent_rows_can_begin_at_a_time(engine: Engine) -> None:
    """*since* belongs to what is returned."""
    assert ["e", "d"] == list(queries.recent(engine, limit=100, since=NOON + timedelta(minutes=3))["request_id"])


def test_recent_rows_are_as_many_as_have_room(engine: Engine) -> None:
    """The newest ones whose features and warnings have at most so many bytes together."""
    one = len('{"age": 42, "home": "rent"}[]')

    assert ["e", "d"] == list(queries.recent(engine, 100, most_bytes=3 * one - 1)["request_id"])
    assert ["e", "d", "c"] == list(queries.recent(engine, 3, most_bytes=5 * one)["request_id"])
    assert queries.recent(engine, 100, most_bytes=one - 1).empty


def test_labelled_rows_come_oldest_first(engine: Engine) -> None:
    """What can be learnt from, in the order in which it happened."""
    table = queries.labelled(engine)

    assert [("a", 1), ("d", "early")] == list(zip(table["request_id"], table["label"], strict=True))
    assert ["d"] == list(queries.labelled(engine, since=NOON + timedelta(minutes=1))["request_id"])


def test_an_empty_database_gives_empty_tables(settings: Settings) -> None:
    """Before the first request there are columns and no rows."""
    upgrade(settings)
    engine = create_engine_for(settings)

    table = queries.recent(engine, limit=10)

    assert list(queries.COLUMNS) == list(table.columns)
    assert len(table) == len(queries.labelled(engine)) == len(queries.models(engine)) == 0
    assert table["received_at"].dt.tz is not None


def test_models_are_recorded_once(engine: Engine) -> None:
    """The first record of a version stays."""
    record = {"version": "v1", "created_at": NOON, "sha256": "ab", "rows": 10, "metrics": {"auc": 0.8}, "note": "",
              "environment": "testing"}  # fmt: skip
    queries.add_model(engine, **record)
    queries.add_model(engine, **{**record, "rows": 11})
    queries.add_model(engine, **{**record, "version": "v2", "created_at": NOON + timedelta(days=1)})

    table = queries.models(engine)

    assert ["v2", "v1"] == list(table["version"])
    assert [10, 10] == list(table["rows"])
    assert {"auc": 0.8} == table["metrics"][0]
