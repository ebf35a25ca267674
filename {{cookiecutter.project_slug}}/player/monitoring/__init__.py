"""How the model is doing and why: pure functions over tables of answered requests, usable from a notebook."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from player.monitoring.diagnosis import Diagnosis, diagnose, percent
from player.monitoring.drift import Drift, compare, describe_score, readable, seen_by_model
from player.monitoring.evidence import weigh
from player.monitoring.figures import Figures, measure, since_current_model, tidy
from player.monitoring.periods import Period, periods
from player.monitoring.quality import finite, positive_class
from player.monitoring.traces import find_traces
from player.reading.labels import known_labels
from player.settings.sections import Monitoring

__all__ = ["Diagnosis", "Drift", "Figures", "Period", "Report", "chapters", "report"]


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
    before = (metrics or {}).get("accuracy", promised_accuracy(profile))
    evidence = weigh(now, table, drifts, profile, before, figures.positive)
    diagnosis = diagnose(figures, drifts, find_traces(table, drifts, profile), evidence, settings)
    return Report(diagnosis, figures, before, drifts, describe_score(now, profile, settings), periods(rows), strange)


def chapters(
    rows: pd.DataFrame,
    profile: Mapping[str, Any] | None,
    settings: Monitoring,
    metrics: Mapping[str, float] | None = None,
    most: int = 8,
) -> list[Report]:
    """Return a report for each stretch of `window_rows`, oldest first and *most* of them: what happened when."""
    rows = tidy(rows)
    starts = range(len(rows) - settings.window_rows, -1, -settings.window_rows)
    parts = [rows.iloc[start : start + settings.window_rows] for start in starts[:most]]
    return [report(part, profile, settings, metrics) for part in reversed(parts)]


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
    lines = [f"{diagnosis.cause.upper()}: {diagnosis.sentence}", *(f"  {note}" for note in diagnosis.evidence)]
    lines += [f"  {diagnosis.advice}", ""]
    accuracy = "no labels yet" if figures.accuracy is None else percent(figures.accuracy)
    expected = "unknown" if figures.expected_accuracy is None else f"{figures.expected_accuracy:.0%}"
    lines += [
        f"rows      {figures.rows:,} since {figures.first:%Y-%m-%d %H:%M:%S}" if figures.first else "rows      0",
        f"labels    {figures.labelled:,} ({figures.coverage:.0%})",
        f"points    {figures.points:,}",
        f"accuracy  {accuracy}",
        f"expected  {expected} (by the model's own probabilities)",
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
