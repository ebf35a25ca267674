"""The table of the history, on both kinds of database."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from player.config import Settings
from player.storage import chapters
from player.storage.migrations import upgrade
from player.storage.tables import create_engine_for
from player.storage.writer import Writer
from tests.postgres import _postgres, _postgres_url  # noqa: F401 - fixtures
from tests.storage_rows import NOON, label, prediction, with_database


@pytest.fixture(name="engine", params=["sqlite", "postgresql"])
def _engine(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Engine]:
    """Each kind of database with five predictions, a minute apart, the second one labelled."""
    if request.param == "postgresql":
        settings = with_database(settings, request.getfixturevalue("postgres_url"))
    upgrade(settings)
    writer = Writer(settings)
    writer.put_predictions([prediction(name, minute) for minute, name in enumerate("abcde")])
    writer.put_labels([label("b", 1, 10)])
    writer.ship()
    writer.stop()
    engine = create_engine_for(settings)
    yield engine
    engine.dispose()


def chapter(hour: int, look_at: datetime | None = None, **changes: Any) -> dict[str, Any]:
    """Return the columns of a chapter that began so many hours after noon and took half an hour."""
    began = NOON + timedelta(hours=hour)
    return {"began_at": began, "ended_at": began + timedelta(minutes=30), "look_at": look_at, "rows": 10, "labelled": 5,
            "correct": 4, "expected": 0.8, "model": "m1", "state": "ok", "title": "all well", "pieces": [[1, 2]],
            "story": {"sentence": f"of hour {hour}"}, "features": {"age": [0.1, 0.0]}, **changes}  # fmt: skip


def test_before_the_first_one_there_is_nothing(engine: Engine) -> None:
    """The first chapter begins at the beginning of time."""
    assert (0, chapters.BEGINNING) == chapters.last(engine)
    assert ((0, 0, 0), [], []) == (
        chapters.totals(engine), chapters.listing(engine, None, None, 9), chapters.to_look_at(engine, None, 9)
    )  # fmt: skip


def test_the_end_of_the_next_one_is_that_of_its_last_row(engine: Engine) -> None:
    """Counted from a time; None when there are not so many rows."""
    newest = NOON + timedelta(minutes=4)

    assert (NOON + timedelta(minutes=2), newest) == chapters.end_of_next(engine, chapters.BEGINNING, 3)
    assert (newest, newest) == chapters.end_of_next(engine, NOON + timedelta(minutes=2), 2)
    assert (None, newest) == chapters.end_of_next(engine, NOON + timedelta(minutes=2), 3)


def test_its_rows_come_oldest_first_with_their_labels(engine: Engine) -> None:
    """Those after a time, up to and with another, at most so many."""
    found = chapters.rows_between(engine, NOON, NOON + timedelta(minutes=3), 9)

    assert ["b", "c", "d"] == list(found["request_id"])
    assert [1, None, None] == list(found["label"])
    assert ["a", "b"] == list(chapters.rows_between(engine, chapters.BEGINNING, None, 2)["request_id"])


def test_a_chapter_is_written_once(engine: Engine) -> None:
    """Who comes second changes nothing; an open one may be changed until it is closed."""
    chapters.add(engine, 1, chapter(0, look_at=NOON))
    chapters.add(engine, 1, chapter(5, correct=0))
    chapters.change(engine, 1, {"correct": 3, "look_at": None})
    chapters.change(engine, 1, {"correct": 0})

    found = chapters.listing(engine, None, None, 9)
    assert [(1, NOON, 3)] == [(one["number"], one["began_at"], one["correct"]) for one in found]
    assert {1: [[1, 2]]} == chapters.details(engine, "pieces", [1])
    assert (1, NOON + timedelta(minutes=30)) == chapters.last(engine)


def test_the_newest_of_a_span_are_listed(engine: Engine) -> None:
    """Those that reach into it, oldest first."""
    for hour in range(5):
        chapters.add(engine, hour + 1, chapter(hour))
    at = [NOON + timedelta(hours=hour, minutes=15) for hour in range(5)]

    assert [2, 3] == [one["number"] for one in chapters.listing(engine, at[1], at[2], 9)]
    assert [4, 5] == [one["number"] for one in chapters.listing(engine, None, None, 2)]
    assert (50, 25, 20) == chapters.totals(engine)


def test_what_is_long_is_read_of_those_that_are_shown(engine: Engine) -> None:
    """Words, or the figures of features."""
    for hour in range(3):
        chapters.add(engine, hour + 1, chapter(hour))

    assert {2: {"sentence": "of hour 1"}} == chapters.details(engine, "story", [2, 7])
    assert {1: {"age": [0.1, 0.0]}} == chapters.details(engine, "features", [1])


def test_those_that_wait_for_labels_are_looked_at_in_time(engine: Engine) -> None:
    """The oldest first, or all of them; never one that is closed."""
    for number, look_at in ((1, None), (2, NOON + timedelta(hours=2)), (3, NOON), (4, NOON)):
        chapters.add(engine, number, chapter(number, look_at=look_at))

    assert [3, 4] == [one["number"] for one in chapters.to_look_at(engine, NOON, 9)]
    assert [2] == [one["number"] for one in chapters.to_look_at(engine, None, 1)]
