"""The history, written once: each stretch of `window_rows` requests is judged, and then never again.

A chapter begins after the last row of the one before, so neither more rows nor fewer old ones move it. While its labels
come it may still change; it is closed when all are there, or `close_hours` after its last row. Whoever looks (the page,
`player monitor`, `player report`) writes what is due; two that look at once write the same.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Engine

from player.config import Settings
from player.errors import ModelError
from player.model import store
from player.monitoring.expected import Expected
from player.monitoring.figures import current_model, tidy
from player.monitoring.quality import correct
from player.monitoring.reports import Report, report
from player.reading.labels import known_labels
from player.storage import chapters

SETTLED = timedelta(seconds=5)  # so late a row may come to the database after one that was answered later
FIRST_LOOK = timedelta(seconds=5)
EVERYTHING = 1_000_000
PIECES = 5  # of a chapter, for a finer line when there are few
Judge = Callable[[pd.DataFrame], dict[str, Any]]


def write_history(engine: Engine, settings: Settings, most: int = EVERYTHING, patient: bool = False) -> int:
    """Write at most *most* chapters that are due, and look again at as many that wait for labels; return how many.

    A *patient* one looks again at longer and longer intervals: that is for who comes every few seconds. Raises
    SQLAlchemyError when the database cannot be read or written.
    """
    now, judge = datetime.now(UTC), judge_with(settings)
    waiting = chapters.to_look_at(engine, now if patient else None, most)
    for each in waiting:
        look_again(engine, each, judge, now, settings)
    written = 0
    while written < most and write_next(engine, judge, now, settings):
        written += 1
    return written


def write_next(engine: Engine, judge: Judge, now: datetime, settings: Settings) -> bool:
    """Write the next chapter, if all its rows are there; return whether it was."""
    number, after = chapters.last(engine)
    end, newest = chapters.end_of_next(engine, after, settings.monitoring.window_rows)
    if end is None or max(newest or end, now - SETTLED) < end + SETTLED:
        return False
    rows = chapters.rows_between(engine, after, end, 4 * settings.monitoring.window_rows)
    values = judge(rows)
    chapters.add(engine, number + 1, values | {"look_at": next_look(values, now, settings)})
    return chapters.last(engine)[0] > number


def look_again(engine: Engine, chapter: dict[str, Any], judge: Judge, now: datetime, settings: Settings) -> None:
    """Judge a chapter that waits for labels once more; one that has lost rows to retention is closed as it is."""
    just_before = chapter["began_at"] - timedelta(microseconds=1)
    rows = chapters.rows_between(engine, just_before, chapter["ended_at"], 4 * settings.monitoring.window_rows)
    if len(rows) < chapter["rows"]:
        chapters.change(engine, chapter["number"], {"look_at": None})
        return
    values = judge(rows)
    chapters.change(engine, chapter["number"], values | {"look_at": next_look(values, now, settings)})


def next_look(values: dict[str, Any], now: datetime, settings: Settings) -> datetime | None:
    """Return when to look at a chapter again: at twice its age; None when nothing can change it any more."""
    age: timedelta = now - values["ended_at"]
    patience = timedelta(hours=settings.monitoring.close_hours)
    if values["labelled"] == values["rows"] or age >= patience:
        return None
    # A row of the future, by another machine's clock, has no age yet.
    begin: datetime = max(now, values["ended_at"])
    return begin + min(max(age, FIRST_LOOK), max(patience - age, FIRST_LOOK))


def judge_with(settings: Settings) -> Judge:
    """Return what tells the story of some rows, by the profile of the model that answered them."""
    known: dict[str, Any] = {}

    def judge(rows: pd.DataFrame) -> dict[str, Any]:
        version = current_model(rows)
        if version not in known:
            known[version] = manifest_of(version, settings)
        return tell(rows, known[version], settings)

    return judge


def manifest_of(version: str, settings: Settings) -> store.Manifest | None:
    """Return what is known of the model *version*, else of the current one; None when nothing is."""
    with suppress(ModelError):
        return store.read_manifest(version, settings)
    with suppress(ModelError):
        return store.current_manifest(settings)
    return None


def tell(rows: pd.DataFrame, manifest: store.Manifest | None, settings: Settings) -> dict[str, Any]:
    """Return the columns of a chapter about *rows*, at least one: counted over all, judged by `report`."""
    profile, metrics = (manifest.profile, manifest.metrics) if manifest else ({}, {})
    found = report(rows, profile, settings.monitoring, metrics)
    rows = known_labels(tidy(rows), list(profile.get("label", {})))[0]
    parts = max(1, min(PIECES, round(PIECES * len(rows) / settings.monitoring.window_rows)))
    pieces = [count(rows.iloc[part]) for part in np.array_split(np.arange(len(rows)), parts)]
    return {
        "began_at": rows["received_at"].iloc[0].to_pydatetime(),
        "ended_at": rows["received_at"].iloc[-1].to_pydatetime(),
        "rows": len(rows),
        "labelled": sum(piece[2] for piece in pieces),
        "correct": sum(piece[3] for piece in pieces),
        "expected": found.promise.promised if found.promise else None,
        "model": found.figures.model,
        "state": found.diagnosis.state,
        "title": found.diagnosis.title,
        "pieces": pieces,
        "story": story_of(found),
        "features": {drift.name: [round(drift.psi, 4), round(drift.missing_now, 4)] for drift in found.drift},
    }


def count(rows: pd.DataFrame) -> tuple[str, int, int, int]:
    """Return when a piece began, how many rows it has, how many have a label, and how many of these were right."""
    labelled = rows[rows["label"].notna()]
    return rows["received_at"].iloc[0].isoformat(), len(rows), len(labelled), int(correct(labelled).sum())


def interval_of(promise: Expected) -> tuple[float, float]:
    """Return the interval of what was promised before labels corrected it."""
    moved = (promise.value if promise.promised is None else promise.promised) - promise.value
    return max(0.0, promise.low + moved), min(1.0, promise.high + moved)


def story_of(found: Report) -> dict[str, Any]:
    """Return what a chapter says in words, and the accuracy it promised with its interval."""
    diagnosis, promise = found.diagnosis, found.promise
    return {
        "sentence": diagnosis.sentence,
        "plain": diagnosis.plain,
        "blamed": sorted({name for cause in diagnosis.causes for name in cause.features}),
        "before": found.expected,
        "interval": interval_of(promise) if promise else None,
    }
