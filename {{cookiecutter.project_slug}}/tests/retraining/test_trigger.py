"""When it is time to retrain."""

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from player.config import Settings
from player.retraining import trigger


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
