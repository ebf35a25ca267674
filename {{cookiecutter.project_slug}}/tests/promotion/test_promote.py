"""A model walks from development to production, the same bytes all the way, and each gate can say no."""

import json
import re
import secrets
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner, Result
from filelock import FileLock
from sklearn.dummy import DummyClassifier

from player.cli import main
from player.config import load_settings
from player.errors import ModelMissing, PromotionRefused
from player.features import Schema
from player.model import loading, records, saving, store
from player.model.store import Manifest
from player.promotion import gates, promote
from player.promotion.keys import make_approver
from player.storage import queries
from player.storage.tables import create_engine_for
from player.training import Trained

STAGES = ("testing", "acceptance", "production")


@pytest.fixture(name="project")
def _project(keys: Path, small_gate: Path, trained: Trained) -> Path:
    """A project with keys for each environment, a unit test of its own, and a model in development."""
    learn(trained)
    return keys


def learn(trained: Trained, **changes: Any) -> Manifest:
    """Save *trained* in development and make it current, as `player train` does."""
    development = load_settings("development")
    manifest = saving.save(replace(trained, **changes), development)
    promote.make_current(manifest, development, "ann", "")
    return manifest


def another_pipeline(schema: Schema) -> DummyClassifier:
    """Return a small model of these features, which is not the one of *trained*."""
    rows = pd.DataFrame(0, index=range(4), columns=schema.names)
    return DummyClassifier().fit(rows, [0, 1, 1, 0])


def move(target: str, person: str = "ann", **more: Any) -> dict[str, Any]:
    """Promote into *target*."""
    return promote.promote(load_settings(target), person, "because", **more)


def current(environment: str) -> Manifest:
    """Return the manifest of the current model."""
    return store.current_manifest(load_settings(environment))


def run(*arguments: str) -> Result:
    """Call `player` with *arguments*."""
    return CliRunner().invoke(main, list(arguments))


def test_the_same_bytes_walk_from_development_to_production(project: Path) -> None:
    """One command for each step; the artefact stays the same, and only its signature is another one."""
    for stage in STAGES:
        result = run("promote", stage, "--reason", "first release", "--as", "ann")
        assert result.exit_code == 0, result.output

    folders = [store.folder(load_settings(stage)) for stage in ("development", *STAGES)]
    version = current("production").version
    assert len({(folder / f"{version}.pkl").read_bytes() for folder in folders}) == 1
    assert len({(folder / f"{version}.sig").read_text(encoding="utf-8") for folder in folders}) == 4
    assert loading.load(version, load_settings("production")).manifest.version == version


def test_the_record_says_who_when_what_and_why(project: Path) -> None:
    """Each promotion leaves a signed line with the results of the gates."""
    move("testing", "ann")
    found = records.read(load_settings("testing"))[0]

    assert (found["who"], found["why"], found["to"]) == ("ann", "because", "testing")
    assert [gate["gate"] for gate in found["gates"]] == ["controls", "schema", "metrics", "unit tests", "smoke test"]
    assert f"approved: {found['version']}, by ann" in run("-e", "testing", "promotions").output
    assert json.loads(run("-e", "testing", "promotions", "--json").output) == [found]


