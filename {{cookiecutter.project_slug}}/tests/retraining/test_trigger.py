"""When it is time to retrain."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from player.config import Settings
from player.features import Schema
from player.repair import Feature
from player.retraining import trigger
from player.storage.migrations import upgrade
from player.storage.tables import create_engine_for
from player.storage.writer import Writer
from tests.storage_rows import NOON, label, prediction


def model(**metrics: float) -> Any:
    """Return what is looked at of a manifest."""
    return SimpleNamespace(metrics=metrics, version="v", profile={})


def found(state: str = "ok", high: float | None = None) -> Any:
    """Return what is looked at of a report; *high* is the upper end of the accuracy."""
    accuracy = None if high is None else SimpleNamespace(high=high)
    diagnosis = SimpleNamespace(state=state, title="Shift", sentence="age fell.")
    return SimpleNamespace(diagnosis=diagnosis, figures=SimpleNamespace(accuracy=accuracy))


@pytest.mark.parametrize(("fresh", "due"), [(4, False), (5, True), (9, True)])
def test_half_as_many_rows_again_are_worth_another_look(fresh: int, due: bool) -> None:
    """A model of ten collected rows learns again from five more."""
    reason = trigger.young(fresh, model(collected_rows=10))

    assert (f"the model learned from 10 collected rows, {fresh} more are there" if due else "") == reason


def test_a_model_of_the_training_table_is_not_young() -> None:
    """How many rows come says nothing about it."""
    assert "" == trigger.young(1000, model())


@pytest.mark.parametrize("state", ["warn", "alarm"])
def test_a_diagnosis_is_a_reason(state: str) -> None:
    """In the words of the diagnosis."""
    assert "Shift: age fell." == trigger.worse(found(state), model())


@pytest.mark.parametrize(
    ("high", "before", "reason"),
    [
        (0.79, 0.8, "accuracy is at most 79%, it was 80% in training"),
        (0.8, 0.8, ""),
        (None, 0.8, ""),
    ],
)
def test_an_accuracy_below_that_of_training_is_a_reason(high: float | None, before: float, reason: str) -> None:
    """Only when its whole interval is below."""
    assert reason == trigger.worse(found("ok", high), model(accuracy=before))
    assert "" == trigger.worse(found("ok", high), model())


@pytest.mark.parametrize(("fresh", "due"), [(99, False), (100, True)])
def test_without_enough_new_labels_nothing_is_looked_at(
    fresh: int, due: bool, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A challenger could not be judged anyway: that takes twice fifty rows."""
    monkeypatch.setattr(trigger, "report", lambda *_: found("alarm"))
    rows = pd.DataFrame({"model": ["v"] * fresh})

    assert due == bool(trigger.reason_to_retrain(rows, fresh, model(), settings.monitoring))


def test_the_newest_rows_of_the_model_are_looked_at(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Older ones, and those of the model before, hide a change."""
    seen: list[list[int]] = []
    monkeypatch.setattr(trigger, "report", lambda rows, *_: seen.append(rows["n"].tolist()) or found())
    rows = pd.DataFrame({"model": ["v"] * 300 + ["before"] * 10, "n": range(310)})

    assert "" == trigger.reason_to_retrain(rows, 310, model(), settings.monitoring)
    assert [list(range(100, 300))] == seen
    assert 200 == settings.monitoring.min_rows


@pytest.mark.parametrize(
    ("metrics", "fresh"), [({}, 3), ({"collected_rows": 2.0}, 1)], ids=["of the training table", "retrained"]
)
def test_the_newest_labels_are_looked_at(
    metrics: dict[str, float], fresh: int, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted are those that the model cannot have learned from; read are rows of its table with a class it knows."""
    upgrade(settings)
    writer = Writer(settings)
    writer.start()
    rows = [prediction(name, features={"x": 1}) for name in "abc"] + [prediction("foreign", features={"y": 1})]
    writer.put_predictions(rows)
    writer.put_labels([label("a", 1, 1), label("b", 0, 2), label("c", 1, 3), label("foreign", 1, 0)])
    writer.stop()
    asked: list[Any] = []
    monkeypatch.setattr(trigger, "MOST_ROWS", 3)
    monkeypatch.setattr(trigger, "reason_to_retrain", lambda *given: asked.append(given) or "why")
    schema = Schema((Feature("x", "number", low=0, high=1),), "label").to_dict()
    manifest: Any = SimpleNamespace(
        metrics=metrics, schema=schema, classes=[0, 1], created_at=(NOON + timedelta(minutes=2)).isoformat()
    )
    engine = create_engine_for(settings)
    found = trigger.look(engine, manifest, settings.monitoring)
    engine.dispose()

    assert (fresh, "why") == found
    assert ["a", "b", "c"] == asked[0][0]["request_id"].tolist()
    assert (fresh, manifest, settings.monitoring) == asked[0][1:]
