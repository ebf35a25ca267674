"""What there is to say about the newest requests: one report, and one for each chapter of the past."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from player.monitoring.diagnosis import Diagnosis, diagnose
from player.monitoring.drift import Drift, compare, describe_score, readable, seen_by_model
from player.monitoring.evidence.onset import Onset, find_onset
from player.monitoring.evidence.traces import find_traces
from player.monitoring.evidence.weighing import weigh
from player.monitoring.expected import Expected, expect
from player.monitoring.figures import Figures, measure, since_current_model, tidy
from player.monitoring.labels import describe_labels
from player.monitoring.periods import Period, periods
from player.monitoring.quality import finite, positive_class
from player.monitoring.words import percent
from player.reading.labels import known_labels
from player.settings.sections import Monitoring

ONSET_WINDOWS = 6  # how far back is looked for the beginning of what is now


@dataclass(frozen=True)
class Report:
    """Everything there is to say about the newest rows; the dashboard, `player monitor` and machines read it."""

    diagnosis: Diagnosis
    figures: Figures
    expected: float | None  # the accuracy to compare with: of the hold-out, or as the training profile promises it
    drift: list[Drift]
    score: Drift | None  # the probabilities themselves
    periods: list[Period]
    strange_labels: str = ""  # a sentence about labels that are no class of the model; they count nowhere
    onset: Onset | None = None  # since when the causes hold, when that is within the rows
    promise: Expected | None = None  # the accuracy to expect without labels, and whether that can be trusted

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON values; times in ISO format."""
        plain: dict[str, Any] = as_json(asdict(self))
        return plain

    def to_text(self) -> str:
        """Return the report as lines for a terminal."""
        return "\n".join(text_lines(self))


def report(
    rows: pd.DataFrame,
    profile: Mapping[str, Any] | None,
    settings: Monitoring,
    metrics: Mapping[str, float] | None = None,
) -> Report:
    """Return what *rows* say about the model that has this training *profile* and hold-out *metrics*.

    *rows* has the columns of `figures.COLUMNS`. All of them are counted over time; figures, drift and diagnosis are
    about the newest `window_rows` since the current model took over. Without a profile there is no drift to see.
    """
    profile = profile or {}
    classes = list(profile.get("label", {}))
    rows, strange = known_labels(tidy(rows), classes)
    now = since_current_model(rows.tail(settings.window_rows))
    figures = measure(now, classes)
    table = seen_by_model(now, profile)
    drifts = compare(table, profile, settings)
    before = accuracy_before(profile, metrics or {})
    traces = find_traces(table, drifts, profile) if len(now) >= settings.min_rows else {}
    evidence = weigh(now, table, drifts, traces, profile, before, figures.positive)
    diagnosis = diagnose(figures, evidence, describe_labels(now), settings)
    onset = None
    if diagnosis.causes:
        stretch = since_current_model(rows).tail(ONSET_WINDOWS * settings.window_rows)
        whole = table if len(stretch) == len(now) else seen_by_model(stretch, profile)
        onset = find_onset(stretch, whole, profile, evidence, figures.positive)
    promise = expect(now, table, profile, evidence, figures.positive)
    figures = replace(figures, expected_accuracy=promise.value if promise else None)
    score = describe_score(now, profile, settings)
    return Report(diagnosis, figures, before, drifts, score, periods(rows), strange, onset, promise)


def chapters(
    rows: pd.DataFrame,
    profile: Mapping[str, Any] | None,
    settings: Monitoring,
    metrics: Mapping[str, float] | None = None,
    before: int = 0,
) -> list[Report]:
    """Return a report for each whole stretch of `window_rows`, oldest first: what happened when.

    Stretches are counted from the very first row, *before* of which are not among *rows*: more rows later never
    change a stretch that is whole.
    """
    rows = tidy(rows)
    bounds = chapter_bounds(before, len(rows), settings.window_rows)
    return [report(rows.iloc[begin:end], profile, settings, metrics) for begin, end in bounds]


def chapter_bounds(before: int, rows: int, window: int) -> list[tuple[int, int]]:
    """Return begin and end of each whole stretch of *window* among *rows*, counted from *before* rows earlier.

    >>> chapter_bounds(0, 10, 4), chapter_bounds(6, 10, 4)
    ([(0, 4), (4, 8)], [(2, 6), (6, 10)])
    """
    first = -before % window
    return [(begin, begin + window) for begin in range(first, rows - window + 1, window)]


def accuracy_before(profile: Mapping[str, Any], metrics: Mapping[str, float]) -> float | None:
    """Return the accuracy to compare with: on rows not learned from, or as the probabilities of training promise it."""
    known = profile.get("calibration", {}).get("accuracy", metrics.get("accuracy"))
    return promised_accuracy(profile) if known is None else float(known)


def promised_accuracy(profile: Mapping[str, Any]) -> float | None:
    """Return the accuracy that the probabilities of training promise, read from their bins in the profile.

    >>> proba = {"low": 0.1, "high": 0.9, "edges": [0.3, 0.7], "shares": [0.25, 0.5, 0.25]}
    >>> print(f"{promised_accuracy({'proba': proba, 'label': {'0': 0.5, '1': 0.5}}):.2f}")
    0.65
    """
    proba = profile.get("proba")
    if not proba:
        return None
    bounds = np.array([proba["low"], *proba["edges"], proba["high"]])
    middle = (bounds[:-1] + bounds[1:]) / 2
    if positive_class(list(profile["label"])):
        middle = np.maximum(middle, 1 - middle)
    return finite(np.dot(proba["shares"], middle))


def text_lines(found: Report) -> list[str]:
    """Return the lines of `Report.to_text`."""
    figures, diagnosis = found.figures, found.diagnosis
    lines = [f"{diagnosis.title.upper()}: {diagnosis.sentence}"]
    lines += [f"  {found.onset.to_text()}"] if found.onset else []
    lines += [f"  {note}" for note in diagnosis.evidence]
    lines += [f"  Open: {question}" for question in diagnosis.open_questions]
    lines += [f"  {diagnosis.advice}", ""]
    accuracy = "no labels yet" if figures.accuracy is None else percent(figures.accuracy)
    expected = "unknown" if found.promise is None else found.promise.to_text()
    lines += [
        f"rows      {figures.rows:,} since {figures.first:%Y-%m-%d %H:%M:%S}" if figures.first else "rows      0",
        f"labels    {figures.labelled:,} ({figures.coverage:.0%})",
        f"points    {figures.points:,}",
        f"accuracy  {accuracy}",
        f"expected  {expected}",
        f"fallback  {figures.degraded:.1%} of the answers",
        f"latency   {figures.latency_ms.get('p95', 0):.0f} ms (95 % were faster)",
        "",
    ]
    if found.strange_labels:
        lines += [found.strange_labels, ""]
    for drift in found.drift:
        lines.append(f"{drift.verdict:<13} PSI {drift.psi:5.2f}  {readable(drift.name)}")
    return lines


def as_json(value: Any) -> Any:
    """Return *value* with times as ISO text and what is no finite number as None."""
    if isinstance(value, dict):
        return {str(name): as_json(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(inner) for inner in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return finite(value) if isinstance(value, float) else value
