"""Into which parts a feature's values fall: the bins of the training profile, and own ones for missing and unseen."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

MISSING, UNSEEN, OTHERS = "(missing)", "(unseen)", "(others)"
GAPS = (MISSING, UNSEEN)
RARE = 0.01  # categories below this share of the training rows are counted together


@dataclass(frozen=True)
class Bin:
    """A part of a feature's values: its share of the rows (0 to 1) in training and now."""

    name: str
    then: float
    now: float


def make_bins(column: pd.Series, known: Mapping[str, Any]) -> list[Bin]:
    """Return each bin of a feature with its share of all rows in training and of all rows in *column*.

    >>> known = {"kind": "number", "edges": [30, 50], "shares": [0.3, 0.4, 0.3], "missing": 0.0}
    >>> for each in make_bins(pd.Series([20, 25, 40, np.nan]), known):
    ...     print(f"{each.name:<9} {each.then:.2f} {each.now:.2f}")
    below 30  0.30 0.50
    30 to 50  0.40 0.25
    from 50   0.30 0.00
    (missing) 0.00 0.25
    >>> known = {"kind": "category", "shares": {"rent": 0.7, "owner": 0.295, "boat": 0.005}, "missing": 0.0}
    >>> for each in make_bins(pd.Series(["rent", "castle", "castle", None]), known):
    ...     print(f"{each.name:<9} {each.then:.3f} {each.now:.2f}")
    rent      0.700 0.25
    owner     0.295 0.00
    (others)  0.005 0.00
    (unseen)  0.000 0.50
    (missing) 0.000 0.25
    """
    now = sort_into_bins(column, known).value_counts(normalize=True)
    return [Bin(name, then, float(now.get(name, 0.0))) for name, then in training_shares(known).items()]


def training_shares(known: Mapping[str, Any]) -> dict[str, float]:
    """Return the share of all training rows in each bin; rare categories are one bin, unseen and missing are bins."""
    present = 1 - known["missing"]
    shares: dict[str, float]
    if known["kind"] == "number":
        shares = dict(zip(edge_names(known["edges"]), known["shares"], strict=True))
    else:
        shares = defaultdict(float)
        for name, bin_name in category_names(known["shares"]).items():
            shares[bin_name] += known["shares"][name]
        shares[UNSEEN] = 0.0
    return {name: share * present for name, share in shares.items()} | {MISSING: known["missing"]}


def sort_into_bins(column: pd.Series, known: Mapping[str, Any]) -> pd.Series:
    """Return for each value of *column* the name of its bin."""
    if known["kind"] == "number":
        names = np.array(edge_names(known["edges"]), dtype="object")
        where = np.searchsorted(known["edges"], column.fillna(0.0).to_numpy(dtype="float64"), side="right")
        binned = pd.Series(names[where], index=column.index, dtype="object")
    else:
        names_of = category_names(known["shares"])
        binned = column.astype("object").map(names_of).astype("object").fillna(UNSEEN)
    return binned.where(column.notna(), MISSING)


def category_names(shares: Mapping[str, float]) -> dict[str, str]:
    """Return the name of the bin that each category of training falls in.

    >>> category_names({"rent": 0.99, "boat": 0.005, "(missing)": 0.1})
    {'rent': 'rent', 'boat': '(others)', '(missing)': '"(missing)"'}
    """
    own = {name: f'"{name}"' if name in (MISSING, UNSEEN, OTHERS) else name for name in shares}
    return {name: own[name] if share >= RARE else OTHERS for name, share in shares.items()}


def edge_names(edges: list[float]) -> list[str]:
    """Return the names of the bins that *edges* cut a number into, all different.

    >>> edge_names([0.5, 31250.0, 1e6])
    ['below 0.5', '0.5 to 31,250', '31,250 to 1,000,000', 'from 1,000,000']
    >>> edge_names([0.98712, 0.98713])
    ['below 0.98712', '0.98712 to 0.98713', 'from 0.98713']
    """
    if not edges:
        return ["any"]
    texts = [short(edge) for edge in edges]
    if len(set(texts)) < len(texts):
        texts = [repr(float(edge)) for edge in edges]
    between = [f"{low} to {high}" for low, high in pairwise(texts)]
    return [f"below {texts[0]}", *between, f"from {texts[-1]}"]


def short(number: float) -> str:
    """Return *number* with as many digits as a person reads.

    >>> short(31250.0), short(0.123456), short(7), short(1234567890123.0)
    ('31,250', '0.123', '7', '1.23e+12')
    """
    if not 1e-3 <= abs(number) < 1e9 and number:
        return f"{number:.3g}"
    return f"{number:,.0f}" if abs(number) >= 100 or float(number).is_integer() else f"{number:.3g}"
