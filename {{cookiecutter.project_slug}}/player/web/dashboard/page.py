"""What stands on the page: asks the database, the model and the writer, and puts their answers into words."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock
from typing import Any

import pandas as pd
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from player import TEMPLATE
from player.config import Settings
from player.errors import ModelError
from player.model import store
from player.monitoring.reports import Report, report
from player.reading.labels import known_labels
from player.settings.sections import Monitoring
from player.storage import queries
from player.storage.database import within
from player.web.dashboard.history import History
from player.web.dashboard.rows import count_warnings, describe_models, describe_newest
from player.web.dashboard.tiles import Tile, make_tiles

# How many windows the page looks back, and how many rows and bytes of them at most: a stranger can make rows large.
HISTORY, MOST_ROWS, MOST_BYTES = 12, 6000, 8_000_000
NEWEST = 10
GOOD_FOR = 5.0  # seconds a page is shown again instead of computed anew
PATIENCE = 5.0  # seconds for the database


@dataclass(frozen=True)
class Source:
    """Where the page comes from: a running service, or the files of an environment (then nobody knows of a writer)."""

    settings: Settings
    engine: Engine
    storage: Mapping[str, Any] = field(default_factory=dict)
    complaints: Sequence[str] = ()


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

    def get(self, source: Callable[[], Source]) -> Page:
        """Return a page of *source* at most `GOOD_FOR` seconds old; only one thread at a time computes it."""
        with self.lock:
            if self.page is None or time.monotonic() > self.until:
                self.page = gather(source(), self.history)
                self.until = time.monotonic() + GOOD_FOR
            return self.page


def gather(source: Source, history: History) -> Page:
    """Return the page as of now; a database or model that does not answer becomes a trouble on it, not an error."""
    settings = source.settings
    limits = settings.monitoring
    limit = max(min(HISTORY * limits.window_rows, MOST_ROWS), limits.window_rows)
    rows, total, models, troubles = read_tables(source.engine, limit)
    manifest, trouble = read_manifest(settings)
    rows, strange = known_labels(rows, manifest.classes if manifest else ())
    found = report(rows, *judged_by(manifest, limits))

    def judge(part: pd.DataFrame, version: str) -> Report:
        return report(part, *judged_by(manifest_of(version, settings) or manifest, limits))

    return Page(
        project=settings.project.name,
        environment=settings.environment,
        at=datetime.now(UTC),
        found=found,
        chapters=history.update(rows, total, limits.window_rows, judge),
        tiles=make_tiles(found, source.storage, manifest),
        warnings=count_warnings(rows.head(limits.window_rows), settings.logging.show_values),
        models=describe_models(models, rows, manifest),
        newest=describe_newest(rows.head(NEWEST), settings.logging.show_values),
        thresholds=(limits.psi_warn, limits.psi_alarm),
        window=limits.window_rows,
        troubles=[*source.complaints, *troubles, *trouble, *([strange] if strange else [])],
    )


def judged_by(
    manifest: store.Manifest | None, limits: Monitoring
) -> tuple[dict[str, Any], Monitoring, dict[str, float]]:
    """Return what a report compares with: profile and metrics of the model, empty ones when there is none."""
    return (manifest.profile, limits, manifest.metrics) if manifest else ({}, limits, {})


def manifest_of(version: str, settings: Settings) -> store.Manifest | None:
    """Return what is known about the model *version*; None when it is gone."""
    try:
        return store.read_manifest(version, settings) if version else None
    except ModelError:
        return None


def read_tables(engine: Engine, limit: int) -> tuple[pd.DataFrame, int, pd.DataFrame, list[str]]:
    """Return the newest *limit* rows, newest first, how many there are in all, the models, and what went wrong."""
    try:
        # Not longer: a frozen database must not hold the threads that answer requests.
        rows = within(PATIENCE, queries.recent, engine, limit, most_bytes=MOST_BYTES)
        total = within(PATIENCE, queries.count_predictions, engine)
        few = f"The newest rows are so large that only {len(rows):,} are looked at."
        troubles = [few] if len(rows) < min(limit, total) else []
        return rows, total, within(PATIENCE, queries.models, engine), troubles
    except (SQLAlchemyError, OSError) as error:
        trouble = f"The database does not answer ({type(error).__name__}); what was there before cannot be shown."
        return pd.DataFrame(columns=list(queries.COLUMNS)), 0, pd.DataFrame(), [trouble]


def read_manifest(settings: Settings) -> tuple[store.Manifest | None, list[str]]:
    """Return what is known about the current model, or why nothing is."""
    try:
        return store.current_manifest(settings), []
    except ModelError as error:
        return None, [f"No model to compare with: {error}"]
