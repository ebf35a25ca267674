"""What stands on the page: asks the database, the model and the writer, and puts their answers into words."""

import json
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock
from typing import Any

import pandas as pd
from sqlalchemy.exc import SQLAlchemyError

from player import TEMPLATE
from player.errors import ModelError
from player.model import store
from player.monitoring.quality import class_names
from player.monitoring.reports import Report, report
from player.reading.labels import known_labels
from player.settings.sections import Monitoring
from player.storage import queries
from player.storage.database import within
from player.web.components import Components
from player.web.dashboard.history import History
from player.web.dashboard.tiles import Tile, as_percent, make_tiles

# How many windows the page looks back, and how many rows and bytes of them at most: a stranger can make rows large.
HISTORY, MOST_ROWS, MOST_BYTES = 12, 6000, 8_000_000
NEWEST = 10
COMMONEST = 8
GOOD_FOR = 5.0  # seconds a page is shown again instead of computed anew
PATIENCE = 5.0  # seconds for the database


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
