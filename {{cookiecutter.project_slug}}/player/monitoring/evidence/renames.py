"""What was done to a category: renamed, merged, split, exchanged, stuck, or replaced by a default."""

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from player.monitoring.drift import readable
from player.monitoring.evidence.maps import STUCK, Map

NEW = 0.03  # so many rows with names that training never saw are no chance
SIGMAS = 3.5
MOST_NAMES = 12


def find_rename(column: pd.Series, known: Mapping[str, Any], rows_then: float) -> Map | None:
    """Return what was done to the names of *column*, or None when a choice of people explains them.

    >>> known = {"kind": "category", "shares": {"rent": 0.4, "mortgage": 0.4, "owner": 0.2}, "missing": 0.0}
    >>> find_rename(pd.Series(["rent"] * 205 + ["home loan"] * 195 + ["owner"] * 100), known, 5000).words
    "says 'home loan' where it said 'mortgage'"
    >>> find_rename(pd.Series(["rent"] * 400 + ["owner"] * 100), known, 5000).words
    "says 'rent' also where it said 'mortgage'"
    >>> find_rename(pd.Series(["rent"] * 400 + ["mortgage"] * 50 + ["owner"] * 50), known, 5000)
    """
    values = column.dropna()
    if len(values) < 50 or not known["shares"]:
        return None
    now = values.value_counts(normalize=True)
    then = pd.Series(known["shares"], dtype="float64")
    unseen = now[~now.index.isin(then.index)]
    slack = SIGMAS * np.sqrt(1 / len(values) + 1 / max(rows_then, 1))
    if unseen.sum() >= NEW:
        return new_names(now, then, unseen, slack)
    if now.iloc[0] >= STUCK and then.get(now.index[0], 0.0) < 0.85:
        return Map("stuck", f"says {quoted(now.index[0])} in {now.iloc[0]:.0%} of the rows")
    return merged(now, then, slack, len(values)) or exchanged(now, then, slack)


def new_names(now: pd.Series, then: pd.Series, unseen: pd.Series, slack: float) -> Map:
    """Return what names that training never saw stand for."""
    lost = (then - now.reindex(then.index).fillna(0.0)).sort_values(ascending=False)
    if unseen.sum() >= STUCK:
        return Map("names", f"says only names that training never saw, such as {quoted(unseen.index[0])}")
    share, old = float(unseen.sum()), lost.index[0]
    close = slack * np.sqrt(max(share * (1 - share), 0.01))
    others = lost.iloc[1:].clip(lower=0).sum()
    if abs(float(lost.iloc[0]) - share) <= close and others < max(close, 0.3 * share):
        if len(unseen) == 1 or unseen.iloc[0] > 0.9 * share:
            return Map("name", f"says {quoted(unseen.index[0])} where it said {quoted(old)}")
        first, second = quoted(unseen.index[0]), quoted(unseen.index[1])
        return Map("split", f"says {first} or {second} where it said {quoted(old)}")
    return Map("names", f"says names that training never saw in {share:.0%} of the rows, most often "
               f"{quoted(unseen.index[0])}")  # fmt: skip


def merged(now: pd.Series, then: pd.Series, slack: float, rows: int) -> Map | None:
    """Return that categories vanished and one grew by just as much, while the others stayed."""
    share = now.reindex(then.index).fillna(0.0)
    gone = then.index[(then * rows >= 12) & (share < 0.05 * then)]
    if len(gone) == 0 or (len(gone) > len(then) - 2 and len(then) < 3):
        return None
    grown = (share - then).drop(gone)
    if grown.empty:
        return None
    into, lost = str(grown.idxmax()), float(then[gone].sum())
    spread = slack * np.sqrt(np.maximum(then * (1 - then), 0.002))
    quiet = grown.drop(into)
    if abs(grown[into] - lost) > slack * np.sqrt(lost * (1 - lost) + then[into] * (1 - then[into])):
        return None
    if (quiet.abs() > spread[quiet.index]).any() or (len(quiet) == 0 and len(then) > 2 and len(gone) < 2):
        return None
    alone = len(quiet) == 0  # with nothing left that stayed, people who are all alike explain it as well
    return Map("merged", f"says {quoted(into)} also where it said {' or '.join(map(quoted, gone[:3]))}", hard=not alone)


def exchanged(now: pd.Series, then: pd.Series, slack: float) -> Map | None:
    """Return that two names changed places: their shares did, and all others stayed."""
    names, before = list(then.index), then.to_numpy()
    share = now.reindex(then.index).fillna(0.0).to_numpy()
    spread = slack * np.sqrt(np.maximum(before * (1 - before), 0.002))
    off = np.flatnonzero(np.abs(share - before) > spread)
    if len(names) < 3 or not 1 <= len(off) <= 2:
        return None
    for i, j in combinations(range(min(len(names), MOST_NAMES)), 2):
        swapped = before.copy()
        swapped[[i, j]] = before[[j, i]]
        if abs(before[i] - before[j]) > 2 * spread[i] and (np.abs(share - swapped) <= spread).all():
            words = f"says {quoted(names[i])} where it said {quoted(names[j])}, and the other way round"
            return Map("exchanged", words, hard=len(names) > 3)
    return None


def quoted(name: Any) -> str:
    """Return a name that came out of data in quotes."""
    return f"'{readable(str(name))}'"
