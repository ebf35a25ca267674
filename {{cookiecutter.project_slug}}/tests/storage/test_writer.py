"""Rows are durable when the call returns, once each, and every label finds its place."""

from collections.abc import Iterator
from dataclasses import replace
from threading import Thread
from typing import Any

import pytest

from player.config import Settings
from player.storage import queries
from player.storage.columns import to_json
from player.storage.tables import create_engine_for
from player.storage.writer import Writer
from tests.storage_rows import find, label, prediction, select, with_storage


@pytest.fixture(name="writer")
def _writer(settings: Settings) -> Iterator[Writer]:
    """A writer that ships only when it is told to."""
    writer = Writer(settings)
    yield writer
    writer.stop()


def test_a_row_is_found_again_as_it_was(writer: Writer) -> None:
    """What was put is what is found, by its id."""
    row = prediction("a", features={"age": None, "name": "Zoë\x00\ud800", "list": [1, {"x": 2.5}]}, warnings=["odd"])

    assert row == writer.put_prediction(row)
    assert row == find(writer, "a")
    assert find(writer, "b") is None


def test_the_first_row_with_an_id_stays(writer: Writer, settings: Settings) -> None:
    """The same id again gives the first row back, also from another process, and there is one row in the end."""
    other = Writer(settings)
    first = writer.put_prediction(prediction("a", pred=1))

    assert first == other.put_prediction(prediction("a", pred=0))
    assert first == find(other, "a")
    other.stop()
    writer.ship()
    assert [("a", "1")] == select(settings, "SELECT request_id, pred FROM predictions")


def test_many_rows_at_once_keep_their_order(writer: Writer) -> None:
    """A list of rows comes back in its order; a repeated id gives the first row."""
    rows = [prediction(str(i % 700), pred=i) for i in range(1200)]

    kept = writer.put_predictions(rows)

    assert [i % 700 for i in range(1200)] == [row.pred for row in kept]


