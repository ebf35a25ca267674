"""What stands on the page: asks the database, the model and the writer, and puts their answers into words."""

import json
import re
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock
from typing import Any

import pandas as pd
from sqlalchemy.exc import SQLAlchemyError

from player import TEMPLATE
from player.errors import ModelError
from player.model import store
from player.monitoring import Report, report
from player.monitoring.quality import class_names
from player.reading.labels import known_labels
from player.settings.sections import Monitoring
from player.storage import queries
from player.storage.database import within
from player.web.components import Components
from player.web.dashboard.history import History

# How many windows the page looks back, and how many rows and bytes of them at most: a stranger can make rows large.
HISTORY, MOST_ROWS, MOST_BYTES = 12, 6000, 8_000_000
NEWEST = 10
COMMONEST = 8
GOOD_FOR = 5.0  # seconds a page is shown again instead of computed anew
PATIENCE = 5.0  # seconds for the database


@dataclass(frozen=True)
class Tile:
    """One figure: its name, its value, what to know about it, and its state (ok, warn, alarm or nothing)."""

    name: str
    value: str
    note: str = ""
    state: str = ""


@dataclass(frozen=True)
class Page:
    """Everything the template shows."""

    project: str
    environment: str
    at: datetime
    found: Report
    chapters: list[Report]
    tiles: list[Tile]
    warnings: list[tuple[str, int]]
    models: list[dict[Any, Any]]
    newest: list[dict[Any, Any]]
    thresholds: tuple[float, float]
    window: int
    template: str = TEMPLATE
    troubles: list[str] = field(default_factory=list)


class PageCache:
    """Keeps the page for a moment, so that many viewers cost as much as one."""

    def __init__(self) -> None:
        """Start without a page."""
        self.lock = Lock()
        self.page: Page | None = None
        self.history = History()
        self.until = 0.0

    def get(self, components: Components) -> Page:
        """Return a page at most `GOOD_FOR` seconds old; only one thread at a time computes it."""
        with self.lock:
            if self.page is None or time.monotonic() > self.until:
                self.page = gather(components, self.history)
                self.until = time.monotonic() + GOOD_FOR
            return self.page


def gather(components: Components, history: History) -> Page:
    """Return the page as of now; a database or model that does not answer becomes a trouble on it, not an error."""
    settings = components.settings
    limits = settings.monitoring
    limit = max(min(HISTORY * limits.window_rows, MOST_ROWS), limits.window_rows)
    rows, total, models, troubles = read_tables(components, limit)
    manifest, trouble = read_manifest(components)
    rows, strange = known_labels(rows, manifest.classes if manifest else ())
    found = report(rows, *judged_by(manifest, limits))

    def judge(part: pd.DataFrame, version: str) -> Report:
        return report(part, *judged_by(manifest_of(version, components) or manifest, limits))

    return Page(
        project=settings.project.name,
        environment=settings.environment,
        at=datetime.now(UTC),
        found=found,
        chapters=history.update(rows, total, limits.window_rows, judge),
        tiles=make_tiles(found, components.writer.status(), manifest),
        warnings=count_warnings(rows.head(limits.window_rows)),
        models=describe_models(models, rows, manifest),
        newest=describe_newest(rows.head(NEWEST), settings.logging.show_values),
        thresholds=(limits.psi_warn, limits.psi_alarm),
        window=limits.window_rows,
        troubles=[*components.complaints(), *troubles, *trouble, *([strange] if strange else [])],
    )


def judged_by(
    manifest: store.Manifest | None, limits: Monitoring
) -> tuple[dict[str, Any], Monitoring, dict[str, float]]:
    """Return what a report compares with: profile and metrics of the model, empty ones when there is none."""
    return (manifest.profile, limits, manifest.metrics) if manifest else ({}, limits, {})


def manifest_of(version: str, components: Components) -> store.Manifest | None:
    """Return what is known about the model *version*; None when it is gone."""
    try:
        return store.read_manifest(version, components.settings) if version else None
    except ModelError:
        return None


