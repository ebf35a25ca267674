"""A model is kept whole, found again, and trusted only when it is ours."""

import json
import pickle
import threading
from pathlib import Path

import pytest
from pydantic import SecretStr
from sklearn.dummy import DummyClassifier

from player.config import Settings, load_settings
from player.errors import ModelMissing, ModelRefused
from player.features import clean_table
from player.model import store
from player.training import Trained

KEY = SecretStr("the-first-key-0123456789abcdefghij")
OTHER_KEY = SecretStr("another-key-0123456789abcdefghijkl")


def signed(settings: Settings, key: SecretStr = KEY, environment: str = "testing") -> Settings:
    """Return *settings* with a signing key, in which nothing unsigned is allowed."""
    model = settings.model.model_copy(update={"allow_unsigned": False})
    return settings.model_copy(update={"signing_key": key, "model": model, "environment": environment})


@pytest.fixture(name="strict")
def _strict(settings: Settings, trained: Trained) -> Settings:
    """Settings that need signatures, with one signed and active model."""
    strict = signed(settings)
    store.activate(store.save(trained, strict).version, strict)
    return strict


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
    model = store.load(current(strict), strict)
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


def test_the_model_before_stays_at_hand(strict: Settings, trained: Trained) -> None:
    """Activating keeps the old model as the fallback, and rollback takes it back."""
    first = current(strict)
    second = store.save(Trained(**{**vars(trained), "pipeline": dummy(trained)}), strict).version
    pointer = store.activate(second, strict)

    assert (pointer.current, pointer.previous) == (second, first)

    back = store.rollback(strict)

    assert (back.current, back.previous) == (first, second)
    assert back.serial > pointer.serial


def dummy(trained: Trained) -> DummyClassifier:
    """Return a fitted stand-in that answers the most frequent class."""
    return DummyClassifier(strategy="prior").fit([[0], [1], [1]], [0, 1, 1])


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
        (".sig", lambda _: b"0" * 64, "signature that is not ours"),
        (".sig", lambda data: data[:-1], "signature that is not ours"),
    ],
)
def test_a_changed_file_is_refused(strict: Settings, ending: str, change: object, said: str) -> None:
    """Pickle, manifest and signature belong together: each change is noticed before anything is unpickled."""
    path = files(strict, ending)
    path.write_bytes(change(path.read_bytes()))  # type: ignore[operator]

    with pytest.raises(ModelRefused, match=said):
        store.load(current(strict), strict)


def test_a_model_signed_with_another_key_is_refused(strict: Settings) -> None:
    """Who does not have the key cannot put a model there."""
    other = signed(strict, OTHER_KEY)

    with pytest.raises(ModelRefused, match="not ours"):
        store.pointer(other)
    with pytest.raises(ModelRefused, match="not ours"):
        store.load(current(strict), other)


def test_a_model_of_another_environment_is_refused(strict: Settings) -> None:
    """A model signed for one environment is not signed for the next, even with the same key."""
    version = current(strict)
    there = signed(strict, environment="production")
    store.folder(strict).rename(store.folder(there))

    with pytest.raises(ModelRefused, match="signature that is not ours for this environment"):
        store.load(version, there)


def test_a_model_under_another_name_is_refused(strict: Settings) -> None:
    """Renaming an old signed model to a new version does not make it one."""
    version = current(strict)
    for ending in (".pkl", ".json", ".sig"):
        files(strict, ending).rename(store.folder(strict) / f"20990101-000000-00000000{ending}")

    with pytest.raises(ModelRefused, match=f"describes '{version}'"):
        store.load("20990101-000000-00000000", strict)


@pytest.mark.parametrize("name", ["../../secret", "a/b", "", "A", "x\n"])
def test_a_version_is_a_name_and_not_a_path(strict: Settings, name: str) -> None:
    """A version that is a path is refused before any file is touched."""
    with pytest.raises(ModelRefused, match="not the name of a model version"):
        store.load(name, strict)


def test_a_pointer_that_was_changed_is_refused(strict: Settings) -> None:
    """Which model is current is signed too."""
    path = store.folder(strict) / store.POINTER
    path.write_text(path.read_text(encoding="utf-8").replace('"serial": ', '"serial": 9'), encoding="utf-8")

    with pytest.raises(ModelRefused, match="pointer"):
        store.pointer(strict)


def test_an_unsigned_model_loads_in_development_alone(settings: Settings, trained: Trained) -> None:
    """Without a key development works; acceptance and production refuse the same files."""
    development = load_settings("development")
    version = store.save(trained, development).version
    assert store.load(version, development).manifest.version == version

    production = load_settings("production")
    store.folder(development).rename(store.folder(production))
    with pytest.raises(ModelRefused, match="is not signed; production runs approved models only"):
        store.load(version, production)


def test_a_model_that_breaks_its_trial_is_not_saved(settings: Settings, trained: Trained) -> None:
    """A model that does not answer its own examples never becomes current."""
    broken = Trained(**{**vars(trained), "pipeline": DummyClassifier()})

    with pytest.raises(ModelRefused):
        store.save(broken, settings)


def test_only_one_of_many_at_once_wins(strict: Settings, trained: Trained) -> None:
    """Activating from many threads leaves one whole pointer, and every change got a number of its own."""
    version = current(strict)
    other = store.save(Trained(**{**vars(trained), "pipeline": dummy(trained)}), strict).version
    serials = []
    threads = [
        threading.Thread(target=lambda v=v: serials.append(store.activate(v, strict).serial))
        for v in [other, version] * 5
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert current(strict) in (version, other)
    assert not list(store.folder(strict).glob(".current*"))
