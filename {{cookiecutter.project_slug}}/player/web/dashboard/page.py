"""What stands on the page: asks the database, the model and the writer, and puts their answers into words."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
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
from player.monitoring.history.reading import History, read_history
from player.monitoring.history.writing import write_history
from player.monitoring.on_change import notice
from player.monitoring.reports import ONSET_WINDOWS, Report, report
from player.reading.labels import known_labels
from player.settings.sections import Monitoring
from player.storage import queries
from player.storage.database import within
from player.web.dashboard.rows import count_warnings, describe_models, describe_newest
from player.web.dashboard.spans import ALL, Span
from player.web.dashboard.tiles import Tile, make_tiles

# How many rows and bytes the page reads at most, beside the history: a stranger can make rows large.
MOST_ROWS, MOST_BYTES = 6000, 8_000_000
NEWEST = 10
GOOD_FOR = 5.0  # seconds a page is shown again instead of computed anew
PATIENCE = 5.0  # seconds for the database
WRITING, AT_ONCE = 3.0, 8  # seconds that a page waits for the history to be written, and chapters of it at once
MOST_SPANS = 8  # spans of time that are kept beside the whole


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
    history: History
    tiles: list[Tile]
    warnings: list[tuple[str, int]]
    models: list[dict[Any, Any]]
    newest: list[dict[Any, Any]]
    thresholds: tuple[float, float]
    window: int
    looked_at: int  # rows
    template: str = TEMPLATE
    troubles: list[str] = field(default_factory=list)


class PageCache:
    """Keeps the page for a moment, so that many viewers cost as much as one; the past once for each span of time."""

    def __init__(self) -> None:
        """Start without a page."""
        self.lock = Lock()
        self.pages: dict[Span, Page] = {}
        self.until = 0.0

    def get(self, source: Callable[[], Source], span: Span = ALL) -> Page:
        """Return a page of *source* at most `GOOD_FOR` seconds old; only one thread at a time computes it."""
        with self.lock:
            if time.monotonic() > self.until or len(self.pages) > MOST_SPANS:
                asked = source()
                self.pages = {ALL: gather(asked)}
                with suppress(TimeoutError):
                    within(PATIENCE, notice, asked.engine, asked.settings, self.pages[ALL].found, wait=False)
                self.until = time.monotonic() + GOOD_FOR
            if span not in self.pages:
                past, troubles = read_past(source(), span)
                page = self.pages[ALL]
                self.pages[span] = replace(page, history=past, troubles=[*page.troubles, *troubles])
            return self.pages[span]


def gather(source: Source) -> Page:
    """Return the page as of now; a database or model that does not answer becomes a trouble on it, not an error."""
    settings = source.settings
    limits = settings.monitoring
    rows, models, troubles = read_tables(
        source.engine, max(min(ONSET_WINDOWS * limits.window_rows, MOST_ROWS), limits.window_rows)
    )
    manifest, trouble = read_manifest(settings)
    rows, strange = known_labels(rows, manifest.classes if manifest else ())
    found = report(rows, *judged_by(manifest, limits))
    past, past_troubles = (History(), []) if troubles and rows.empty else read_past(source, ALL, write=True)
    return Page(
        project=settings.project.name,
        environment=settings.environment,
        at=datetime.now(UTC),
        found=found,
        history=past,
        tiles=make_tiles(found, past, source.storage, manifest),
        warnings=count_warnings(rows.head(limits.window_rows), settings.logging.show_values),
        models=describe_models(models, rows, manifest),
        newest=describe_newest(rows.head(NEWEST), settings.logging.show_values),
        thresholds=(limits.psi_warn, limits.psi_alarm),
        window=limits.window_rows,
        looked_at=len(rows),
        troubles=[*source.complaints, *troubles, *trouble, *past_troubles, *([strange] if strange else [])],
    )


def read_past(source: Source, span: Span, write: bool = False) -> tuple[History, list[str]]:
    """Return the history of a *span* of time, after what is due of it was written, and what went wrong."""
    troubles = []
    if write and not source.storage.get("spooled"):  # rows that wait may belong before those that are there
        try:
            with suppress(TimeoutError):  # it goes on, and the next page has more
                within(WRITING, write_history, source.engine, source.settings, AT_ONCE, True)
        except (SQLAlchemyError, OSError) as error:
            troubles.append(f"The history cannot be written ({type(error).__name__}).")
    try:
        return within(PATIENCE, read_history, source.engine, source.settings, span.since, span.until), troubles
    except (SQLAlchemyError, OSError) as error:
        return History(), [*troubles, f"The history cannot be read ({type(error).__name__})."]


def judged_by(
    manifest: store.Manifest | None, limits: Monitoring
) -> tuple[dict[str, Any], Monitoring, dict[str, float]]:
    """Return what a report compares with: profile and metrics of the model, empty ones when there is none."""
    return (manifest.profile, limits, manifest.metrics) if manifest else ({}, limits, {})


def read_tables(engine: Engine, limit: int) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Return the newest *limit* rows, newest first, the models, and what went wrong."""
    try:
        # Not longer: a frozen database must not hold the threads that answer requests.
        rows = within(PATIENCE, queries.recent, engine, limit, most_bytes=MOST_BYTES)
        total = within(PATIENCE, queries.count_predictions, engine, limit)
        few = f"The newest rows are so large that only {len(rows):,} are looked at."
        troubles = [few] if len(rows) < total else []
        return rows, within(PATIENCE, queries.models, engine), troubles
    except (SQLAlchemyError, OSError) as error:
        trouble = f"The database does not answer ({type(error).__name__}); what was there before cannot be shown."
        return pd.DataFrame(columns=list(queries.COLUMNS)), pd.DataFrame(), [trouble]


def read_manifest(settings: Settings) -> tuple[store.Manifest | None, list[str]]:
    """Return what is known about the current model, or why nothing is."""
    try:
        return store.current_manifest(settings), []
    except ModelError as error:
        return None, [f"No model to compare with: {error}"]
