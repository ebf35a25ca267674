"""Asks another model the stored requests again: which answers change, and what that does to the points."""

import time
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from player.config import ENVIRONMENTS, Settings, load_settings
from player.errors import DataError
from player.learning.belonging import is_of_table
from player.model import loading, store
from player.model.answering import Answer, Link
from player.model.champion_challenger import compare
from player.reading.labels import known_labels, same_label
from player.storage import queries

TIMED = 200  # requests asked one by one, to time an answer


@dataclass(frozen=True)
class Side:
    """One column of the table: who answered, the points on labelled rows, how fast."""

    model: str
    points: int
    accuracy: float | None
    p50_ms: float | None
    p99_ms: float | None


@dataclass(frozen=True)
class Replay:
    """Stored answers beside those of another model, for the same requests."""

    rows: int
    labelled: int
    changed: int
    changes: dict[str, int]  # "0 -> 1": how often
    proba_moved: float | None  # mean absolute difference
    before: Side
    after: Side
    verdict: str  # whether the difference in points may be chance; "" without labels


def choose_model(against: str, settings: Settings) -> tuple[str, Settings]:
    """Return version and settings for *against*: a version of this environment, or the current one of another.

    Raises ModelMissing when there is no such model.
    """
    if against not in ENVIRONMENTS:
        return against, settings
    there = load_settings(against)
    return store.current_manifest(there).version, there


def replay(against: str, settings: Settings, limit: int) -> Replay:
    """Ask the model *against* the newest *limit* stored requests again; changes nothing.

    The answers stored at the time are the side before. Raises DataError when no request is stored.
    """
    version, there = choose_model(against, settings)
    link = Link(loading.load(version, there), settings.model.time_budget_seconds)
    rows = queries.read_recent(settings, limit)
    rows = rows[rows["features"].map(partial(is_of_table, schema=link.model.schema)).astype(bool)]
    if rows.empty:
        raise DataError(
            f"The {settings.environment} database holds no requests to replay that model {version} could take."
        )
    rows, _ = known_labels(rows, link.model.manifest.classes)
    requests = rows["features"].tolist()
    return compare_answers(rows, link.answer(requests), version, time_answers(link, requests[:TIMED]))


def time_answers(link: Link, requests: list[dict[str, Any]]) -> list[float]:
    """Return how many milliseconds each of *requests* takes when it is asked alone."""
    link.warm_up()
    took = []
    for request in requests:
        started = time.perf_counter()
        link.answer([request])
        took.append(1000 * (time.perf_counter() - started))
    return took


def compare_answers(rows: pd.DataFrame, answers: list[Answer], version: str, took: list[float]) -> Replay:
    """Return the stored *rows* beside the new *answers* to them; *took* are milliseconds for some."""
    old, new = rows["pred"].astype(str).tolist(), [str(answer.pred) for answer in answers]
    moved = (rows["proba"] - [answer.proba for answer in answers]).abs().mean()
    pairs = Counter(f"{a} -> {b}" for a, b in zip(old, new, strict=True) if a != b)
    right_before, right_after = right(old, rows["label"]), right(new, rows["label"])
    models = rows["model"].unique()
    stored = str(models[0]) if len(models) == 1 else f"{len(models)} models"
    return Replay(
        rows=len(rows),
        labelled=len(right_before),
        changed=pairs.total(),
        changes=dict(pairs.most_common()),
        proba_moved=None if pd.isna(moved) else round(float(moved), 4),
        before=side(stored, right_before, rows["latency_ms"].dropna().tolist()),
        after=side(version, right_after, took),
        verdict=verdict(right_before, right_after),
    )


def right(answers: list[str], labels: pd.Series) -> np.ndarray:
    """Return for each labelled row whether the answer (as text) is right: bool of shape (labelled rows,)."""
    pairs = zip(answers, labels, labels.notna(), strict=True)
    return np.array([same_label(answer, label) for answer, label, known in pairs if known], dtype=bool)


def verdict(before: np.ndarray, after: np.ndarray) -> str:
    """Return how large the difference of two models is that are *right* on the same rows, and whether it is chance."""
    if not len(before):
        return ""
    if (before == after).all():
        return "no difference in points"
    found = compare(before, after)
    chance = "it may be chance" if found.low <= 0 <= found.high else "it is no chance"
    span = f"90 % interval {100 * found.low:+.1f} to {100 * found.high:+.1f}"
    return f"{100 * found.difference:+.1f} points in 100 ({span}): {chance}"


def side(model: str, right: np.ndarray, took: list[float]) -> Side:
    """Return points, accuracy and latency (*took*, ms) of a model that is *right* on some rows: bool (rows,)."""
    p50, p99 = np.percentile(took, [50, 99]).round(1).tolist() if took else (None, None)
    return Side(model, int(right.sum()), round(float(right.mean()), 4) if len(right) else None, p50, p99)


def as_text(found: Replay, names: tuple[str, str] = ("before", "after")) -> str:
    """Return the replay as a table for a terminal; *names* are those of the two sides."""
    lines = [f"{found.rows:,} stored requests, {found.labelled:,} with a label", ""]
    table = [
        ("", *names),
        ("model", found.before.model, found.after.model),
        ("points", f"{found.before.points:,}", f"{found.after.points:,}"),
        ("accuracy", *(f"{s.accuracy:.1%}" if s.accuracy is not None else "-" for s in (found.before, found.after))),
        ("latency p50, ms", f"{found.before.p50_ms}", f"{found.after.p50_ms}"),
        ("latency p99, ms", f"{found.before.p99_ms}", f"{found.after.p99_ms}"),
    ]
    lines += [f"{name:<18}{before:<28}{after}".rstrip() for name, before, after in table]
    share = found.changed / found.rows
    lines += ["", f"{found.changed:,} answers differ ({share:.1%})"]
    lines += [f"  {change:<16}{count:,}" for change, count in found.changes.items()]
    lines += ["", found.verdict] if found.verdict else []
    return "\n".join(lines)
