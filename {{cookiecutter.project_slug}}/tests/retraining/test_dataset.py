"""What is learned from: training data and collected rows as one table."""

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from storage_rows import NOON, label, prediction

from player.config import Settings
from player.errors import DataError
from player.features import Schema
from player.repair import Feature
from player.retraining import dataset
from player.retraining.dataset import Past, find_leaks, lessons, unseen, usable, widened
from player.storage.migrations import upgrade
from player.storage.tables import create_engine_for
from player.storage.writer import Writer

AGE = Feature("age", "number", low=20.0, high=60.0)
HOME = Feature("home", "category", categories=("own", "rent"))
SCHEMA = Schema((AGE, HOME), "repaid")
TABLE = pd.DataFrame({"age": [20.0, 40.0, 60.0], "home": ["own", "rent", "own"]})
PAST = Past(TABLE, np.array([0, 1, 1]), SCHEMA, {})


def collected(*features: dict[str, Any]) -> pd.DataFrame:
    """Return labelled rows with these features, as `read_labelled` gives them."""
    return pd.DataFrame({"features": features, "label": [row % 2 for row in range(len(features))]})


def test_only_labels_that_the_model_knows_are_used() -> None:
    """However they were written; the rows are numbered anew."""
    rows = usable(pd.DataFrame({"label": ["1", 2, None, False], "n": range(4)}), [0, 1])

    assert ([1, 0], [0, 3], [0, 1]) == (rows["label"].tolist(), rows["n"].tolist(), list(rows.index))


def test_a_row_that_came_before_is_no_news() -> None:
    """Neither one of the training data nor the second of two; what is left is numbered anew."""
    rows, sentence = unseen(
        PAST, collected({"age": 20, "home": "own"}, {"age": 30, "home": "own"}, {"age": 30, "home": "OWN"})
    )

    assert ([{"age": 30, "home": "own"}], [0]) == (rows["features"].tolist(), list(rows.index))
    assert ["features", "label"] == list(rows.columns)
    assert "2 of 3 labelled rows came before, in training or as requests; each counts once." == sentence


