"""There is always an answer: from the current model, the one before, or the most frequent label."""

import dataclasses
import math
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import clean_environment, scratch_project
from hypothesis import given
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier

from player.config import Settings, load_settings
from player.features import Schema
from player.model import answering, loading, saving, store
from player.model.answering import Link
from player.model.fallback import NO_MODEL, Chain
from player.model.loading import Model
from player.model.predictor import Predictor
from player.model.prior import Prior
from player.model.store import Manifest
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

    def predict(self, table: pd.DataFrame) -> Any:
        return np.asarray(self.behaviour(table)).argmax(axis=1)


def sleeps(table: pd.DataFrame) -> Any:
    time.sleep(2)


def answers(*proba: float) -> Fake:
    """Return a pipeline that answers every row the same."""
    return Fake(lambda table: np.array([proba] * len(table)))


def fussy(table: pd.DataFrame) -> Any:
    """Fail where the first column is 13."""
    if (table.iloc[:, 0] == 13).any():
        raise ValueError
    return np.array([[0.2, 0.8]] * len(table))


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
    predictor.chain, predictor.reason = Chain(links, Prior(1, 0.7)), ""
    return predictor


@pytest.fixture(name="predictor")
def _predictor(model_settings: Settings) -> Iterator[Predictor]:
    """A predictor with a real model, looking for new ones."""
    fast = model_settings.model.model_copy(update={"reload_seconds": 0.05})
    predictor = Predictor(model_settings.model_copy(update={"model": fast}))
    predictor.start()
    yield predictor
    predictor.stop()


@pytest.mark.parametrize("name", MISBEHAVIOURS)
def test_a_model_that_misbehaves_is_stepped_over(settings: Settings, manifest: dict[str, Any], name: str) -> None:
    """Whatever the current model does, the one before answers, and the answer says that it is degraded."""
    bad = make_link(Fake(MISBEHAVIOURS[name]), manifest, "bad")
    predictor = make_predictor(settings, bad, make_link(answers(0.2, 0.8), manifest, "good"))

    answer = predictor.answer(RAW)

    assert (answer.pred, answer.proba, answer.model, answer.degraded) == (1, 0.8, "good", True)
    assert predictor.status()["steps_down"] == {"bad": 1}
    assert predictor.status()["reason"].startswith("model bad fails: it ")


def test_without_any_model_the_most_frequent_label_answers(settings: Settings, manifest: dict[str, Any]) -> None:
    """When every model fails there is still an answer."""
    predictor = make_predictor(settings, make_link(Fake(raises), manifest, "bad"))

    answer = predictor.answer(RAW)

    assert (answer.pred, answer.proba, answer.model, answer.degraded) == (1, 0.7, NO_MODEL, True)


def test_a_service_without_a_model_answers_from_the_training_table(settings: Settings, table: pd.DataFrame) -> None:
    """Before the first training the label that is most frequent in the table is the answer."""
    predictor = Predictor(settings)
    predictor.reload()

    assert predictor.answer(RAW).pred == table["repaid"].mode()[0]
    assert "run `player train`" in predictor.status()["reason"]


def test_a_model_that_keeps_failing_rests(settings: Settings, manifest: dict[str, Any]) -> None:
    """After three failures in a row requests no longer wait for it; later it gets another chance."""
    fake = Fake(raises)
    predictor = make_predictor(settings, make_link(fake, manifest, "bad"))
    for _ in range(10):
        predictor.answer(RAW)
    assert fake.calls == answering.FAILURES_TO_REST

    predictor.chain.links[0].resting_until = 0.0
    for _ in range(10):
        predictor.answer(RAW)
    assert fake.calls == answering.FAILURES_TO_REST + 1  # one more failure, and it rests again

    fake.behaviour = lambda table: np.array([[0.4, 0.6]])
    predictor.chain.links[0].resting_until = 0.0
    assert predictor.answer(RAW).model == "bad"
    assert not predictor.status()["degraded"]


def test_a_model_that_hangs_costs_a_bounded_number_of_threads(settings: Settings, manifest: dict[str, Any]) -> None:
    """However often a model hangs, only so many questions wait in the background; then it is not asked."""
    released = threading.Event()
    fake = Fake(lambda table: released.wait(20))
    hangs = make_link(fake, manifest, "hangs")
    hangs.seconds = 0.001
    predictor = make_predictor(settings, hangs)
    for _ in range(answering.MOST_LATE + 10):
        hangs.resting_until = 0.0
        predictor.answer(RAW)
    released.set()

    assert fake.calls == answering.MOST_LATE
    assert "still busy" in predictor.status()["reason"]


