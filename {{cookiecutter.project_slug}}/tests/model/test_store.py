"""A model is kept whole, found again, and trusted only when it is ours."""

import dataclasses
import json
import os
import pickle
import shutil
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import clean_environment, scratch_project
from filelock import FileLock
from pickles import hostile, hostile_tree
from pydantic import SecretStr
from sklearn.dummy import DummyClassifier

from player.config import Settings, load_settings
from player.errors import ModelError, ModelMissing, ModelRefused
from player.features import clean_table
from player.model import loading, saving, store
from player.training import Trained
from player.trust.examination import examine
from player.trust.trial import try_model
from player.trust.unpickler import names_used

KEY = SecretStr("the-first-key-0123456789abcdefghij")
OTHER_KEY = SecretStr("another-key-0123456789abcdefghijkl")


def signed(settings: Settings, key: SecretStr = KEY, environment: str = "testing") -> Settings:
    """Return *settings* with a signing key, in which nothing unsigned is allowed."""
    model = settings.model.model_copy(update={"allow_unsigned": False})
    return settings.model_copy(update={"signing_key": key, "model": model, "environment": environment})


def with_pipeline(trained: Trained, pipeline: Any) -> Trained:
    """Return *trained* with another *pipeline*."""
    return dataclasses.replace(trained, pipeline=pipeline)


@pytest.fixture(name="two_models", scope="module")
def _two_models(tmp_path_factory: pytest.TempPathFactory, trained: Trained) -> tuple[Path, str, str]:
    """A folder with two signed models, the first one current, and their versions."""
    home = scratch_project(tmp_path_factory.mktemp("two") / "project")
    with pytest.MonkeyPatch.context() as patch:
        clean_environment(patch, home)
        settings = signed(load_settings("testing"))
        first = saving.save(trained, settings).version
        rows = pd.DataFrame(0, index=range(3), columns=trained.schema.names)
        second = saving.save(with_pipeline(trained, DummyClassifier().fit(rows, [0, 1, 1])), settings).version
        store.activate(first, settings)
    return home / "models", first, second


@pytest.fixture(name="strict")
def _strict(settings: Settings, two_models: tuple[Path, str, str]) -> Settings:
    """Settings that need signatures, with one signed and active model and another one beside it."""
    shutil.copytree(two_models[0], settings.home / "models", dirs_exist_ok=True)
    return signed(settings)


@pytest.fixture(name="other")
def _other(two_models: tuple[Path, str, str]) -> str:
    """The version that is not current."""
    return two_models[2]


def current(settings: Settings) -> str:
    """Return the current version."""
    pointer = store.pointer(settings)
    assert pointer is not None
    return pointer.current


def files(settings: Settings, ending: str) -> Path:
    """Return the file of the current version with this *ending*."""
    return store.folder(settings) / f"{current(settings)}{ending}"


def test_a_saved_model_answers_as_before(strict: Settings, trained: Trained, table: object) -> None:
    """Saving and loading changes no probability."""
    model = loading.load(current(strict), strict)
    rows = clean_table(table, model.schema).head(50)  # type: ignore[arg-type]

    assert (model.pipeline.predict_proba(rows) == trained.pipeline.predict_proba(rows)).all()
    assert model.manifest.metrics == trained.metrics


def test_the_manifest_says_what_the_model_needs(strict: Settings) -> None:
    """Versions, size, hash, names in the pickle, metrics and profile stand in a file that people can read."""
    manifest = json.loads(files(strict, ".json").read_text(encoding="utf-8"))

    assert {"python", "scikit-learn", "numpy"} <= set(manifest["libraries"])
    assert manifest["size"] == files(strict, ".pkl").stat().st_size
    assert "sklearn.pipeline.Pipeline" in manifest["globals"]
    assert manifest["metrics"]["accuracy"] > 0.5


def test_without_a_model_nothing_is_current(settings: Settings) -> None:
    """A fresh folder has no pointer, and asking for its model says what to do."""
    assert store.pointer(settings) is None
    with pytest.raises(ModelMissing, match="run `player train`"):
        store.current_manifest(settings)


