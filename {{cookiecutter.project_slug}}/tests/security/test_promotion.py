"""Who can only write to the folder of one environment gets no model into the next one."""

import dataclasses
import hashlib
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from player.cli import main
from player.config import Settings, load_settings
from player.model import records, saving, store
from player.training import Trained
from player.trust.unpickler import names_used

STAGES = ("development", "testing", "acceptance", "production")


@pytest.fixture(name="project")
def _project(keys: Path, small_gate: Path, trained: Trained) -> Path:
    """A project with keys in all environments and a good model that went from development to testing."""
    development = load_settings("development")
    store.activate(saving.save(trained, development).version, development)
    assert promote("testing").exit_code == 0
    return keys


def promote(target: str) -> Result:
    """Call `player promote` as an ordinary user of the project does."""
    return CliRunner().invoke(main, ["promote", target, "--reason", "a new release"])


def negated(trained: Trained) -> Any:
    """Return the pipeline of *trained* with the opposite opinion, saying of itself that it is good."""
    pipeline = pickle.loads(pickle.dumps(trained.pipeline))
    fitted = pipeline.named_steps["classifier"].calibrated_classifiers_[0].estimator
    fitted.coef_, fitted.intercept_ = -fitted.coef_, -fitted.intercept_
    return pipeline


def forge(settings: Settings, trained: Trained, signature: str) -> str:
    """Write a model, a pointer to it and a record of its approval as somebody who has no key; return its version."""
    data = pickle.dumps(negated(trained), protocol=5)
    sha256, folder = hashlib.sha256(data).hexdigest(), store.folder(settings)
    real = json.loads(next(folder.glob("2*.json")).read_text(encoding="utf-8"))
    version = f"20300101-000000-{sha256[:8]}"
    manifest = {**real, "version": version, "sha256": sha256, "size": len(data), "globals": names_used(data)}
    (folder / f"{version}.pkl").write_bytes(data)
    (folder / f"{version}.json").write_text(json.dumps(manifest), encoding="utf-8")
    (folder / f"{version}.sig").write_text(signature, encoding="utf-8")
    pointer = {"serial": 2**40, "current": version, "previous": None, "signature": signature}
    (folder / store.POINTER).write_text(json.dumps(pointer), encoding="utf-8")
    record = {"outcome": records.APPROVED, "sha256": sha256, "version": version, "who": "ann", "why": "", "gates": []}
    line = json.dumps({"record": record, "signature": signature})
    (folder / records.FILE).write_text(f"{line}\n", encoding="utf-8")
    return version


@pytest.mark.parametrize("signature", ["", "0" * 64], ids=["none", "a wrong one"])
def test_a_forged_model_in_testing_goes_nowhere(project: Path, trained: Trained, signature: str) -> None:
    """Model, pointer and record without a signature of testing's key stay where they are."""
    version = forge(load_settings("testing"), trained, signature)

    moved = promote("acceptance")

    assert moved.exit_code == 1
    assert "Traceback" not in moved.output
    assert not list(store.folder(load_settings("acceptance")).glob(f"{version}*"))
    assert store.pointer(load_settings("acceptance")) is None


@pytest.mark.parametrize("signature", ["", "0" * 128], ids=["none", "a wrong one"])
def test_a_forged_record_saves_no_model_a_gate(project: Path, trained: Trained, signature: str) -> None:
    """The model is signed, and a line beside it says that its unit tests were passed: they are asked all the same."""
    testing = load_settings("testing")
    pipeline = pickle.loads(pickle.dumps(trained.pipeline))
    pipeline.verbose = True  # other bytes than those that were promoted
    manifest = saving.save(dataclasses.replace(trained, pipeline=pipeline), testing)
    store.activate(manifest.version, testing)
    record = {"outcome": records.APPROVED, "sha256": manifest.sha256, "version": manifest.version, "who": "ann",
              "why": "", "gates": [{"gate": "unit tests", "passed": True, "reason": ""}]}  # fmt: skip
    with records.path_of(testing).open("a", encoding="utf-8") as file:
        file.write(json.dumps({"record": record, "signature": signature}) + "\n")
    (project / "test_small.py").write_text("def test_it():\n    assert False\n", encoding="utf-8")

    moved = promote("acceptance")

    assert moved.exit_code == 1
    assert "Not promoted to acceptance. unit tests: " in moved.stderr
    assert store.pointer(load_settings("acceptance")) is None


def test_a_stage_without_a_key_promotes_nothing_into_a_strict_one(
    project: Path, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where testing has no key nothing of it can be believed, so nothing of it goes to acceptance."""
    (project / "keys" / "testing-signing.key").unlink()
    forge(load_settings("testing"), trained, "")

    assert "is not signed" in promote("acceptance").stderr
    assert store.pointer(load_settings("acceptance")) is None


def test_a_gate_measures_the_model_and_leaves_it_unsigned_when_it_is_bad(project: Path, trained: Trained) -> None:
    """A model that says of itself that it is good, and is not, is refused, and nothing of it is signed on the way."""
    development, testing = load_settings("development"), load_settings("testing")
    boasting = dataclasses.replace(
        trained, pipeline=negated(trained), metrics={**trained.metrics, "accuracy": 0.99, "baseline_accuracy": 0.5}
    )
    bad = saving.save(boasting, development).version
    store.activate(bad, development)
    before = store.pointer(testing)

    refused = promote("testing")

    assert "metrics: accuracy 0." in refused.stderr
    assert not list(store.folder(testing).glob(f"{bad}.sig"))
    assert before == store.pointer(testing)


@pytest.mark.parametrize(
    ("first", "compared_with"),
    [(False, "the model before"), (True, "the most frequent label")],
    ids=["the pointer was taken away", "the first"],
)
def test_a_model_without_a_current_one_is_measured_too(
    project: Path, trained: Trained, first: bool, compared_with: str
) -> None:
    """Without a pointer the records say what it is compared with; without both there still are rows."""
    development, testing = load_settings("development"), load_settings("testing")
    bad = saving.save(dataclasses.replace(trained, pipeline=negated(trained)), development).version
    store.activate(bad, development)
    (store.folder(testing) / store.POINTER).unlink()
    if first:
        records.path_of(testing).unlink()

    assert compared_with in promote("testing").stderr
    assert store.pointer(testing) is None
