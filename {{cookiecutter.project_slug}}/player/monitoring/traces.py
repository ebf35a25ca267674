"""Traces that a change in how data is gathered leaves behind: a unit, a name, a field that comes empty."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from player.monitoring.bins import short
from player.monitoring.drift import ALARM, Drift, readable

SMALLEST_FACTOR = 1.5  # below this, people who differ a little explain it just as well
SPREAD = 0.15  # how far the factors of the deciles may lie apart and still be one constant
SMALLEST_SHARE = 0.05  # a category that fewer rows have is no renaming
MOST_OUTSIDE = 0.9
MORE_GAPS = 0.05


@dataclass(frozen=True)
class Trace:
    """What one feature's change looks like: unit, name, range or gaps; and a sentence about it."""

    kind: str
    sentence: str


def find_traces(table: pd.DataFrame, drifts: list[Drift], profile: Mapping[str, Any]) -> dict[str, Trace]:
    """Return for each feature whose change looks like another way of gathering it what speaks for that.

    *table* (rows, features; clean), *drifts* of the same rows. Only features with an alarm are looked at.
    """
    alarms = [drift for drift in drifts if drift.verdict == ALARM]
    found = {drift.name: trace(table[drift.name], drift, profile["features"][drift.name]) for drift in alarms}
    return {name: each for name, each in found.items() if each}


def trace(column: pd.Series, drift: Drift, known: Mapping[str, Any]) -> Trace | None:
    """Return the trace in one feature, or None when its change does not look like that."""
    found = trace_in_numbers(column, drift, known) if drift.kind == "number" else trace_in_names(column, drift, known)
    if found:
        return found
    unknown = 0.0 if drift.kind == "category" and new_category(column, known) else drift.unseen
    gaps_now = drift.missing_now + unknown
    if gaps_now - drift.missing_then < MORE_GAPS or drift.psi_gaps <= drift.psi_shape:
        return None
    often = f"in {gaps_now:.0%} of the rows ({drift.missing_then:.0%} in training)"
    return Trace("gaps", f"{readable(drift.name)} comes empty or with unknown values {often}")


def trace_in_numbers(column: pd.Series, drift: Drift, known: Mapping[str, Any]) -> Trace | None:
    """Return the trace of another unit or another meaning."""
    factor = constant_factor(column, known)
    if factor:
        times = f"{about(factor)} times" if factor > 1 else f"1/{about(1 / factor)} of"
        return Trace("unit", f"{readable(drift.name)} is everywhere about {times} what it was, as when a unit changes")
    if drift.outside >= MOST_OUTSIDE * (1 - drift.missing_now) > 0:
        where = f"outside anything seen in training in {drift.outside:.0%} of the rows"
        return Trace("range", f"{readable(drift.name)} lies {where}")
    return None


def trace_in_names(column: pd.Series, drift: Drift, known: Mapping[str, Any]) -> Trace | None:
    """Return the trace of a category that got another name."""
    found = renamed(column, known)
    if not found:
        return None
    old, new = found
    return Trace("name", f"{readable(drift.name)} says '{readable(new)}' where it said '{readable(old)}'")


def about(factor: float) -> str:
    """Return a measured factor with the two digits it is worth.

    >>> about(11.8), about(1.609), about(1004.2)
    ('12', '1.6', '1,000')
    """
    return short(float(f"{factor:.2g}"))


def constant_factor(column: pd.Series, known: Mapping[str, Any]) -> float | None:
    """Return the number by which all deciles of training must be multiplied to give those of now, if there is one.

    >>> known = {"edges": [10, 20, 30, 40, 50], "shares": [1 / 6] * 6}
    >>> monthly = pd.Series(np.linspace(0, 60, 601) / 12)
    >>> print(f"{constant_factor(monthly, known):.3f}")
    0.083
    >>> print(constant_factor(pd.Series(np.linspace(0, 60, 601) + 5), known))
    None
    """
    edges = np.array(known["edges"], dtype="float64")
    present = column.dropna().to_numpy(dtype="float64")
    if len(present) == 0 or len(edges) < 5 or (edges == 0).any():
        return None
    ratios = np.quantile(present, np.cumsum(known["shares"])[:-1].clip(0, 1)) / edges
    middle = float(np.median(ratios))
    if middle <= 0 or 1 / SMALLEST_FACTOR < middle < SMALLEST_FACTOR:
        return None
    return middle if (np.abs(ratios / middle - 1) < SPREAD).all() else None


def renamed(column: pd.Series, known: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return (old, new) when an unseen category has about the share that a category of training lost.

    >>> known = {"shares": {"rent": 0.4, "mortgage": 0.4, "owner": 0.2}, "missing": 0.0}
    >>> renamed(pd.Series(["rent"] * 41 + ["home loan"] * 39 + ["owner"] * 20), known)
    ('mortgage', 'home loan')
    >>> renamed(pd.Series(["rent"] * 40 + ["mortgage"] * 40 + ["boat"] * 20), known)
    ('owner', 'boat')
    >>> renamed(pd.Series(["rent"] * 30 + ["mortgage"] * 30 + ["owner"] * 15 + ["boat"] * 25), known)
    """
    found = new_category(column, known)
    if not found:
        return None
    new, share = found
    now = column.value_counts(normalize=True)
    lost = {name: then - float(now.get(name, 0.0)) for name, then in known["shares"].items()}
    old = max(lost, key=lambda name: lost[name])
    tolerance = max(0.2 * share, 3 * np.sqrt(share * (1 - share) / max(len(column), 1)))
    return (old, new) if abs(lost[old] - share) <= tolerance else None


def new_category(column: pd.Series, known: Mapping[str, Any]) -> tuple[str, float] | None:
    """Return the most frequent category that training never saw and its share, when it is no rare exception."""
    now = column.value_counts(normalize=True)
    unseen = now[~now.index.isin(list(known["shares"]))]
    if unseen.empty or unseen.iloc[0] < SMALLEST_SHARE:
        return None
    return str(unseen.index[0]), float(unseen.iloc[0])
