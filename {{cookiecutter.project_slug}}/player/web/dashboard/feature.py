"""The page of one feature: how far it moved in each chapter of the history, and the newest requests with its value."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from player.monitoring.why.effects import as_sent
from player.storage import chapters, queries
from player.storage.database import within
from player.web.components import Components
from player.web.dashboard import charts
from player.web.dashboard.page import PATIENCE, Page
from player.web.dashboard.rendering import render
from player.web.dashboard.rows import describe_newest

MOST_CHAPTERS, MOST_ROWS, MOST_BYTES = 120, 30, 1_000_000
UNKNOWN = "The model that answers has no feature of this name."


@dataclass(frozen=True)
class Moment:
    """How one feature was in a chapter: its distance from training, and which share was missing."""

    number: int
    start: datetime
    title: str
    psi: float
    missing: float


def show_feature(name: str, page: Page, components: Components) -> tuple[str, int]:
    """Return the page of the feature *name*, and the status it has; *page* says how it is now."""
    drift = next((each for each in page.found.drift if each.name == name), None)
    past, rows, trouble = [], [], "" if drift else UNKNOWN
    if drift:
        try:
            past = within(PATIENCE, read_moments, components.engine, name)
            newest = within(PATIENCE, queries.recent, components.engine, MOST_ROWS, most_bytes=MOST_BYTES)
            rows = values_of(name, newest, components.settings.logging.show_values)
        except (SQLAlchemyError, OSError) as error:
            trouble = f"The database does not answer ({type(error).__name__})."
    html = render("feature.html", name=name[:200], drift=drift, past=past, rows=rows, trouble=trouble,
                  page=page, charts=charts, psi_line=psi_line, share_line=share_line)  # fmt: skip
    return html, 200 if drift else 404


def read_moments(engine: Engine, name: str) -> list[Moment]:
    """Return how the feature was in the newest chapters that knew it, oldest first."""
    listed = chapters.listing(engine, None, None, MOST_CHAPTERS)
    known = chapters.details(engine, "features", [each["number"] for each in listed])
    return [
        Moment(each["number"], each["began_at"], each["title"], *known[each["number"]][name])
        for each in listed if name in known.get(each["number"], {})
    ]  # fmt: skip


def values_of(name: str, newest: pd.DataFrame, show_values: bool) -> list[dict[str, Any]]:
    """Return the newest requests with the value of the feature as it came; hidden where values must not be seen."""
    described = describe_newest(newest, show_values)
    for row, features in zip(described, newest["features"], strict=True):
        row["value"] = as_sent(features if isinstance(features, dict) else {}, name) if show_values else None
    return described


def psi_line(past: Sequence[Moment], alarm: float) -> str:
    """Return a line of the distances; the threshold of the alarm is in the middle of the box, as in the bars."""
    return through([100 - charts.psi_width(each.psi, alarm) for each in past])


def share_line(past: Sequence[Moment]) -> str:
    """Return a line of the shares that were missing, from none at the bottom to all at the top."""
    return through([100 - 100 * each.missing for each in past])


def through(heights: Sequence[float]) -> str:
    """Return a line through the middle of places of equal width.

    >>> through([100, 50]), through([20])
    ('M25.0,100 L75.0,50', 'M50.0,20 h0')
    """
    points = [f"{round((i + 0.5) * 100 / len(heights), 2)},{round(y, 2):g}" for i, y in enumerate(heights)]
    return charts.line(points)