def test_trouble_is_logged_once_and_counted_each_time(
    settings: Settings, manifest: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """A hundred failures are one line for each kind, with the place of the error and none of the values."""
    predictor = make_predictor(settings, make_link(Fake(raises), manifest, "bad"))
    for _ in range(100):
        predictor.answer({"age": 4711})

    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 3
    assert "every model was stepped over: the most frequent label answers" in said
    assert said[0].startswith("model bad was stepped over: it raised MemoryError (test_predictor.py:")
    assert "4711" not in caplog.text
    assert predictor.status()["steps_down"] == {"bad": 100, "all models": 100}


def test_one_bad_row_does_not_take_the_others_with_it(
    settings: Settings, manifest: dict[str, Any], trained: Trained
) -> None:
    """When a batch fails, the bad row alone goes down the chain, as it would through the API."""
    before = make_link(answers(0.9, 0.1), manifest, "before")
    predictor = make_predictor(settings, make_link(Fake(fussy), manifest, "fussy"), before)
    raws = [{trained.schema.names[0]: 13 if number == 40 else 42} for number in range(100)]

    models = [answer.model for answer in predictor.answer_many(raws)]

    assert models == ["before" if number == 40 else "fussy" for number in range(100)]
    assert predictor.status()["steps_down"] == {"fussy": 1}


def test_a_batch_that_no_model_can_answer_gets_an_answer_for_each_row(
    settings: Settings, manifest: dict[str, Any]
) -> None:
    """Also then no row is missing, and an empty batch has no answers."""
    predictor = make_predictor(settings, make_link(Fake(raises), manifest, "bad"))

    assert [NO_MODEL] * 50 == [answer.model for answer in predictor.answer_many([RAW] * 50)]
    assert [] == predictor.answer_many([])


def test_no_answer_mixes_two_models(settings: Settings, manifest: dict[str, Any]) -> None:
    """While models are exchanged, the version in each answer is the one that gave its probability."""
    links = {"a": make_link(answers(0.9, 0.1), manifest, "a"), "b": make_link(answers(0.2, 0.8), manifest, "b")}
    predictor = make_predictor(settings, links["a"])
    stop = threading.Event()

    def exchange() -> None:
        while not stop.is_set():
            for one in links.values():
                predictor.chain = Chain((one,), Prior(1, 0.7))

    with ThreadPoolExecutor(5) as pool:
        exchanging = pool.submit(exchange)
        found = list(pool.map(lambda _: predictor.answer(RAW), range(300)))
        stop.set()
        exchanging.result()

    assert {(answer.model, answer.proba) for answer in found} <= {("a", 0.1), ("b", 0.8)}
    assert all(answer.pred == (answer.model == "b") for answer in found)


def test_many_and_one_by_one_give_the_same_answers(predictor: Predictor, table: pd.DataFrame) -> None:
    """Batch and API cannot differ."""
    raws: list[dict[str, Any]] = table.head(40).to_dict("records")  # type: ignore[assignment]

    for raw, answer in zip(raws, predictor.answer_many(raws), strict=True):
        alone = predictor.answer(raw)
        assert (alone.pred, alone.model, alone.warnings) == (answer.pred, answer.model, answer.warnings)
        assert alone.proba == pytest.approx(answer.proba, abs=1e-12)


single = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
values = st.recursive(single, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2))
keys = st.sampled_from(["age", "income", "housing", "employment", "savings"]) | st.text()


@given(st.dictionaries(keys, values, max_size=8))
def test_any_object_gets_a_known_class_and_a_probability(predictor: Predictor, raw: dict[str, Any]) -> None:
    """Whatever a request holds, the model itself answers with one of its classes."""
    answer = predictor.answer(raw)

    assert answer.pred in (0, 1)
    assert 0 <= answer.proba <= 1
    assert not answer.degraded
    assert answer == predictor.answer_many([raw])[0]


@pytest.fixture(name="new", scope="module")
def _new(tmp_path_factory: pytest.TempPathFactory, trained: Trained) -> tuple[Path, str]:
    """The files of another model for the same table, which always answers the same, and its version."""
    home = scratch_project(tmp_path_factory.mktemp("new") / "project")
    rows = pd.DataFrame(0, index=range(10), columns=trained.schema.names)
    other = dataclasses.replace(trained, pipeline=DummyClassifier().fit(rows, [0, 1] * 5))
    with pytest.MonkeyPatch.context() as patch:
        clean_environment(patch, home)
        settings = load_settings("testing")
        return store.folder(settings), saving.save(other, settings).version


@pytest.fixture(name="offered")
def _offered(predictor: Predictor, new: tuple[Path, str]) -> str:
    """The version of the other model, whose files lie beside those of the current one."""
    shutil.copytree(new[0], store.folder(predictor.settings), dirs_exist_ok=True)
    return new[1]


