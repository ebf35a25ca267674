"""The figures on top of the page, each in words: what it is, what to know about it, whether it is a worry."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from player.model.manifests import Manifest
from player.monitoring.history.reading import History
from player.monitoring.reports import Report


@dataclass(frozen=True)
class Tile:
    """One figure: its name, its value, what to know about it, and its state (ok, warn, alarm or nothing)."""

    name: str
    value: str
    note: str = ""
    state: str = ""


def make_tiles(found: Report, past: History, storage: Mapping[str, Any], manifest: Manifest | None) -> list[Tile]:
    """Return the figures on top of the page; without *storage* nobody knows how the writer of a service is."""
    figures = found.figures
    p95 = figures.latency_ms.get("p95")
    return [
        accuracy_tile(found),
        expected_tile(found),
        Tile("Right answers", f"{past.right:,}", f"of {past.labelled:,} labelled since the first request, as a board "
             f"counts them; {figures.points:,} of the newest"),
        Tile("Predictions", f"{figures.rows:,}", f"newest rows; {figures.repaired:.0%} needed repair"),
        Tile("Labels", f"{figures.coverage:.0%}" if figures.rows else "-", label_note(found)),
        Tile("Fallback answers", f"{figures.degraded:.1%}", "not from the current model",
             "warn" if figures.degraded > 0 else ""),
        Tile("Answer time", "-" if p95 is None else f"{p95:.0f} ms", "95 % were faster"),
        model_tile(manifest),
        *([storage_tile(storage)] if storage else []),
    ]  # fmt: skip


def accuracy_tile(found: Report) -> Tile:
    """Return the measured accuracy with its interval, or that there is none yet."""
    share = found.figures.accuracy
    if share is None:
        return Tile("Accuracy", "-", "no labels yet")
    note = f"{share.low:.0%} to {share.high:.0%}, of {found.figures.labelled:,} labelled"
    if found.expected is not None:
        note += f"; {found.expected:.0%} when trained"
    fell = found.expected is not None and share.high < found.expected
    return Tile("Accuracy", as_percent(share.value), note, "alarm" if fell else "ok")


def expected_tile(found: Report) -> Tile:
    """Return the accuracy to expect without labels, and whether that can be trusted now."""
    if found.promise is None:
        return Tile("Expected accuracy", "-", "no answer of the model yet")
    doubts = "; ".join(found.promise.doubts)
    between = f"{found.promise.low:.0%} to {found.promise.high:.0%}, by the model's own word"
    return Tile("Expected accuracy", as_percent(found.promise.value), f"{between}; {doubts}" if doubts else between,
                "warn" if doubts and found.figures.labelled else "")  # fmt: skip


def label_note(found: Report) -> str:
    """Return how many labels there are and how late they come."""
    delay = found.figures.label_delay_seconds
    late = "" if delay is None else f", {as_duration(delay)} after the answer"
    return f"{found.figures.labelled:,} known{late}"


def model_tile(manifest: Manifest | None) -> Tile:
    """Return which model answers and how old it is."""
    if manifest is None:
        return Tile("Model", "none", "`player train` makes one", "alarm")
    age = datetime.now(UTC) - pd.Timestamp(manifest.created_at).to_pydatetime()
    return Tile(
        "Model", manifest.version.rpartition("-")[2], f"{manifest.version}, {as_duration(age.total_seconds())} old"
    )


def storage_tile(storage: Mapping[str, Any]) -> Tile:
    """Return whether the database takes rows, and how many wait for it."""
    note = f"spooling {storage['spooled']:,} rows" if storage["spooled"] else "no row waits"
    if storage.get("set_aside"):
        note += f"; {storage['set_aside']:,} it refused are set aside"
    return Tile("Database", storage["database"], note, "" if storage["database"] == "ok" else "alarm")


def as_percent(share: float | None) -> str:
    """Return a share as people write it; "-" when it is not known."""
    return "-" if share is None else f"{share:.0%}"


def as_duration(seconds: float) -> str:
    """Return a length of time with the one unit that fits.

    >>> as_duration(0.4), as_duration(95), as_duration(7300), as_duration(200_000)
    ('0.4 s', '2 min', '2 h', '2 days')
    """
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 2 * 86_400 else f"{seconds / 86_400:.0f} days"
