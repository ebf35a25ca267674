"""There is always an answer: from the current model, the one before, or the most frequent label."""

import math
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier

from player.config import Settings
from player.features import Schema
from player.model import link, store
from player.model.predictor import NO_MODEL, Chain, Link, Predictor, Prior
from player.model.store import Manifest, Model
from player.training import Trained

RAW = {"age": 42, "income": 31_000}


class Fake:
    """A pipeline that does what its *behaviour* says."""

    def __init__(self, behaviour: Any) -> None:
        self.behaviour = behaviour
        self.calls = 0

    def predict_proba(self, table: pd.DataFrame) -> Any:
        self.calls += 1
        return self.behaviour(table)


def sleeps(table: pd.DataFrame) -> Any:
    time.sleep(5)


def raises(table: pd.DataFrame) -> Any:
    raise MemoryError("no")


def exits(table: pd.DataFrame) -> Any:
    raise SystemExit(1)


MISBEHAVIOURS = {
    "raises": raises,
    "exits": exits,
    "hangs": sleeps,
    "answers NaN": lambda table: np.full((len(table), 2), math.nan),
    "answers too few rows": lambda table: np.zeros((0, 2)),
    "answers too many classes": lambda table: np.full((len(table), 3), 0.3),
    "answers None": lambda table: None,
    "answers text": lambda table: np.array([["a", "b"]] * len(table)),
}


@pytest.fixture(name="manifest", scope="module")
def _manifest(trained: Trained) -> dict[str, Any]:
    """The fields of a manifest, without version."""
    return {
        "created_at": "", "sha256": "", "size": 0, "libraries": {}, "globals": [], "rows": 1,
        "schema": trained.schema.to_dict(), "classes": [0, 1], "prior": {"0": 0.3, "1": 0.7}, "profile": {},
        "metrics": {}, "examples": trained.examples,
    }  # fmt: skip


def make_link(pipeline: Any, manifest: dict[str, Any], version: str) -> Link:
    """Return a link of the chain around *pipeline*, with a short time budget."""
    described = Manifest(version=version, **manifest)
    return Link(Model(pipeline, described, Schema.from_dict(manifest["schema"])), seconds=0.2)


def make_predictor(settings: Settings, *links: Link) -> Predictor:
    """Return a predictor whose chain is *links*."""
    predictor = Predictor(settings)
    predictor.chain = Chain(links, Prior(1, 0.7))
    return predictor


@pytest.fixture(name="predictor")
def _predictor(model_settings: Settings) -> Iterator[Predictor]:
    """A predictor with a real model, looking for new ones."""
    fast = model_settings.model.model_copy(update={"reload_seconds": 0.05})
    predictor = Predictor(model_settings.model_copy(update={"model": fast}))
    predictor.start()
    yield predictor
    predictor.stop()


def wait_for(predictor: Predictor, version: str) -> None:
    """Wait until *version* answers."""
    deadline = time.monotonic() + 30
    while predictor.version != version:
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("name", MISBEHAVIOURS)
def test_a_model_that_misbehaves_is_stepped_over(settings: Settings, manifest: dict[str, Any], name: str) -> None:
    """Whatever the current model does, the one before answers, and the answer says that it is degraded."""
    bad = make_link(Fake(MISBEHAVIOURS[name]), manifest, "bad")
    good = make_link(Fake(lambda table: np.array([[0.2, 0.8]] * len(table))), manifest, "good")
    predictor = make_predictor(settings, bad, good)

    answer = predictor.answer(RAW)

    assert (answer.pred, answer.proba, answer.model, answer.degraded) == (1, 0.8, "good", True)
    assert predictor.status()["steps_down"] == {"bad": 1}


def test_without_any_model_the_most_frequent_label_answers(settings: Settings, manifest: dict[str, Any]) -> None:
    """When every model fails there is still an answer."""
    predictor = make_predictor(settings, make_link(Fake(raises), manifest, "bad"))

    answer = predictor.answer(RAW)

    assert (answer.pred, answer.proba, answer.model, answer.degraded) == (1, 0.7, NO_MODEL, True)


def test_a_service_without_a_model_answers_from_the_training_table(settings: Settings) -> None:
    """Before the first training the label that is most frequent in the table is the answer."""
    predictor = Predictor(settings)
    predictor.reload()

    assert predictor.answer(RAW).pred == 1
    assert "run `player train`" in predictor.status()["reason"]


