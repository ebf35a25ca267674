"""Which answers have a label, and what the others hide: labels that come late, or only for some answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from player.monitoring.drift import readable
from player.monitoring.figures import coverage_by_answer

FEWEST = 50  # labels, and rows without one, before anything is said about who has them
SELDOM = 0.5  # an answer that has labels less than half as often as another
LATE = 0.1  # of the rows, the newest of all, without any label


@dataclass(frozen=True)
class Labels:
    """What the labelled rows are among all: notes for the reader, and what they hide ("" when nothing)."""

    notes: list[str] = field(default_factory=list)
    hidden: str = ""
    unseen_since: int = 0  # how many of the newest rows came after the last labelled one


def describe_labels(rows: pd.DataFrame) -> Labels:
    """Return what the labels of *rows* (oldest first) are: of all, only of some answers, or only of the oldest.

    >>> rows = pd.DataFrame({"pred": [1, 0] * 200, "label": [1, None] * 200})
    >>> describe_labels(rows).hidden
    "only some answers get a label: 0% of the answers '0' have one, 100% of the others"
    >>> describe_labels(pd.DataFrame({"pred": 1, "label": [1] * 300 + [None] * 100})).notes
    ['The newest 100 rows have no label yet: a change since then is not seen.']
    """
    known = rows["label"].notna().to_numpy()
    if known.sum() < FEWEST or (~known).sum() < FEWEST / 2:
        return Labels()
    last = int(np.flatnonzero(known)[-1])
    late = len(rows) - 1 - last
    notes = []
    if late >= LATE * len(rows):
        notes.append(f"The newest {late:,} rows have no label yet: a change since then is not seen.")
    shares = coverage_by_answer(rows.iloc[: last + 1])
    seldom = seldom_labelled(shares)
    if not seldom:
        return Labels(notes, "", late)
    notes.append(f"Labels come mostly for some answers (only {shares[seldom]:.0%} of the answers {readable(seldom)!r} "
                 "have one), so the accuracy says little about the others.")  # fmt: skip
    hidden = (f"only some answers get a label: {shares[seldom]:.0%} of the answers {readable(seldom)!r} have one, "
              f"{max(shares.values()):.0%} of the others")  # fmt: skip
    return Labels(notes, hidden, late)


def seldom_labelled(shares: Mapping[str, float]) -> str:
    """Return the answer that has labels far less often than another one, or "".

    >>> seldom_labelled({"0": 0.1, "1": 0.9}), seldom_labelled({"0": 0.6, "1": 0.9}), seldom_labelled({"1": 0.2})
    ('0', '', '')
    """
    if len(shares) < 2 or min(shares.values()) >= SELDOM * max(shares.values()):
        return ""
    return min(shares, key=lambda name: shares[name])