def test_threads_do_not_disturb_each_other(writer: Writer) -> None:
    """Eight threads that write the same ids get the same answers."""
    answers: list[dict[str, Any]] = []

    def put(thread: int) -> None:
        answers.append({str(i): writer.put_prediction(prediction(str(i), pred=thread)).pred for i in range(50)})

    threads = [Thread(target=put, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [answers[0]] * 8 == answers
    assert writer.status()["spooled"] == 50


@pytest.mark.parametrize("odd", ["", "\0", "\ud800", "a\\0", "a\0", "\\", "x" * 5000, "x" * 5001, "1' OR '1'='1", "名"])
def test_any_text_is_an_id(writer: Writer, settings: Settings, odd: str) -> None:
    """Ids that no database can hold as they are, are kept apart and found again."""
    others = [writer.put_prediction(prediction(text, pred=0)) for text in ("a\\\\0", "x" * 5002, "normal")]
    row = writer.put_prediction(prediction(odd, client=odd, model=odd))

    assert writer.put_labels([label(odd, 1)]) == ["stored"]
    assert find(writer, odd) is not None
    assert row.pred == 1
    assert writer.ship() == len(others) + 2
    assert writer.put_labels([label(odd, 0)]) == ["contradicts"]


@pytest.mark.parametrize(
    "odd",
    [float("nan"), float("inf"), 10**4000, 10**6000, {1, 2}, object, b"\xff"],
    ids=["nan", "infinity", "4001 digits", "6001 digits", "set", "class", "bytes"],
)
def test_a_value_that_is_no_json_does_not_stop_the_row(writer: Writer, settings: Settings, odd: Any) -> None:
    """What a row holds can never be a reason not to keep it."""
    writer.put_prediction(prediction("a", features={"odd": odd}, proba=float("nan")))

    assert writer.ship() == 1
    assert [("a", None)] == select(settings, "SELECT request_id, proba FROM predictions")


def test_each_label_is_told_what_became_of_it(writer: Writer, settings: Settings) -> None:
    """The first label is the truth; the same again is a duplicate, another one contradicts and is kept as history."""
    writer.put_prediction(prediction("a"))

    statuses = writer.put_labels([label("a", 1), label("a", 1), label("a", 0), label("later", 0), label("later", 1)])

    assert statuses == ["stored", "duplicate", "contradicts", "early", "contradicts"]
    writer.ship()
    kept = select(settings, "SELECT request_id, label, status FROM labels ORDER BY request_id, status")
    assert kept == [("a", "0", "contradicts"), ("a", "1", "stored"), ("later", "1", "contradicts"),
                    ("later", "0", "early")]  # fmt: skip


def test_a_label_that_cannot_be_a_class_is_never_the_truth(writer: Writer, settings: Settings) -> None:
    """It is kept as history, also when it comes first; the right one, which comes later, is the truth."""
    writer.put_prediction(prediction("a"))
    wrong = replace(label("a", "n/a"), strange=True)

    assert ["unknown class", "stored", "unknown class"] == writer.put_labels(
        [wrong, label("a", 1), replace(wrong, id="b")]
    )
    assert ["unknown class", "early"] == writer.put_labels(
        [replace(label("later", ""), strange=True), label("later", 0)]
    )

    writer.ship()
    assert ["1"] == list(queries.recent(create_engine_for(settings), 10)["label"].map(to_json))
    assert [(5,)] == select(settings, "SELECT count(*) FROM labels")


def test_an_early_label_is_the_truth_when_its_prediction_comes(writer: Writer) -> None:
    """A label may come first; then the prediction finds it."""
    assert writer.put_labels([label("a", 1)]) == ["early"]
    writer.put_prediction(prediction("a"))

    assert writer.put_labels([label("a", 1), label("a", 0)]) == ["duplicate", "contradicts"]


def test_a_label_of_nothing_is_unknown_where_early_ones_are_not_taken(settings: Settings) -> None:
    """Without early labels, an id that neither the spool nor the database knows is kept, but never as the truth."""
    writer = Writer(settings, early_labels=False)
    assert writer.put_labels([label("a", 0)]) == ["early"]  # the database was not reached yet, so nobody can tell
    writer.ship()

    assert writer.put_labels([label("b", 0)]) == ["unknown"]
    writer.put_prediction(prediction("b"))
    assert writer.put_labels([label("b", 1)]) == ["stored"]
    writer.stop()


def test_labels_of_old_predictions_are_compared_in_the_database(writer: Writer, settings: Settings) -> None:
    """When the spool has forgotten a prediction, the database still knows it and its label."""
    writer.put_predictions([prediction("a"), prediction("b"), prediction("c\0")])
    writer.put_labels([label("a", 1)])
    writer.ship()
    writer.spool.write(lambda connection: connection.execute("DELETE FROM rows"))

    statuses = writer.put_labels([label("a", 1), label("a", 0), label("b", 0), label("c\0", 0), label("d", 1)])

    assert statuses == ["duplicate", "contradicts", "stored", "stored", "early"]


def test_what_was_put_is_shipped_by_the_thread(settings: Settings) -> None:
    """A started writer needs nobody to tell it, and stopping ships the rest."""
    writer = Writer(with_storage(settings, ship_seconds=3600.0))
    writer.start()
    writer.put_prediction(prediction("a"))
    writer.stop()

    assert [("a",)] == select(settings, "SELECT request_id FROM predictions")


def test_old_rows_are_forgotten_everywhere(settings: Settings) -> None:
    """With `keep_days` rows older than that leave the database and the spool."""
    writer = Writer(with_storage(settings, keep_days=1))
    long_ago, in_the_future = -60 * 24 * 365, 60 * 24 * 365 * 100
    writer.put_predictions([prediction("old", long_ago), prediction("new", in_the_future)])
    writer.put_labels([label("old", 1, long_ago)])
    writer.ship()

    assert [("new",)] == select(settings, "SELECT request_id FROM predictions")
    assert [] == select(settings, "SELECT id FROM labels")
    assert find(writer, "old") is None
    assert find(writer, "new") is not None
    writer.stop()
