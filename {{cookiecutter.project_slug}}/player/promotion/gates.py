"""What must be true before a model moves up: each gate says yes or no, and why."""

import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from sqlalchemy.exc import SQLAlchemyError

from player.config import Settings
from player.errors import PlayerError
from player.features import Schema
from player.model import loading
from player.model.answering import Link
from player.model.champion_challenger import compare
from player.model.records import passed
from player.model.store import Manifest
from player.promotion.stage_data import training_rows
from player.reading.labels import known_labels, same_label
from player.settings.controls import blocking
from player.storage import queries
from player.storage.tables import create_engine_for

UNIT_TESTS = ("tests/test_features.py", "tests/web/test_payload.py", "tests/test_training.py")
TEST_SECONDS = 300
ENOUGH_LABELS, NEWEST_LABELS, MOST_OF_TABLE, SMOKE_REQUESTS = 100, 600, 2000, 50
TOLERANCE = 0.01  # accuracies of two hold-outs differ by so much without any reason


@dataclass(frozen=True)
class Move:
    """One model on its way from one environment to the next; *incumbent* is the model that is there now, if any.

    *data* is its pickle: what a gate judges, it finds out from these bytes, never from what the model says of itself.
    """

    source: Settings
    target: Settings
    manifest: Manifest
    data: bytes
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
    """The project's unit tests pass: now, or for these very bytes on their way into the environment before."""
    if passed("unit tests", move.manifest, move.source):
        return Verdict("unit tests", True, f"passed on the way to {move.source.environment}")
    if find_spec("pytest") is None:
        return Verdict("unit tests", False, 'they need pytest here: pip install -c constraints.txt -e ".[dev]"')
    # Without a cache: in a container the project's folder cannot be written.
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *UNIT_TESTS]
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
    """The model is at least as good as the one it replaces: on the target's newest labels, else on the training table.

    Its answers are counted here. Most rows of the table are ones it has learned from, which flatters it; so what its
    manifest says of the hold-out counts as well, but only where that is less.
    """
    labelled = newest_labelled(move.target, (move.incumbent or move.manifest).classes)
    if move.incumbent and len(labelled) >= ENOUGH_LABELS:
        old = right_answers(loading.load(move.incumbent.version, move.target), labelled)
        found = compare(old, right_answers(open_in(move.target, move), labelled))
        return Verdict("metrics", found.high >= 0, found.sentence)
    if len(labelled) < ENOUGH_LABELS:
        try:
            labelled = newest_of_table(move)
        except PlayerError as error:
            return Verdict("metrics", False, f"no labelled row to measure it on: {error}")
    if not labelled:
        return Verdict("metrics", False, "no labelled row to measure it on: collect labels")
    right = float(right_answers(open_in(move.target, move), labelled).mean())
    accuracy = min(right, move.manifest.metrics.get("accuracy", 0.0))
    before, whose = share_of_most_frequent(labelled), "the most frequent label"
    if move.incumbent:
        before, whose = move.incumbent.metrics["accuracy"] - TOLERANCE, "the model before, less a tolerance"
    better = accuracy > before if move.incumbent is None else accuracy >= before
    return Verdict(
        "metrics", better, f"accuracy {accuracy:.3f}, measured on {len(labelled)} rows; {whose}: {before:.3f}"
    )


def open_in(settings: Settings, move: Move) -> loading.Model:
    """Return the model that moves as it would run in that environment, before anything there is signed."""
    return loading.open_model(move.manifest, move.data, settings)


def newest_of_table(move: Move) -> list[dict[Any, Any]]:
    """Return the newest rows of the target's training table that have a label; raises DataError when it is unusable."""
    rows, _ = known_labels(training_rows(move.target), (move.incumbent or move.manifest).classes)
    rows = rows[rows["label"].notna()]
    return rows.tail(min(MOST_OF_TABLE, len(rows) // 5)).to_dict("records")


def share_of_most_frequent(labelled: Sequence[Mapping[str, Any]]) -> float:
    """Return how often the most frequent label is right."""
    counts = Counter(str(row["label"]) for row in labelled)
    return max(counts.values()) / len(labelled)


def newest_labelled(settings: Settings, classes: Sequence[Any]) -> list[dict[Any, Any]]:
    """Return the newest requests of an environment with a label that is one of *classes*; none without a database."""
    try:
        engine = create_engine_for(settings)
        rows, _ = known_labels(queries.labelled(engine), classes)
        engine.dispose()
    except (SQLAlchemyError, PlayerError, OSError):
        return []
    return rows[rows["label"].notna()].tail(NEWEST_LABELS).to_dict("records")


def right_answers(model: loading.Model, labelled: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Return for each labelled request whether the model answers it rightly: bool of shape (rows,)."""
    answers = Link(model, TEST_SECONDS).answer([row["features"] for row in labelled])
    return np.array([same_label(answer.pred, row["label"]) for answer, row in zip(answers, labelled, strict=True)])


def smoke(move: Move) -> Verdict:
    """In the target the model answers recorded requests exactly as it did where it comes from."""
    recorded = newest_labelled(move.source, move.manifest.classes)[-SMOKE_REQUESTS:]
    requests = [row["features"] for row in recorded] or move.manifest.examples
    models = loading.load(move.manifest.version, move.source), open_in(move.target, move)
    here, there = (Link(model, TEST_SECONDS).answer(requests) for model in models)
    differ = sum(a != b for a, b in zip(here, there, strict=True))
    return Verdict("smoke test", differ == 0, f"{differ} of {len(requests)} recorded requests are answered differently")


GATES: tuple[Callable[[Move], Verdict], ...] = (controls, schema, metrics, unit_tests, smoke)
MADE_HERE: tuple[Callable[[Move], Verdict], ...] = (controls, schema, metrics)  # by `player train`, with tested code
