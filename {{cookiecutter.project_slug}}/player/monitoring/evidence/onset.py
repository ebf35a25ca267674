"""Since when it is so: the row from which on the rows fit better to what is now than to what was in training."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from player.monitoring.bins import sort_into_bins, training_shares
from player.monitoring.evidence.relation import directions
from player.monitoring.evidence.weighing import Evidence, Facts, promises

NEWEST = 150  # rows that surely come after the change, to learn from what is now
FEWEST = 60
LIKELY = 3.0  # natural logarithms below the best: rows that fit nearly as well (Hinkley 1970)
MOST_FEATURES = 2  # more of them are not independent, and would make the row look more certain than it is


@dataclass(frozen=True)
class Onset:
    """From which row on (counted from the oldest, 0 is the first) it is so, the rows it may be, and when that was."""

    row: int
    earliest: int
    latest: int
    at: datetime
    since: int  # how many rows came from then on

    def to_text(self) -> str:
        """Return the onset as a sentence."""
        rows = f"{self.earliest + 1:,} to {self.latest + 1:,}" if self.latest > self.earliest else f"{self.row + 1:,}"
        return f"Since {self.at:%H:%M:%S}, {self.since:,} requests ago (row {rows} of those looked at)."


def find_onset(
    rows: pd.DataFrame, table: pd.DataFrame, profile: Mapping[str, Any], evidence: Evidence, positive: str
) -> Onset | None:
    """Return since when the *evidence* holds, or None when it held from the first of *rows* on, or is none at all.

    *rows* (oldest first) and *table* reach further back than the evidence does. It is the change point of largest
    likelihood (Hinkley 1970) between the promises of training and what the newest rows show.
    """
    names = [*evidence.traces, *(drift.name for drift in evidence.moved)][:MOST_FEATURES]
    gain = np.zeros(len(rows))
    if names:
        gain = sum((gain_of_feature(table[name], profile["features"][name]) for name in names), gain)
    elif evidence.relation is not None and evidence.relation.broken:
        known = rows["label"].notna().to_numpy() & rows["proba"].notna().to_numpy()
        known &= ~rows["degraded"].astype(bool).to_numpy()
        facts = promises(rows[known], table[known], profile, positive)
        if facts is None:
            return None
        gain[known] = gain_of_labels(facts, profile, evidence)
    return change_point(gain, rows)


def change_point(gain: np.ndarray, rows: pd.DataFrame) -> Onset | None:
    """Return the row from which on the sum of *gain* is largest; None when that is the first or there is none.

    >>> times = pd.DataFrame({"received_at": pd.date_range("2026-01-01 07:00", periods=100, freq="min")})
    >>> found = change_point(np.where(np.arange(100) < 60, -1.0, 1.0), times)
    >>> found.row, found.earliest, found.latest, found.to_text()
    (60, 57, 63, 'Since 08:00:00, 40 requests ago (row 58 to 64 of those looked at).')
    """
    sums = np.cumsum(gain[::-1])[::-1]
    row = int(np.argmax(sums)) if len(sums) else 0
    if row == 0 or sums[row] <= LIKELY:
        return None
    likely = np.flatnonzero(sums >= sums[row] - LIKELY)
    at = pd.Timestamp(rows["received_at"].iloc[row]).to_pydatetime()
    return Onset(row, int(likely[0]), int(likely[-1]), at, len(rows) - row)


def gain_of_feature(column: pd.Series, known: Mapping[str, Any]) -> np.ndarray:
    """Return for each row how much better its value fits to the newest rows than to training (log likelihoods)."""
    shares = training_shares(known)
    codes = np.asarray(pd.Index(list(shares)).get_indexer(pd.Index(sort_into_bins(column, known))))
    then = np.array(list(shares.values())) + 1e-3
    gain = np.zeros(len(codes))
    newest = np.arange(len(codes)) >= len(codes) - NEWEST
    for _ in range(2):  # the second time with all rows from the first guess on
        now = (np.bincount(codes[newest], minlength=len(then)) + 0.5) / (newest.sum() + 0.5 * len(then))
        gain = np.log(now / (then / then.sum()))[codes]
        row = int(np.argmax(np.cumsum(gain[::-1])[::-1]))
        newest = np.arange(len(codes)) >= min(row, len(codes) - FEWEST)
    return gain


def gain_of_labels(facts: Facts, profile: Mapping[str, Any], evidence: Evidence) -> np.ndarray:
    """Return for each labelled row how much better its label fits to the newest rows than to the promise."""
    columns, names = directions(facts.p, facts.table, profile)
    blamed = {each.feature for each in (evidence.relation.directions[:2] if evidence.relation else [])}
    used = np.array([i == 0 or name in blamed for i, (name, _) in enumerate(names)])
    columns = columns[:, used]
    gain = np.zeros(len(facts.p))
    newest = np.arange(len(gain)) >= len(gain) - NEWEST
    for _ in range(2):
        wide, errors = columns[newest], (facts.came - facts.p)[newest]
        shift = np.linalg.solve(wide.T @ wide + 5 * np.eye(wide.shape[1]), wide.T @ errors)
        p = np.clip(facts.p + columns @ shift, 0.02, 0.98)
        came = facts.came > 0.5
        gain = np.where(came, np.log(p / facts.p), np.log((1 - p) / (1 - facts.p)))
        row = int(np.argmax(np.cumsum(gain[::-1])[::-1]))
        newest = np.arange(len(gain)) >= min(row, len(gain) - FEWEST)
    return gain