def read_tables(components: Components, limit: int) -> tuple[pd.DataFrame, int, pd.DataFrame, list[str]]:
    """Return the newest *limit* rows, newest first, how many there are in all, the models, and what went wrong."""
    try:
        # Not longer: a frozen database must not hold the threads that answer requests.
        rows = within(PATIENCE, queries.recent, components.engine, limit, most_bytes=MOST_BYTES)
        total = within(PATIENCE, queries.count_predictions, components.engine)
        few = f"The newest rows are so large that only {len(rows):,} are looked at."
        troubles = [few] if len(rows) < min(limit, total) else []
        return rows, total, within(PATIENCE, queries.models, components.engine), troubles
    except (SQLAlchemyError, OSError) as error:
        trouble = f"The database does not answer ({type(error).__name__}); what was there before cannot be shown."
        return pd.DataFrame(columns=list(queries.COLUMNS)), 0, pd.DataFrame(), [trouble]


def read_manifest(components: Components) -> tuple[store.Manifest | None, list[str]]:
    """Return what is known about the current model, or why nothing is."""
    try:
        return store.current_manifest(components.settings), []
    except ModelError as error:
        return None, [f"No model to compare with: {error}"]


def make_tiles(found: Report, storage: Mapping[str, Any], manifest: store.Manifest | None) -> list[Tile]:
    """Return the figures on top of the page."""
    figures = found.figures
    p95 = figures.latency_ms.get("p95")
    return [
        accuracy_tile(found),
        expected_tile(found),
        Tile("Right answers", f"{figures.points:,}", "known so far, of the predictions beside; a board counts all"),
        Tile("Predictions", f"{figures.rows:,}", f"newest rows; {figures.repaired:.0%} needed repair"),
        Tile("Labels", f"{figures.coverage:.0%}" if figures.rows else "-", label_note(found)),
        Tile("Fallback answers", f"{figures.degraded:.1%}", "not from the current model",
             "warn" if figures.degraded > 0 else ""),
        Tile("Answer time", "-" if p95 is None else f"{p95:.0f} ms", "95 % were faster"),
        model_tile(manifest),
        storage_tile(storage),
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


def model_tile(manifest: store.Manifest | None) -> Tile:
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


def count_warnings(rows: pd.DataFrame) -> list[tuple[str, int]]:
    """Return the commonest repairs of *rows* with how often each was made; without the values themselves."""
    counts = Counter(re.sub(r" ?\([^)]*\)?", "", text)[:120] for texts in rows["warnings"] for text in texts or [])
    return counts.most_common(COMMONEST)


def describe_models(models: pd.DataFrame, rows: pd.DataFrame, manifest: store.Manifest | None) -> list[dict[Any, Any]]:
    """Return the recorded models with what they answered among *rows* and how often they were right.

    The current model is shown even when nobody recorded it.
    """
    recorded: list[dict[Any, Any]] = models.to_dict("records")
    if manifest and manifest.version not in {model["version"] for model in recorded}:
        recorded.insert(0, {**vars(manifest), "created_at": pd.Timestamp(manifest.created_at)})
    described = []
    for model in recorded:
        answered = rows[rows["model"] == model["version"]]
        labelled = answered[answered["label"].notna()]
        right = (class_names(labelled["pred"]) == class_names(labelled["label"])).mean() if len(labelled) else None
        promised = model["metrics"].get("accuracy") if isinstance(model["metrics"], dict) else None
        described.append({
            **model, "answered": len(answered), "accuracy": as_percent(right), "hold_out": as_percent(promised),
            "current": manifest is not None and model["version"] == manifest.version,
        })  # fmt: skip
    return described


def describe_newest(rows: pd.DataFrame, show_values: bool) -> list[dict[Any, Any]]:
    """Return the newest requests, one dict each; features only when *show_values* allows it."""
    described = []
    for row in rows.to_dict("records"):
        known = row["label"] is not None and not (isinstance(row["label"], float) and pd.isna(row["label"]))
        pair = class_names(pd.Series([row["pred"], row["label"]], dtype="object")).tolist()
        described.append({
            **row, "pred": pair[0], "label": pair[1] if known else "", "right": known and pair[0] == pair[1],
            "features": json.dumps(row["features"], ensure_ascii=False, default=str)[:300] if show_values else None,
        })  # fmt: skip
    return described


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