@pytest.mark.parametrize(
    ("change", "said"),
    [(lambda text: text.replace("ann", "bob"), "was changed after it was signed"),
     (lambda text: text[: len(text) // 2], "in testing is no record")],
    ids=["another name", "half a line"],
)  # fmt: skip
def test_a_record_cannot_be_changed_unseen(project: Path, change: Callable[[str], str], said: str) -> None:
    """Who changes a record has no key to sign it; nothing is believed of it, so the unit tests are run again."""
    move("testing", "ann")
    path = records.path_of(load_settings("testing"))
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")

    shown, moved = run("-e", "testing", "promotions"), run("promote", "acceptance", "--reason", "because")

    assert (shown.exit_code, moved.exit_code) == (1, 0)
    assert f"line 1 of promotions.jsonl {said}" in shown.stderr
    assert "unit tests   1 passed" in moved.output


def test_a_model_that_learned_further_up_passes_the_unit_tests_there(project: Path, trained: Trained) -> None:
    """Only bytes that a stage let in passed its tests; what retraining made there has not, so the tests are run."""
    move("testing")
    testing = load_settings("testing")
    saved = saving.save(replace(trained, pipeline=another_pipeline(trained.schema)), testing)
    promote.make_current(saved, testing, "ann", "")
    (project / "test_small.py").write_text("def test_it():\n    assert False\n", encoding="utf-8")

    assert "unit tests: 1 failed" in run("promote", "acceptance", "--reason", "because").stderr


def test_unit_tests_leave_nothing_behind(project: Path) -> None:
    """In a container the project's folder cannot be written, so the gate leaves no cache there."""
    before = {path.name for path in project.iterdir()}
    move("testing")

    assert {path.name for path in project.iterdir()} - before <= {"output", "__pycache__"}


def last_record(environment: str) -> str:
    """Return the reasons in the newest record, which is one of a refusal."""
    found = records.read(load_settings(environment))[-1]
    assert found["outcome"] == records.REFUSED
    return "; ".join(f"{gate['gate']}: {gate['reason']}" for gate in found["gates"] if not gate["passed"])


def refuses_controls(project: Path, patch: pytest.MonkeyPatch, trained: Trained) -> str:
    patch.setenv("PLAYER_ACCESS__KEY_REQUIRED", "false")
    return "acceptance"


def refuses_unit_tests(project: Path, patch: pytest.MonkeyPatch, trained: Trained) -> str:
    (project / "test_small.py").write_text("def test_it():\n    assert False\n", encoding="utf-8")
    learn(trained, metrics={**trained.metrics, "accuracy": 0.99})
    return "testing"


def refuses_schema(project: Path, patch: pytest.MonkeyPatch, trained: Trained) -> str:
    fewer = replace(trained.schema, features=trained.schema.features[:-1])
    learn(trained, schema=fewer, pipeline=another_pipeline(fewer))
    return "testing"


def refuses_metrics(project: Path, patch: pytest.MonkeyPatch, trained: Trained) -> str:
    learn(trained, metrics={**trained.metrics, "accuracy": trained.metrics["accuracy"] - 0.05})
    return "testing"


def refuses_smoke_test(project: Path, patch: pytest.MonkeyPatch, trained: Trained) -> str:
    learn(trained, metrics={**trained.metrics, "accuracy": 0.99})
    asked = gates.Link.answer
    patch.setattr(
        gates.Link, "answer", lambda self, raws: [replace(a, proba=secrets.randbits(64)) for a in asked(self, raws)]
    )
    return "testing"


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (refuses_controls, "controls: missing: key required"),
        (refuses_unit_tests, "unit tests: 1 failed"),
        (refuses_schema, "schema: other features: channel"),
        (refuses_metrics, "metrics: accuracy"),
        (refuses_smoke_test, "smoke test: 20 of 20 recorded requests are answered differently"),
    ],
    ids=["controls", "unit tests", "schema", "metrics", "smoke test"],
)
def test_each_gate_can_say_no(
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    trained: Trained,
    break_it: Callable[[Path, pytest.MonkeyPatch, Trained], str],
    said: str,
) -> None:
    """One thing wrong is enough: the reason is one line, and the model that was there stays."""
    move("testing")
    before = store.pointer(load_settings("testing"))
    target = break_it(project, monkeypatch, trained)

    result = run("promote", target)

    assert result.exit_code == 1
    assert said in result.stderr
    assert said in last_record(target)
    assert store.pointer(load_settings("testing")) == before
    assert store.pointer(load_settings("acceptance")) is None


def test_a_model_that_was_changed_on_the_way_is_refused(project: Path) -> None:
    """Who has no key of the stage before cannot slip a model into the next one."""
    move("testing")
    folder = store.folder(load_settings("testing"))
    path = folder / f"{current('testing').version}.pkl"
    path.write_bytes(path.read_bytes() + b"x")

    assert "not the file its manifest describes" in run("promote", "acceptance").stderr


def test_there_must_be_a_model_to_move(home: Path) -> None:
    """Without a model in the stage before there is nothing to promote."""
    with pytest.raises(ModelMissing, match="development has no model yet"):
        move("testing")


@pytest.fixture(name="two_people")
def _two_people(project: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """A project of high integrity, and what makes one of its two approvers the one who runs the commands."""
    monkeypatch.setenv("PLAYER_RATING__INTEGRITY", "high")
    for person in ("ann", "bob"):
        make_approver(project, person)
    monkeypatch.setenv("PLAYER_APPROVERS_FILE", str(project / "keys" / "approvers.pub"))
    return lambda person: monkeypatch.setenv(
        "PLAYER_APPROVER_KEY_FILE", str(project / "keys" / f"approver-{person}.key")
    )


def test_two_people_are_needed_where_integrity_is_high(two_people: Callable[[str], None]) -> None:
    """One asks, another approves; nobody approves the own request, and nothing moves before."""
    move("testing", "ann")
    two_people("bob")
    with pytest.raises(PromotionRefused, match="Nobody asked"):
        move("acceptance", "bob", approve=True)

    two_people("ann")
    move("acceptance", "whoever ann says she is")
    assert store.pointer(load_settings("acceptance")) is None
    with pytest.raises(PromotionRefused, match="another person must approve"):
        move("acceptance", "bob", approve=True)

    two_people("bob")
    record = promote.promote(load_settings("acceptance"), "", "", approve=True)
    assert ("ann, approved by bob", "because") == (record["who"], record["why"])
    assert current("acceptance").version == current("testing").version


def test_training_in_a_production_of_high_integrity_only_saves(
    two_people: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command says how two people make the model current, and that is what does it."""
    monkeypatch.setenv("PLAYER_LOGGING__SHOW_VALUES", "false")
    said = run("-e", "production", "train", "--reason", "the first")
    assert said.exit_code == 0, said.output
    assert store.pointer(load_settings("production")) is None
    found = re.search(r"player promote production --version (\S+)", said.output)
    assert found

    version = found[1]
    two_people("ann")
    without_reason = run("promote", "production", "--version", version)
    asked = run("promote", "production", "--version", version, "--reason", "first model")
    two_people("bob")
    approved = run("promote", "production", "--version", version, "--approve")

    assert "Say why" in without_reason.stderr
    assert "waits: another person" in asked.output
    assert approved.exit_code == 0, approved.output
    assert current("production").version == version


def test_a_model_that_was_saved_by_retraining_goes_through_the_gates(project: Path, trained: Trained) -> None:
    """`player retrain --no-activate` saves it in the environment; `--version` makes it current when the gates agree."""
    move("testing")
    first, testing = current("testing").version, load_settings("testing")
    changes = {"metrics": {**trained.metrics, "accuracy": 0.99}}
    saved = saving.save(replace(trained, **changes), testing)
    worse = saving.save(replace(trained, metrics={**trained.metrics, "accuracy": 0.5}), testing)
    assert current("testing").version == first

    result = run("promote", "testing", "--version", saved.version)
    refused = run("promote", "testing", "--version", worse.version)

    assert result.exit_code == 0, result.output
    assert current("testing").version == saved.version
    assert "metrics: accuracy 0.500" in refused.stderr


def test_without_pytest_the_gate_says_what_to_install(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server without the libraries of the tests does not let a model pass that nobody tested."""
    monkeypatch.setattr(gates, "find_spec", lambda name: None)

    assert 'they need pytest here: pip install -c constraints.txt -e ".[dev]"' in run("promote", "testing").stderr


def test_rollback_is_one_command(project: Path, trained: Trained) -> None:
    """The model before takes over again, and that is recorded too."""
    move("testing")
    first = current("testing").version
    learn(trained, metrics={**trained.metrics, "accuracy": 0.99})
    move("testing")
    assert current("testing").version != first

    result = run("-e", "testing", "rollback", "--reason", "it was worse")

    assert result.exit_code == 0, result.output
    assert current("testing").version == first


@pytest.mark.parametrize("step", ["put", "activate"])
def test_a_crash_leaves_a_whole_approved_model(
    project: Path, monkeypatch: pytest.MonkeyPatch, trained: Trained, step: str
) -> None:
    """Whatever stops a promotion half way, the model that was current still is, and the next try succeeds."""
    move("testing")
    before = current("testing").version
    learn(trained, metrics={**trained.metrics, "accuracy": 0.99})

    def crash(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(store, step, crash)
        move("testing")

    assert loading.load(before, load_settings("testing")).manifest.version == current("testing").version
    assert move("testing")["replaces"] == before


def test_one_promotion_at_a_time(project: Path) -> None:
    """The second of two at once is refused in one line, and the first goes on."""
    folder = store.folder(load_settings("testing"))
    folder.mkdir(parents=True)
    with FileLock(folder / ".promote.lock"):
        result = run("promote", "testing")

    assert result.exit_code == 1
    assert "Another promotion to testing is at work" in result.stderr


def test_the_database_knows_what_was_promoted(project: Path) -> None:
    """Production's table of models has the model from its first minute, and the tables are there for the service."""
    for stage in STAGES:
        move(stage)
    engine = create_engine_for(load_settings("production"))
    recorded = queries.models(engine)
    engine.dispose()

    assert [current("production").version] == recorded["version"].tolist()