def damage(version: str, settings: Settings) -> bytes:
    """Replace the pickle of *version* by something else, and return what it was."""
    path = store.folder(settings) / f"{version}.pkl"
    good = path.read_bytes()
    path.write_bytes(b"something else")
    return good


def point_to(version: str, settings: Settings) -> None:
    """Make *version* current without looking at it, as somebody could who writes to the folder."""
    before = store.pointer(settings)
    assert before is not None
    store.point_to(store.Pointer(before.serial + 1, version, before.current), settings)


def wait_until(what: Callable[[], Any]) -> None:
    """Wait until *what* is true."""
    deadline = time.monotonic() + 30
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_new_model_is_taken_over_while_it_runs(predictor: Predictor, offered: str) -> None:
    """Activating a model is all it takes; the old one becomes the fallback."""
    before = predictor.version
    store.activate(offered, predictor.settings)
    wait_until(lambda: predictor.version == offered)

    assert [one.version for one in predictor.chain.links] == [offered, before]
    assert not predictor.answer(RAW).degraded


def test_a_bad_model_is_refused_and_the_old_one_serves_on(predictor: Predictor, offered: str) -> None:
    """A new model that is not what its manifest describes is refused with the reason; answers go on, degraded."""
    before = predictor.version
    good = damage(offered, predictor.settings)
    point_to(offered, predictor.settings)
    wait_until(lambda: predictor.chain.degraded)

    assert "not the file its manifest describes" in predictor.status()["reason"]
    assert (predictor.answer(RAW).model, predictor.answer(RAW).degraded) == (before, True)

    # Mended in place, it is taken over when it is tried again.
    (store.folder(predictor.settings) / f"{offered}.pkl").write_bytes(good)
    predictor.retry_at = 0.0
    wait_until(lambda: predictor.version == offered)
    assert not predictor.answer(RAW).degraded


def test_a_service_that_starts_with_a_bad_model_takes_the_one_before(predictor: Predictor, offered: str) -> None:
    """A restart with a damaged current model: the previous one answers; without it, the label its manifest names."""
    settings, before = predictor.settings, predictor.version
    predictor.stop()
    damage(offered, settings)
    point_to(offered, settings)

    fresh = Predictor(settings)
    fresh.reload()
    assert (fresh.answer(RAW).model, fresh.answer(RAW).degraded) == (before, True)

    damage(before, settings)
    (settings.home / "data" / "train_data.csv").unlink()
    fresh = Predictor(settings)
    fresh.reload()
    manifest = store.read_manifest(offered, settings)
    most = max(manifest.prior, key=lambda name: manifest.prior[name])
    assert (fresh.answer(RAW).model, str(fresh.answer(RAW).pred)) == (NO_MODEL, most)
    assert fresh.answer(RAW).proba == manifest.prior["1"]


def test_whatever_loading_does_the_service_starts(
    model_settings: Settings, manifest: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error nobody foresaw, or a model that hangs on its first question, is no reason not to answer."""
    hanging = Model(Fake(sleeps), Manifest(version="v", **manifest), Schema.from_dict(manifest["schema"]))
    impatient = model_settings.model_copy(
        update={"model": model_settings.model.model_copy(update={"trial_seconds": 0.1})}
    )
    outcomes = [lambda *_: hanging, lambda *_: 1 / 0]
    for outcome in outcomes:
        monkeypatch.setattr(loading, "load", outcome)
        predictor = Predictor(impatient)
        predictor.start()
        predictor.stop()

        assert predictor.answer(RAW).degraded
        assert predictor.status()["reason"]


def test_a_pointer_that_goes_back_is_ignored(predictor: Predictor, offered: str) -> None:
    """An old pointer put back by somebody does not bring an old model back, also not by a reload."""
    path = store.folder(predictor.settings) / store.POINTER
    old = path.read_bytes()
    store.activate(offered, predictor.settings)
    wait_until(lambda: predictor.version == offered)
    newest = path.read_bytes()
    path.write_bytes(old)
    wait_until(lambda: predictor.reason)
    predictor.reload()

    assert "went back" in predictor.status()["reason"]
    assert predictor.version == offered

    path.write_bytes(newest)
    wait_until(lambda: not predictor.status()["degraded"])


@pytest.mark.parametrize(("rows", "seconds"), [(1, 0.2), (2, 0.201), (1001, 1.2)])
def test_the_time_budget_is_that_of_one_row(
    rows: int, seconds: float, manifest: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch has a second more for each further thousand."""
    asked: list[float] = []
    link = make_link(None, manifest, "a")
    monkeypatch.setattr(
        link, "within", lambda given, *_: asked.append(given) or (np.zeros(rows, int), np.eye(2)[[0] * rows])
    )

    link.predict_within(rows, link.ask_pipeline, pd.DataFrame(index=range(rows)))

    assert [pytest.approx(seconds)] == asked
