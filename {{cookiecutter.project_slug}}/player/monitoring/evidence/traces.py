"""Traces that a change in how data is gathered leaves behind: a unit, a name, a default, a field that comes empty."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from player.monitoring.drift import ALARM, Drift, readable
from player.monitoring.evidence.maps import find_map
from player.monitoring.evidence.renames import find_rename
from player.monitoring.evidence.spread import chance_distance, distance, training_values
from player.profile.columns import group_of

MORE_GAPS, MANY_GAPS = 0.05, 0.15  # more missing values than expected, as a share of the rows
FEW_GAPS = "some gaps"  # so few that other people may bring them, when other people are there
SAME = 0.9  # so many rows in which two columns say the same make one a copy of the other
SIGMAS = 4.0


@dataclass(frozen=True)
class Trace:
    """What one feature's change looks like, and a sentence about it; a *soft* one has another explanation."""

    kind: str
    sentence: str
    hard: bool = True


def find_traces(table: pd.DataFrame, drifts: list[Drift], profile: Mapping[str, Any]) -> dict[str, Trace]:
    """Return for each feature whose values look gathered in another way what speaks for that.

    *table* (rows, features; clean, oldest first), *drifts* of the same rows. A map is looked for in every feature:
    some, such as a rounding, hardly move the distribution.
    """
    features, rows_then = profile.get("features", {}), float(profile.get("rows", len(table)))
    found = {}
    for drift in drifts:
        known = features[drift.name]
        found[drift.name] = find_gaps(table, drift, features) or trace(table[drift.name], drift.name, known, rows_then)
    moved = [drift.name for drift in drifts if drift.verdict == ALARM and drift.kind == "number"]
    found |= mixed_up(table, moved, profile)
    people = any(drift.verdict == ALARM and not found[drift.name] for drift in drifts)
    return {name: each for name, each in found.items() if each and not (people and each.kind == FEW_GAPS)}


def trace(column: pd.Series, name: str, known: Mapping[str, Any], rows_then: float) -> Trace | None:
    """Return the trace in the values of one feature, or None when they do not look gathered in another way."""
    find = find_map if known["kind"] == "number" else find_rename
    found = find(column, known, rows_then)
    return Trace(found.kind, f"{readable(name)} {found.words}", found.hard) if found else None


def find_gaps(table: pd.DataFrame, drift: Drift, features: Mapping[str, Any]) -> Trace | None:
    """Return that a feature comes empty more often than it did, and than the people who come explain."""
    known = features[drift.name]
    gone = table[drift.name].isna()
    expected = expected_gaps(table, known.get("missing_by"), features, drift.missing_then)
    more = float(gone.mean()) - expected
    chance = SIGMAS * np.sqrt(max(expected * (1 - expected), 0.25 / max(len(table), 1)) / max(len(table), 1))
    if more < max(MORE_GAPS, chance):
        return None
    kind = "gaps" if more >= MANY_GAPS else FEW_GAPS
    often = f"in {gone.mean():.0%} of the rows ({drift.missing_then:.0%} in training)"
    return Trace(kind, f"{readable(drift.name)} comes empty {often}")


def expected_gaps(
    table: pd.DataFrame, by: Mapping[str, Any] | None, features: Mapping[str, Any], before: float
) -> float:
    """Return the share of gaps to expect: that of training in each group of the feature that explains them."""
    if not by or by["feature"] not in table:
        return before
    groups = group_of(table[by["feature"]], features[by["feature"]])
    shares = pd.Series(groups).map(by["shares"]).fillna(before)
    return max(float(shares.mean()), before)


def mixed_up(table: pd.DataFrame, moved: list[str], profile: Mapping[str, Any]) -> dict[str, Trace]:
    """Return the columns of numbers that hold what another column says: a copy, or two that were exchanged."""
    features = profile.get("features", {})
    numbers = [name for name, known in features.items() if known["kind"] == "number" and known.get("distinct", 10) >= 6]
    found: dict[str, Trace] = {}
    for name in moved:
        here = table[name]
        for other in numbers:
            if other == name or here.isna().all():
                continue
            if float((here == table[other]).mean()) >= SAME and here.nunique() > 5:
                found[name] = Trace("copy", f"{readable(name)} holds what {readable(other)} says")
            elif other in moved and name < other and exchanged(here, table[other], features[name], features[other],
                                                               float(profile["rows"])):  # fmt: skip
                found[name] = Trace("exchanged", f"{readable(name)} and {readable(other)} changed places")
                found[other] = Trace("exchanged", f"{readable(other)} holds what {readable(name)} held")
    return found


def exchanged(
    first: pd.Series, second: pd.Series, known: Mapping[str, Any], other: Mapping[str, Any], rows_then: float
) -> bool:
    """Return whether two columns are each spread as the other one was in training."""
    here, there = first.dropna().to_numpy(), second.dropna().to_numpy()
    limit = chance_distance(min(len(here), len(there)), rows_then)
    if not known.get("quantiles") or not other.get("quantiles"):
        return False
    return distance(here, training_values(other)) < limit and distance(there, training_values(known)) < limit