def test_a_model_that_keeps_failing_rests(
    settings: Settings, manifest: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After three failures in a row requests no longer wait for it; later it gets another chance."""
    fake = Fake(raises)
    predictor = make_predictor(settings, make_link(fake, manifest, "bad"))
    for _ in range(10):
        predictor.answer(RAW)
    assert fake.calls == link.FAILURES_TO_REST

    monkeypatch.setattr(predictor.chain.links[0], "resting_until", 0.0)
    predictor.answer(RAW)
    assert fake.calls == link.FAILURES_TO_REST + 1


def test_one_bad_row_does_not_take_the_others_with_it(settings: Settings, manifest: dict[str, Any]) -> None:
    """When a whole batch fails, each row is asked alone."""

    def fussy(table: pd.DataFrame) -> Any:
        if (table["age"] == 13).any():
            raise ValueError
        return np.array([[0.2, 0.8]] * len(table))

    predictor = make_predictor(settings, make_link(Fake(fussy), manifest, "fussy"))
    answers = predictor.answer_many([{"age": 42}, {"age": 13}, {"age": 43}])

    assert [answer.model for answer in answers] == ["fussy", NO_MODEL, "fussy"]


def test_many_and_one_by_one_give_the_same_answers(predictor: Predictor, table: pd.DataFrame) -> None:
    """Batch and API cannot differ."""
    raws: list[dict[str, Any]] = table.head(40).to_dict("records")  # type: ignore[assignment]

    for raw, answer in zip(raws, predictor.answer_many(raws), strict=True):
        alone = predictor.answer(raw)
        assert (alone.pred, alone.model, alone.warnings) == (answer.pred, answer.model, answer.warnings)
        assert alone.proba == pytest.approx(answer.proba, abs=1e-12)


values = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers(), max_size=2)


@given(st.dictionaries(st.sampled_from(["age", "income", "housing", "employment", "savings", "x"]), values))
def test_any_object_gets_a_known_class_and_a_probability(predictor: Predictor, raw: dict[str, Any]) -> None:
    """Whatever a request holds, the model itself answers with one of its classes."""
    answer = predictor.answer(raw)

    assert answer.pred in (0, 1)
    assert 0 <= answer.proba <= 1
    assert not answer.degraded


def test_a_new_model_is_taken_over_while_it_runs(predictor: Predictor, trained: Trained) -> None:
    """Activating a model is all it takes; the old one becomes the fallback."""
    before = predictor.version
    new = store.save(stand_in(trained), predictor.settings).version
    store.activate(new, predictor.settings)
    wait_for(predictor, new)

    assert [one.version for one in predictor.chain.links] == [new, before]
    assert not predictor.answer(RAW).degraded


def stand_in(trained: Trained) -> Trained:
    """Return another model for the same table: it always answers the training shares."""
    rows = pd.DataFrame(0, index=range(10), columns=trained.schema.names)
    return Trained(**{**vars(trained), "pipeline": DummyClassifier().fit(rows, [0, 1] * 5)})


def test_a_bad_model_is_refused_and_the_old_one_serves_on(predictor: Predictor, trained: Trained) -> None:
    """A new model that is not what its manifest describes is refused with the reason; answers go on."""
    before = predictor.version
    new = store.save(stand_in(trained), predictor.settings).version
    (store.folder(predictor.settings) / f"{new}.pkl").write_bytes(b"something else")
    store.activate(new, predictor.settings)
    deadline = time.monotonic() + 30
    while not predictor.reason and time.monotonic() < deadline:
        time.sleep(0.02)

    assert "not the file its manifest describes" in predictor.status()["reason"]
    assert predictor.answer(RAW).model == before


def test_a_pointer_that_goes_back_is_ignored(predictor: Predictor, trained: Trained) -> None:
    """An old pointer put back by somebody does not bring an old model back."""
    path = store.folder(predictor.settings) / store.POINTER
    old = path.read_bytes()
    new = store.save(stand_in(trained), predictor.settings).version
    store.activate(new, predictor.settings)
    wait_for(predictor, new)
    path.write_bytes(old)
    deadline = time.monotonic() + 30
    while not predictor.reason and time.monotonic() < deadline:
        time.sleep(0.02)

    assert "went back" in predictor.status()["reason"]
    assert predictor.version == new
