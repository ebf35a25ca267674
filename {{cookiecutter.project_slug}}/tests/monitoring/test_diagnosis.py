"""The diagnosis names the cause that the game really had, and claims nothing without evidence."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from conftest import PROJECT

from customer import world
from player.config import Settings
from player.features import clean, to_table
from player.monitoring import diagnosis
from player.monitoring.evidence.relation import Direction, Relation
from player.monitoring.evidence.traces import Trace
from player.monitoring.evidence.weighing import Evidence
from player.monitoring.labels import Labels
from player.monitoring.reports import Report, report
from player.training import Trained

WORLD = world.chosen(PROJECT / "config" / "base.toml")
START = datetime(2026, 11, 23, 7, 22, 40, tzinfo=UTC)


def answered(trained: Trained, shift: str, rows: int = 500, seed: int = 1) -> pd.DataFrame:
    """Return *rows* cases of the customer's world with the model's answers and their labels."""
    people = WORLD.sample(np.random.default_rng(seed), rows, shift)
    features = [
        {str(name): None if pd.isna(value) else value for name, value in row.items()}
        for row in people[trained.schema.names].astype("object").to_dict("records")
    ]
    proba = trained.pipeline.predict_proba(
        to_table([clean(row, trained.schema)[0] for row in features], trained.schema)
    )
    return pd.DataFrame({
        "request_id": [f"r{i}" for i in range(rows)],
        "received_at": [START + timedelta(seconds=i) for i in range(rows)],
        "model": "m1", "pred": (proba[:, 1] > 0.5).astype(int), "proba": proba[:, 1], "degraded": False,
        "features": features, "warnings": [[]] * rows, "latency_ms": 5.0,
        "label": people[WORLD.label].astype("object"), "label_at": START + timedelta(seconds=rows),
    })  # fmt: skip


def diagnose(rows: pd.DataFrame, trained: Trained, settings: Settings) -> Report:
    """Return the report on *rows*."""
    return report(rows, trained.profile, settings.monitoring, trained.metrics)


CAUSES = [
    (world.AS_TRAINED, "all well", "ok"),
    (world.GATHERED_DIFFERENTLY, "data gathered differently", "alarm"),
    (world.ANOTHER_POPULATION, "another population", "alarm"),
    (world.ANOTHER_NATURE, "another nature", "alarm"),
]


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(("shift", "cause", "state"), CAUSES)
def test_each_cause_of_the_game_is_recognised(
    trained: Trained, settings: Settings, shift: str, cause: str, state: str, seed: int
) -> None:
    """From features, answers and labels alone the diagnosis finds what the customer changed."""
    found = diagnose(answered(trained, shift, seed=seed), trained, settings).diagnosis

    assert (found.cause, found.state) == (cause, state)


def test_what_changed_is_named(trained: Trained, settings: Settings) -> None:
    """The sentence names the unit and the category that changed, and the advice does not say to train again first."""
    found = diagnose(answered(trained, world.GATHERED_DIFFERENTLY), trained, settings).diagnosis

    usual, other = (WORLD.sample(np.random.default_rng(1), 500, shift) for shift in world.SHIFTS[::2])
    for name in usual:
        if not usual[name].equals(other[name]):
            told = "is everywhere about" if pd.api.types.is_numeric_dtype(usual[name]) else "says"
            assert f"{name} {told} " in found.sentence
    assert "player/features.py" in found.advice


@pytest.mark.parametrize(
    ("shift", "traces", "calm"),
    [
        (world.AS_TRAINED, {}, "ok"),
        (world.ANOTHER_POPULATION, {}, "warn"),
        (world.AS_TRAINED, {"income": Trace("unit", "income is twice what it was")}, "warn"),
    ],
)
def test_a_fallen_accuracy_or_a_broken_promise_is_an_alarm(
    trained: Trained, settings: Settings, shift: str, traces: dict[str, Trace], calm: str
) -> None:
    """One of the two is enough, whatever happened to the features; without either there is no alarm."""
    found = diagnose(answered(trained, shift), trained, settings)

    moved = [drift for drift in found.drift if drift.verdict == "alarm"]

    def state(fell: bool, broken: bool) -> str:
        asked = Relation(500, broken, 3.0, [Direction("income", "", 5.0, 0.1)])
        weighed = Evidence(0.8, moved, traces, labelled=500, fell=fell, relation=asked, unweighted=asked)
        return diagnosis.diagnose(found.figures, weighed, Labels(), settings.monitoring).state

    assert [calm, "alarm", "alarm"] == [state(False, False), state(True, False), state(False, True)]


@pytest.mark.parametrize(
    ("shift", "cause"),
    [
        (world.AS_TRAINED, "too few labels"),
        (world.ANOTHER_NATURE, "too few labels"),
        (world.ANOTHER_POPULATION, "another population"),
        (world.GATHERED_DIFFERENTLY, "data gathered differently"),
    ],
)
def test_without_labels_only_the_features_speak(trained: Trained, settings: Settings, shift: str, cause: str) -> None:
    """Drift is seen without labels; whether the answers are right is not claimed, and another nature is not seen."""
    found = diagnose(answered(trained, shift).assign(label=None, label_at=None), trained, settings).diagnosis

    assert cause == found.cause
    assert found.state in ("warn", "unknown")


def test_few_rows_give_no_verdict(trained: Trained, settings: Settings) -> None:
    """With fewer rows than a verdict needs the page says so, even where everything is wrong."""
    found = diagnose(answered(trained, world.GATHERED_DIFFERENTLY, rows=199), trained, settings).diagnosis

    assert (found.cause, found.state) == ("too few rows", "unknown")


def test_another_population_alone_explains_its_loss(trained: Trained, settings: Settings) -> None:
    """Weighted to the training mix the promises hold, so that no other cause is named."""
    found = diagnose(answered(trained, world.ANOTHER_POPULATION, rows=1500), trained, settings).diagnosis

    assert ["another population"] == [cause.name for cause in found.causes]


def test_two_causes_at_once_are_both_named(trained: Trained, settings: Settings) -> None:
    """A changed relation does not hide behind another population."""
    rows = answered(trained, world.AS_TRAINED, rows=2000)
    values = pd.Series([row[trained.schema.names[0]] for row in rows["features"]])
    rows = rows[(values < values.quantile(0.55)) | (rows.index % 6 == 0)].tail(500)
    rows["label"] = (1 - rows["label"].astype(int)).astype("object")

    found = diagnose(rows, trained, settings).diagnosis

    assert ["another population", "another nature"] == [cause.name for cause in found.causes]
    assert found.state == "alarm"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_feature_whose_effect_changed_is_named(trained: Trained, settings: Settings, seed: int) -> None:
    """When people with late payments repay now, or whatever column says most turns round, the sentence says so."""
    rows = answered(trained, world.AS_TRAINED, seed=seed)
    numbers = pd.DataFrame(rows["features"].tolist()).select_dtypes("number").dropna(axis="columns")
    meant = numbers.corrwith(rows["label"].astype(float))
    telling = str(meant.abs().idxmax())
    rows.loc[numbers[telling] > numbers[telling].quantile(0.4), "label"] = int(meant[telling] < 0)

    found = diagnose(rows, trained, settings).diagnosis

    assert found.cause == "another nature"
    assert f"what {telling} means for the outcome changed" in found.sentence


def test_what_cannot_be_told_apart_is_asked(trained: Trained, settings: Settings) -> None:
    """When a trace touches every row, nobody can know whether the relation changed as well, and that is said."""
    rows = answered(trained, world.GATHERED_DIFFERENTLY)

    found = diagnose(rows, trained, settings).diagnosis

    assert any("cannot be known before the values are turned back" in question for question in found.open_questions)


@pytest.mark.parametrize("shift", [world.AS_TRAINED, world.ANOTHER_NATURE])
def test_a_model_of_an_older_version_is_still_diagnosed(trained: Trained, settings: Settings, shift: str) -> None:
    """A profile without joint figures and without calibration gives the same causes."""
    old = {name: trained.profile[name] for name in ("label", "proba", "rows")}
    kept = ("kind", "missing", "edges", "shares", "low", "high")
    old["features"] = {
        name: {key: value for key, value in known.items() if key in kept}
        for name, known in trained.profile["features"].items()
    }
    found = report(answered(trained, shift), old, settings.monitoring, trained.metrics).diagnosis

    assert found.cause == {world.AS_TRAINED: "all well", world.ANOTHER_NATURE: "another nature"}[shift]


@pytest.mark.parametrize("shift", [world.AS_TRAINED, world.ANOTHER_NATURE])
def test_a_profile_that_was_in_a_file_says_the_same(trained: Trained, settings: Settings, shift: str) -> None:
    """A manifest sorts its keys; the report does not depend on their order."""
    rows = answered(trained, shift)
    stored = json.loads(json.dumps(trained.profile, sort_keys=True))

    found = report(rows, stored, settings.monitoring, trained.metrics)

    assert found.diagnosis == diagnose(rows, trained, settings).diagnosis


def test_labels_of_approved_applicants_only_are_a_caution(trained: Trained, settings: Settings) -> None:
    """When only those get a label whom the model approved, the evidence warns about it."""
    rows = answered(trained, world.AS_TRAINED)
    rows.loc[rows["pred"] == 0, "label"] = None

    found = diagnose(rows, trained, settings).diagnosis

    assert any("says little about the others" in note for note in found.evidence)
    assert (found.cause, found.state) == ("well as far as seen", "unknown")


def test_labels_that_come_late_are_a_caution(trained: Trained, settings: Settings) -> None:
    """When the newest rows have no label yet, the evidence says from where on nothing is seen."""
    rows = answered(trained, world.AS_TRAINED)
    rows.loc[400:, "label"] = None

    found = diagnose(rows, trained, settings).diagnosis

    assert "The newest 100 rows have no label yet: a change since then is not seen." in found.evidence


def test_a_renamed_column_comes_empty(trained: Trained, settings: Settings, table: pd.DataFrame) -> None:
    """A feature that is sent under another name is missing everywhere: gathered differently."""
    rows = answered(trained, world.AS_TRAINED)
    name = str(table[trained.schema.names].select_dtypes("number").isna().mean().idxmax())
    rows["features"] = rows["features"].map(lambda row: {("other" if k == name else k): v for k, v in row.items()})

    found = diagnose(rows, trained, settings).diagnosis

    assert found.cause == "data gathered differently"
    assert found.sentence == f"{name} comes empty in 100% of the rows ({table[name].isna().mean():.0%} in training)."


def test_a_model_without_hold_out_is_held_to_its_profile(trained: Trained, settings: Settings) -> None:
    """Without metrics the probabilities of training say what to expect."""
    found = report(answered(trained, world.AS_TRAINED), trained.profile, settings.monitoring)

    assert found.expected == pytest.approx(trained.metrics["accuracy"], abs=0.05)


def test_fallback_answers_are_mentioned(trained: Trained, settings: Settings) -> None:
    """A degraded answer is part of the evidence."""
    rows = answered(trained, world.AS_TRAINED)
    rows.loc[:9, "degraded"] = True

    assert any("fallback" in note for note in diagnose(rows, trained, settings).diagnosis.evidence)