def test_the_model_before_stays_at_hand(strict: Settings, other: str) -> None:
    """Activating keeps the old model as the fallback, and rollback takes it back."""
    first = current(strict)
    pointer = store.activate(other, strict)

    assert (pointer.current, pointer.previous) == (other, first)

    back = store.rollback(strict)

    assert (back.current, back.previous) == (first, other)
    assert back.serial > pointer.serial


def test_rollback_needs_something_to_go_back_to(strict: Settings) -> None:
    """With only one model there is nothing to roll back to."""
    with pytest.raises(ModelMissing, match="no previous model"):
        store.rollback(strict)


@pytest.mark.parametrize(
    ("ending", "change", "said"),
    [
        (".pkl", lambda data: data + b"x", "not the file its manifest describes"),
        (".pkl", lambda data: data[: len(data) // 2], "not the file its manifest describes"),
        (".pkl", lambda _: pickle.dumps(1), "not the file its manifest describes"),
        (".json", lambda data: data.replace(b'"accuracy": 0.', b'"accuracy": 1.'), "signature that is not ours"),
        (".json", lambda data: data[:-5], "signature that is not ours"),
        (".sig", lambda _: b"", "is not signed"),
        (".sig", lambda _: b"0" * 64, "older version of this project"),
        (".sig", lambda _: b"0" * 128, "signature that is not ours"),
        (".sig", lambda data: data[:-1], "signature that is not ours"),
        (".sig", lambda _: b"\xff" * 64, "signature that is not ours"),
    ],
)
def test_a_changed_file_is_refused(strict: Settings, ending: str, change: object, said: str) -> None:
    """Pickle, manifest and signature belong together: each change is noticed before anything is unpickled."""
    path = files(strict, ending)
    path.write_bytes(change(path.read_bytes()))  # type: ignore[operator]

    with pytest.raises(ModelRefused, match=said):
        loading.load(current(strict), strict)
    with pytest.raises(ModelRefused, match=said):
        store.activate(current(strict), strict)


def test_a_model_signed_with_another_key_is_refused(strict: Settings) -> None:
    """Who does not have the key cannot put a model there."""
    other = signed(strict, OTHER_KEY)

    with pytest.raises(ModelRefused, match="not ours"):
        store.pointer(other)
    with pytest.raises(ModelRefused, match="not ours"):
        loading.load(current(strict), other)


def test_a_model_of_another_environment_is_refused(strict: Settings) -> None:
    """A model signed for one environment is not signed for the next, even with the same key."""
    version = current(strict)
    there = signed(strict, environment="production")
    store.folder(strict).rename(store.folder(there))

    with pytest.raises(ModelRefused, match="signature that is not ours for this environment"):
        loading.load(version, there)


def test_a_model_under_another_name_is_refused(strict: Settings) -> None:
    """Renaming an old signed model to a new version does not make it one."""
    version = current(strict)
    for ending in (".pkl", ".json", ".sig"):
        files(strict, ending).rename(store.folder(strict) / f"20990101-000000-00000000{ending}")

    with pytest.raises(ModelRefused, match=f"describes '{version}'"):
        loading.load("20990101-000000-00000000", strict)


@pytest.mark.parametrize("name", ["../../secret", "a/b", "", "A", "x\n"])
def test_a_version_is_a_name_and_not_a_path(strict: Settings, name: str) -> None:
    """A version that is a path is refused before any file is touched."""
    with pytest.raises(ModelRefused, match="not the name of a model version"):
        loading.load(name, strict)


def test_a_pointer_that_was_changed_is_refused(strict: Settings) -> None:
    """Which model is current is signed too."""
    path = store.folder(strict) / store.POINTER
    path.write_text(path.read_text(encoding="utf-8").replace('"serial": ', '"serial": 9'), encoding="utf-8")

    with pytest.raises(ModelRefused, match="pointer"):
        store.pointer(strict)


@pytest.mark.parametrize("content", ["", "{}", "[]", "1", "[" * 9_000, '{"signature": 1}', '{"signature": "\\ud800"}'])
def test_a_pointer_that_is_no_pointer_is_refused(strict: Settings, content: str) -> None:
    """Whatever stands in the file: a refusal, and training or activating replaces it."""
    version = current(strict)
    (store.folder(strict) / store.POINTER).write_text(content, encoding="utf-8")

    with pytest.raises(ModelRefused):
        store.pointer(strict)
    assert store.activate(version, strict).previous is None
    assert current(strict) == version


@pytest.mark.parametrize("ending", [".json", ".pkl"])
def test_a_model_that_is_not_whole_is_said_with_what_to_do(model_settings: Settings, ending: str) -> None:
    """A file that is gone is not the end: another model can take over."""
    files(model_settings, ending).unlink()

    with pytest.raises(ModelMissing, match=r"is not whole: `player rollback` takes the one before"):
        store.check_current(model_settings)


def test_a_pointer_that_somebody_else_holds_is_not_waited_for_in_silence(
    model_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a while there is a sentence."""
    monkeypatch.setattr("player.model.pointers.WAIT_SECONDS", 0.0)
    with (
        FileLock(store.folder(model_settings) / ".lock"),
        pytest.raises(ModelError, match=r"Another command holds .*\.lock and does not let go"),
    ):
        store.rollback(model_settings)


@pytest.mark.parametrize(
    "change", [{"classes": 1}, {"prior": []}, {"rows": "many"}, {"unknown": 1}, {"schema": {}}, {"examples": [1]}]
)
def test_an_unsigned_manifest_is_checked_before_it_is_used(model_settings: Settings, change: dict[str, Any]) -> None:
    """Where unsigned models run, a manifest with wrong parts is refused in one line."""
    path = files(model_settings, ".json")
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **change}), encoding="utf-8")

    with pytest.raises(ModelRefused, match="is broken"):
        loading.load(current(model_settings), model_settings)


def test_an_unsigned_model_loads_with_a_warning_in_development_alone(
    model_settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """Development and testing take it and say so, as long as they have no key; with one it is refused everywhere."""
    version = current(model_settings)
    store.check_current(model_settings)
    assert 1 == caplog.text.count("is not signed")
    assert "is not signed; testing allows that" in caplog.text
    with pytest.raises(ModelRefused, match="is not signed, although testing has a key; train or promote it again"):
        store.verify(version, model_settings.model_copy(update={"signing_key": KEY}))

    production = load_settings("production")
    store.folder(model_settings).rename(store.folder(production))
    with pytest.raises(ModelRefused, match=r"is not signed; .* Production runs approved models only"):
        loading.load(version, production)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "name",
    ["predict is a function", "predict is an array", "NaN coefficients", "other classes", "unfitted", "no predict",
     "other columns", "NaN answers", "no model", "nothing"],
)  # fmt: skip
def test_a_model_that_does_not_answer_as_it_must_fails_its_trial(trained: Trained, name: str) -> None:
    """Good types with a hostile state: the trial says in one line what is wrong."""
    data = pickle.dumps(hostile(trained.pipeline)[name])
    asked = {"globals": names_used(data), "schema": trained.schema.to_dict(), "classes": trained.classes,
             "examples": trained.examples}  # fmt: skip

    assert examine(pickle.dumps(trained.pipeline), {**asked, "globals": None}) == ""
    refusal = examine(data, asked)
    assert refusal.startswith(("The model", "Pipeline.predict_proba replaces a method"))
    assert "\n" not in refusal


def test_a_model_that_crashes_hangs_or_eats_memory_does_so_alone(settings: Settings, trained: Trained) -> None:
    """A tree that points outside of itself, one that never ends and a pickle without bounds: refused, nothing saved."""
    numbers = [feature.name for feature in trained.schema.features if feature.kind == "number"]
    impatient = settings.model_copy(update={"model": settings.model.model_copy(update={"trial_seconds": 5.0})})
    greedy = b"\x80\x05\x96" + (10**13).to_bytes(8, "little") + b"."
    asked: dict[str, Any] = {"globals": [], "schema": {}, "classes": [], "examples": []}
    with ThreadPoolExecutor() as pool:
        trials: dict[str, Future[Any]] = {
            "crashed|broke": pool.submit(
                saving.save, with_pipeline(trained, hostile_tree(numbers, 2**40)), settings),
            "did not answer|crashed": pool.submit(
                saving.save, with_pipeline(trained, hostile_tree(numbers, 0)), impatient),
            "broken": pool.submit(try_model, greedy, asked, settings.model),
        }  # fmt: skip
        for said, trial in trials.items():
            with pytest.raises(ModelRefused, match=said):
                trial.result()

    assert not store.versions(settings)
    assert not list(store.folder(settings).glob("*.pkl"))


def test_a_model_is_tried_once(model_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """What passed its trial when it was saved is not tried again; what differs in anything is."""
    tried: list[Any] = []
    monkeypatch.setattr(loading, "try_model", lambda *question: tried.append(question))
    version = current(model_settings)
    loading.load(version, model_settings)
    assert not tried

    manifest, data = store.verify(version, model_settings)
    loading.try_once(dataclasses.replace(manifest, classes=[1, 0]), data, model_settings)
    assert len(tried) == 1


def test_a_service_that_may_not_write_to_its_models_still_loads_them(
    model_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The receipt of a trial is a convenience: a read-only folder is no reason not to serve."""

    def refuse(path: Path, content: bytes) -> None:
        raise PermissionError(13, "read-only")

    monkeypatch.setattr(loading, "write_whole", refuse)
    monkeypatch.setattr(loading, "try_model", lambda *question: None)
    files(model_settings, ".tried").unlink()

    assert loading.load(current(model_settings), model_settings).manifest.rows > 0


def test_the_same_artefact_moves_to_the_next_environment(strict: Settings) -> None:
    """Promotion: verified here, put there with the signature of that place, loadable there, the bytes unchanged."""
    version = current(strict)
    there = signed(strict, OTHER_KEY, environment="acceptance")
    manifest, data = store.verify(version, strict)
    store.put(manifest, data, there)
    shutil.copy(files(strict, ".tried"), store.folder(there))  # a receipt from elsewhere counts for nothing

    assert store.verify(version, there) == (manifest, data)
    store.activate(version, there)
    assert current(there) == version


def test_a_write_that_is_cut_off_leaves_the_old_file(strict: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash just before the rename: the old pointer is there, whole, and nothing is left behind."""

    def crash(self: Path, target: Path) -> Path:
        raise KeyboardInterrupt

    before = store.pointer(strict)
    monkeypatch.setattr(Path, "replace", crash)
    with pytest.raises(KeyboardInterrupt):
        store.point_to(store.Pointer(1, "x", None), strict)

    assert before == store.pointer(strict)
    assert not list(store.folder(strict).glob(".current*"))


def test_what_a_killed_writer_left_is_swept_away(strict: Settings) -> None:
    """Saving a model deletes half-written files of an hour ago, and nothing else."""
    place = store.folder(strict)
    (place / f".{current(strict)}.pkl.abc").write_bytes(b"half")
    (place / ".current.json.new").write_bytes(b"half")
    before = set(place.iterdir())
    os.utime(place / f".{current(strict)}.pkl.abc", (0, 0))
    for path in place.glob("2*"):
        os.utime(path, (0, 0))

    store.put(*store.verify(current(strict), strict), strict)

    assert {place / f".{current(strict)}.pkl.abc"} == before - set(place.iterdir())


def test_many_changes_at_once_leave_one_whole_pointer(strict: Settings, other: str) -> None:
    """Activating from many threads: every change got a number of its own, and the last one stands."""
    first = current(strict)
    with ThreadPoolExecutor(10) as pool:
        pointers = list(pool.map(lambda version: store.activate(version, strict), [other, first] * 5))

    changes = {pointer.serial: pointer for pointer in pointers}
    assert all(changes[pointer.serial] == pointer for pointer in pointers)
    assert store.pointer(strict) == changes[max(changes)]
