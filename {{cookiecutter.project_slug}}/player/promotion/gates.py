"""What must be true before a model moves up: each gate says yes or no, and why."""

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from sqlalchemy.exc import SQLAlchemyError

from player.config import Settings
from player.errors import PlayerError
from player.features import Schema
from player.model import store
from player.model.answering import Link
from player.model.champion_challenger import compare
from player.model.store import Manifest
from player.promotion.records import was_approved
from player.reading.labels import known_labels, same_label
from player.settings.controls import blocking
from player.storage import queries
from player.storage.tables import create_engine_for

UNIT_TESTS = ("tests/test_features.py", "tests/web/test_payload.py", "tests/test_training.py")
TEST_SECONDS = 300
ENOUGH_LABELS, NEWEST_LABELS, SMOKE_REQUESTS = 100, 600, 50
TOLERANCE = 0.01  # accuracies of two hold-outs differ by so much without any reason


@dataclass(frozen=True)
class Move:
    """One model on its way from one environment to the next; *incumbent* is the model that is there now, if any."""

    source: Settings
    target: Settings
    manifest: Manifest
    incumbent: Manifest | None


@dataclass(frozen=True)
class Verdict:
    """What one gate said."""

    gate: str
    passed: bool
    reason: str


def controls(move: Move) -> Verdict:
    """The target has every control that its environment and its CIA rating need."""
    missing = blocking(move.target)
    reasons = "; ".join(f"{control.name} ({control.fix})" for control in missing)
    return Verdict("controls", not missing, f"missing: {reasons}" if missing else "every required control is met")


def unit_tests(move: Move) -> Verdict:
    """The project's unit tests pass: now, or for these very bytes when the environment before let them in."""
    if was_approved(move.manifest.sha256, move.source):
        return Verdict("unit tests", True, f"passed on the way to {move.source.environment}")
    if find_spec("pytest") is None:
        return Verdict("unit tests", False, 'they need pytest here: pip install -c constraints.txt -e ".[dev]"')
    command = [sys.executable, "-m", "pytest", "-q", "-x", *UNIT_TESTS]
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and tests
            command, cwd=move.target.home, capture_output=True, text=True, timeout=TEST_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return Verdict("unit tests", False, f"not finished after {TEST_SECONDS} s")
    lines = (done.stdout + done.stderr).strip().splitlines()
    return Verdict("unit tests", done.returncode == 0, lines[-1] if lines else "pytest said nothing")


def schema(move: Move) -> Verdict:
    """The model takes the features and gives the classes of the one it replaces."""
    if move.incumbent is None:
        return Verdict("schema", True, "the first model here: nothing to be compatible with")
    new, old = features_of(move.manifest), features_of(move.incumbent)
    if move.manifest.classes != move.incumbent.classes:
        return Verdict("schema", False, f"other classes: {move.manifest.classes} instead of {move.incumbent.classes}")
    if new == old:
        return Verdict("schema", True, f"the same {len(new)} features and classes")
    names = ", ".join(sorted(name for name in new.keys() | old.keys() if new.get(name) != old.get(name)))
    return Verdict("schema", False, f"other features: {names}")


def features_of(manifest: Manifest) -> dict[str, str]:
    """Return the kind of each feature."""
    return {feature.name: feature.kind for feature in Schema.from_dict(manifest.schema).features}


def metrics(move: Move) -> Verdict:
    """The model is at least as good as the one it replaces: on the target's newest labels, else by their hold-outs."""
    if move.incumbent is None:
        better = move.manifest.metrics["accuracy"] > move.manifest.metrics["baseline_accuracy"]
        return Verdict("metrics", better, "better than the baseline" if better else "no better than the baseline")
    labelled = newest_labelled(move.target, move.incumbent.classes)
    if len(labelled) < ENOUGH_LABELS:
        new, old = move.manifest.metrics["accuracy"], move.incumbent.metrics["accuracy"]
        return Verdict("metrics", new >= old - TOLERANCE, f"accuracy {new:.3f} on its hold-out, {old:.3f} before")
    right = [
        right_answers(one.version, where, labelled)
        for one, where in ((move.incumbent, move.target), (move.manifest, move.source))
    ]
    found = compare(*right)
    return Verdict("metrics", found.high >= 0, found.sentence)


def newest_labelled(settings: Settings, classes: Sequence[Any]) -> list[dict[Any, Any]]:
    """Return the newest requests of an environment with a label that is one of *classes*; none without a database."""
    try:
        engine = create_engine_for(settings)
        rows, _ = known_labels(queries.labelled(engine), classes)
        engine.dispose()
    except (SQLAlchemyError, PlayerError, OSError):
        return []
    return rows[rows["label"].notna()].tail(NEWEST_LABELS).to_dict("records")


def right_answers(version: str, settings: Settings, labelled: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Return for each labelled request whether the model answers it rightly: bool of shape (rows,)."""
    answers = Link(store.load(version, settings), TEST_SECONDS).answer([row["features"] for row in labelled])
    return np.array([same_label(answer.pred, row["label"]) for answer, row in zip(answers, labelled, strict=True)])


def smoke(move: Move) -> Verdict:
    """Signed for the target, the model answers recorded requests exactly as it did before it moved."""
    requests = [
        row["features"] for row in newest_labelled(move.source, move.manifest.classes)[-SMOKE_REQUESTS:]
    ] or move.manifest.examples
    here, there = (
        Link(store.load(move.manifest.version, where), TEST_SECONDS).answer(requests)
        for where in (move.source, move.target)
    )
    differ = sum(a != b for a, b in zip(here, there, strict=True))
    return Verdict("smoke test", differ == 0, f"{differ} of {len(requests)} recorded requests are answered differently")


BEFORE: tuple[Callable[[Move], Verdict], ...] = (controls, schema, metrics, unit_tests)