def test_a_row_with_one_value_changed_is_no_news() -> None:
    """As when a unit changes or a text is written otherwise; with two it is another one."""
    rng = np.random.default_rng(1)
    names = ["a", "b", "c"]
    table = pd.DataFrame(rng.normal(size=(50, 3)), columns=names)
    past = Past(table, np.array([0, 1] * 25), Schema(tuple(Feature(n, "number", -9, 9) for n in names), "y"), {})
    asked = table.iloc[:9].assign(a=lambda t: t["a"] / 1000)
    asked.iloc[8, 1] = None
    rows, _ = unseen(past, collected(*asked.to_dict("records"), {"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 2}))

    assert [asked.iloc[8]["c"], 3] == [row["c"] for row in rows["features"]]


def test_new_rows_are_left_alone() -> None:
    """Then there is nothing to say."""
    given = collected({"age": 30, "home": "own"}, {"age": 31, "home": "own"})
    rows, sentence = unseen(PAST, given)

    assert (2, "") == (len(rows), sentence)


def test_where_rows_repeat_by_nature_each_counts() -> None:
    """A few categories leave no room for differences: more than a fifth of the training rows came twice."""
    past = Past(pd.concat([TABLE, TABLE[:1]]), np.array([0, 1, 1, 0]), SCHEMA, {})
    rows, sentence = unseen(past, collected({"age": 20, "home": "own"}))

    assert (1, "") == (len(rows), sentence)


@pytest.mark.parametrize(("times", "categories"), [(9, ("own", "rent")), (10, ("boat", "own", "rent"))])
def test_a_category_that_comes_often_is_a_new_one(times: int, categories: tuple[str, ...]) -> None:
    """A rare one is a mistake of the sender, and missing."""
    learned = lessons(PAST, collected(*[{"age": 70, "home": "boat"}] * times))

    assert categories == learned.schema.features[1].categories
    assert ("boat" in categories) == (learned.table["home"][3:] == "boat").all()
    assert (times < 10) == learned.table["home"][3:].isna().all()


def test_training_data_comes_first() -> None:
    """Everything is in time order, the truth beside it, and the ranges hold what came."""
    learned = lessons(PAST, collected({"age": 70, "home": "own"}, {"age": 10, "home": "rent"}))

    assert [20, 40, 60, 70, 10] == learned.table["age"].tolist()
    assert ([0, 1, 1, 0, 1], [0, 1, 2, 3, 4]) == (learned.truth.tolist(), list(learned.table.index))
    assert (10.0, 70.0) == (learned.schema.features[0].low, learned.schema.features[0].high)
    assert [20, 40] == learned.first(2).table["age"].tolist()
    assert [0, 1] == learned.first(2).truth.tolist()


def test_a_column_without_a_value_keeps_its_range() -> None:
    """Nothing was seen that could widen it."""
    assert AGE == widened(SCHEMA, pd.DataFrame({"age": [np.nan], "home": ["own"]})).features[0]


@pytest.mark.parametrize(("requests", "refused"), [(49, False), (50, True)])
def test_fifty_requests_show_which_columns_there_are(
    requests: int, refused: bool, settings: Settings, table: pd.DataFrame
) -> None:
    """Fewer say nothing."""
    unasked = str(table.columns[-3])
    asked = [dict.fromkeys(table.columns.difference([unasked]), 1)] * requests
    truth = table["repaid"].to_numpy()

    assert [unasked] * refused == list(find_leaks(table, truth, asked, settings.data))


def test_requests_of_another_world_are_no_reason_to_learn_from_nothing(settings: Settings, table: pd.DataFrame) -> None:
    """When no column was ever asked for, the configuration is wrong."""
    with pytest.raises(DataError, match="No column of the training table was ever in a request"):
        find_leaks(table, table["repaid"].to_numpy(), [{"x": 1}] * 50, settings.data)


@pytest.fixture(name="stored")
def _stored(settings: Settings) -> Settings:
    """A database with three labelled requests: the first got its label last, the last one before it was asked."""
    upgrade(settings)
    writer = Writer(settings)
    writer.start()
    writer.put_predictions([prediction("a", 0), prediction("b", 1), prediction("c", 2)])
    writer.put_labels([label("a", 1, 9), label("b", 1, 3), label("c", 0, 1)])
    writer.stop()
    return settings


def test_rows_come_in_the_order_they_became_known(stored: Settings) -> None:
    """Known is a row when both its request and its label are."""
    engine = create_engine_for(stored)
    rows = dataset.read_labelled(engine)
    engine.dispose()

    assert (["c", "b", "a"], [0, 1, 2]) == (rows["request_id"].tolist(), list(rows.index))
    assert [NOON + timedelta(minutes=minute) for minute in (2, 3, 9)] == rows["known_at"].tolist()


def test_of_many_rows_the_newest_are_read(stored: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest costs memory and says little about today."""
    monkeypatch.setattr(dataset, "MOST_ROWS", 1)
    engine = create_engine_for(stored)
    rows = dataset.read_labelled(engine)
    engine.dispose()

    assert "a" not in rows["request_id"].tolist()
    assert "c" in rows["request_id"].tolist()


def test_of_many_labels_the_last_ones_are_read(stored: Settings) -> None:
    """However late: that of the oldest request came last."""
    engine = create_engine_for(stored)
    found = [dataset.read_last_labelled(engine, count)["request_id"].tolist() for count in (1, 2, 9)]
    engine.dispose()

    assert [["a"], ["b", "a"], ["c", "b", "a"]] == found


def test_senders_are_asked_for_of_the_rows_that_are_read(stored: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of a million older ones would only take time."""
    monkeypatch.setattr(dataset, "MOST_ROWS", 1)
    engine = create_engine_for(stored)
    senders = dataset.read_senders(engine)
    engine.dispose()

    assert {"b": "customer", "c": "customer"} == senders


def test_the_sender_of_a_label_is_known(stored: Settings) -> None:
    """By the id of the request."""
    engine = create_engine_for(stored)
    senders = dataset.read_senders(engine)
    engine.dispose()

    assert {"a": "customer", "b": "customer", "c": "customer"} == senders
