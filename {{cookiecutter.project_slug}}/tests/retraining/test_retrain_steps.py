"""The steps of a retraining, one by one."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier

from player.config import Settings
from player.errors import StorageError
from player.features import Schema
from player.model.champion_challenger import Comparison
from player.repair import Feature
from player.retraining import dataset, retrain
from player.retraining.choosing import Contest, Lessons
from player.retraining.dataset import Past
from player.retraining.recipes import Recipe
from player.training import EXAMPLES

SCHEMA = Schema((Feature("x", "number", high=1000.0),), "y")
MADE = datetime(2026, 1, 1, tzinfo=UTC)


def recipe(window: int | None = None) -> Recipe:
    """Return a recipe that learns how frequent the classes are."""
    return Recipe("prior", lambda _: DummyClassifier(strategy="prior"), window)


def lessons(rows: int) -> Lessons:
    """Return numbered rows, every fourth of class 0."""
    return Lessons(pd.DataFrame({"x": np.arange(rows, dtype=float)}), (np.arange(rows) % 4 > 0).astype(int), SCHEMA)


def contest(better: bool = True, window: int | None = None) -> Contest:
    """Return a contest that was won or lost."""
    comparison = Comparison(100, 50, 60, 0.01 if better else -0.01, 0.1)
    return Contest(recipe(window), comparison, {"accuracy": 0.12345678}, [], 50)


@pytest.mark.parametrize(
    ("window", "collected", "rows", "counted"), [(None, 300, 1000, 300), (400, 300, 400, 300), (200, 300, 200, 200)]
)
def test_the_model_says_what_it_learned_from(window: int | None, collected: int, rows: int, counted: int) -> None:
    """All rows, or those of its window; and how many of them were collected."""
    trained = retrain.learn(contest(window=window), lessons(1000), collected)

    assert (rows, counted) == (trained.rows, trained.metrics["collected_rows"])
    assert 0.1235 == trained.metrics["accuracy"]
    assert ([0, 1], {"0": 0.25, "1": 0.75}) == (trained.classes, trained.prior)


def test_monitoring_compares_with_the_newest_rows_and_people_see_the_oldest() -> None:
    """500 newest make the profile; examples are of the training data."""
    trained = retrain.learn(contest(), lessons(1000), 300)

    assert (500, 500.0) == (trained.profile["rows"], trained.profile["features"]["x"]["low"])
    assert list(range(EXAMPLES)) == sorted(row["x"] for row in trained.examples)


@pytest.mark.parametrize(("won", "held"), [(1, [10]), (2, [10, 20]), (3, [10, 20, 30]), (9, [10, 20, 30])])
def test_contests_end_with_the_first_that_is_won(won: int, held: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """More rows are asked only while few leave a doubt."""
    sizes: list[int] = []

    def hold(*arguments: Any) -> Contest:
        sizes.append(arguments[-1])
        return contest(better=len(sizes) == won)

    monkeypatch.setattr(retrain, "look_sizes", lambda _: [10, 20, 30])
    monkeypatch.setattr(retrain, "hold", hold)

    assert len(held) == len(retrain.compete(lessons(10), np.array([True]), [recipe()], 1000))
    assert held == sizes


def test_a_model_of_the_training_table_has_seen_no_collected_row() -> None:
    """One that was retrained has seen what was known when it was made."""
    rows = pd.DataFrame({"known_at": [MADE - timedelta(1), MADE, MADE + timedelta(1), MADE + timedelta(2)]})
    fresh = [
        retrain.count_fresh(rows, SimpleNamespace(metrics=metrics, created_at=MADE.isoformat()))  # type: ignore[arg-type]
        for metrics in ({}, {"collected_rows": 2.0})
    ]

    assert [4, 2] == fresh


@pytest.mark.parametrize(("required", "left"), [(True, 60), (False, 120)])
def test_odd_senders_are_left_out_where_a_key_names_them(settings: Settings, required: bool, left: int) -> None:
    """Elsewhere an address proves nothing, so they are only reported."""
    access = settings.access.model_copy(update={"key_required": required})
    rows = pd.DataFrame({"request_id": [f"r{i}" for i in range(120)], "pred": 1, "label": [0, 1] * 60})
    senders = {f"r{i}": "odd" if i % 2 == 0 else "fine" for i in range(120)}
    found, warnings = retrain.without_odd_senders(rows, senders, 120, settings.model_copy(update={"access": access}))

    assert (left, list(range(left))) == (len(found), list(found.index))
    assert required == ("left out" in warnings[0])
    assert warnings[0].startswith("Sender odd: 100% of its 60 labels")


def test_only_the_newest_rows_say_who_is_odd(settings: Settings) -> None:
    """Who has learned better since is not left out."""
    rows = pd.DataFrame({"request_id": [f"r{i}" for i in range(220)], "pred": 1, "label": [0] * 100 + [1] * 120})
    senders = {f"r{i}": "once" if i < 100 or i % 2 else "fine" for i in range(220)}

    assert [] == retrain.without_odd_senders(rows, senders, 120, settings)[1]


def test_doubts_are_said() -> None:
    """Each refused column, and answers that never get a label; without doubts nothing."""
    past = Past(pd.DataFrame(), np.array([]), SCHEMA, {"late": "none of 50 requests had it"})

    assert [] == retrain.describe_doubts(Past(pd.DataFrame(), np.array([]), SCHEMA, {}), [])
    assert ["Column late is refused: none of 50 requests had it; name it in [data].not_at_request_time."] == (
        retrain.describe_doubts(past, [])
    )
    assert retrain.describe_doubts(past, ["0", "2"])[1].startswith("Selective labels: applicants answered 0, 2 hardly")


def test_the_champion_is_judged_on_the_newest_rows() -> None:
    """It is right where its answer means the label, in whatever form that came."""
    table = pd.DataFrame({"x": [0.0, 1.0]})
    champion: Any = SimpleNamespace(
        pipeline=DummyClassifier(strategy="constant", constant=1).fit(table, [0, 1]), schema=SCHEMA
    )
    rows = pd.DataFrame({"features": [{"x": 1}] * 4, "label": [1, 0, 1, "1"]})

    assert [False, True, True] == retrain.champion_is_right(champion, rows, 3).tolist()


def test_a_database_that_cannot_be_read_is_said_in_one_line(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without what it holds."""
    monkeypatch.setattr(retrain, "upgrade", lambda _: None)

    with (
        pytest.raises(StorageError, match=r"cannot be read: .*run `player db upgrade`"),
        retrain.database(settings) as engine,
    ):
        dataset.read_labelled(engine)
