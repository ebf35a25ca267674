"""How one feature is spread: bins, quantiles, commonest values, steps, and when it is missing."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from player.reading.columns import bounds

BINS = 10
POINTS = 200  # quantiles kept of a number
COMMON = 0.02  # a number that this share of the rows has is kept with its share
OFTEN = 0.01  # more missing values than this are explained by another feature, where one can
DRAWN = 500  # rows for which the number of different values is kept
STEPS = tuple(base * 10.0**power for power in range(6, -5, -1) for base in (5, 2.5, 2, 1))


def describe_column(column: pd.Series, kind: str, fewest_rows: int = 1) -> dict[str, Any]:
    """Return kind, share of missing values, and how the others are spread, the outermost *fewest_rows* as one."""
    present = column.dropna()
    missing = 1.0 - len(present) / len(column)
    if kind == "category":
        shares = present.value_counts(normalize=True)
        return {"kind": kind, "missing": missing, "shares": {str(k): float(v) for k, v in shares.items()}}
    values = present.to_numpy(dtype="float64")
    values = values.clip(*bounds(values, fewest_rows))
    return {"kind": kind, "missing": missing, **describe_numbers(values), **describe_shape(values)}


def describe_numbers(values: np.ndarray) -> dict[str, Any]:
    """Return nine quantile edges, the share of *values* in each of the bins between them, lowest and highest."""
    if len(values) == 0:
        return {"edges": [], "shares": [1.0], "low": 0.0, "high": 0.0}
    edges = np.unique(np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1]))
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
    shares = (counts / len(values)).tolist()
    return {"edges": edges.tolist(), "shares": shares, "low": float(values.min()), "high": float(values.max())}


def describe_shape(values: np.ndarray) -> dict[str, Any]:
    """Return what bins do not keep of a number: quantiles, commonest values, step, and how many values differ."""
    if len(values) == 0:
        return {}
    where = (np.arange(POINTS) + 0.5) / POINTS
    quantiles = np.quantile(values, where, method="inverted_cdf")
    shares = pd.Series(values).value_counts(normalize=True)
    common = shares[shares >= COMMON]
    return {
        "quantiles": [float(f"{value:.7g}") for value in quantiles],
        "common": [[float(value), round(float(share), 5)] for value, share in zip(common.index, common, strict=True)],
        "step": largest_step(values),
        "distinct": round(float((1 - (1 - shares.to_numpy()) ** DRAWN).sum()), 1),
    }


def largest_step(values: np.ndarray, all_but: float = 0.002) -> float:
    """Return the largest round number that (nearly) all *values* are multiples of; 0 when there is none.

    >>> [largest_step(np.array(values)) for values in ([300.0, 1200.0, 500.0], [0.25, 1.5], [np.pi])]
    [100.0, 0.25, 0.0]
    """
    values = values[values != 0]
    if len(values) == 0:
        return 0.0
    sample = values[:2000]
    for step in STEPS:
        if on_step(sample, step).mean() >= 1 - all_but and on_step(values, step).mean() >= 1 - all_but:
            return float(step)
    return 0.0


def on_step(values: np.ndarray, step: float) -> np.ndarray:
    """Return which *values* are multiples of *step*, as far as seven digits tell."""
    ratio = values / step
    whole: np.ndarray = (np.abs(ratio - np.round(ratio)) <= 1e-7 * np.maximum(1, np.abs(ratio))) & (np.abs(ratio) < 1e9)
    return whole


def missing_by(name: str, table: pd.DataFrame, features: Mapping[str, Any]) -> dict[str, Any]:
    """Return which other feature explains best when *name* is missing: its name, and the share missing in each bin.

    "Best" is the largest spread of the share missing between the bins of the other feature (ANOVA, between groups).
    """
    if not OFTEN <= features[name]["missing"] <= 1 - OFTEN:
        return {}
    gone = table[name].isna().to_numpy(dtype="float64")
    best, spread = {}, 0.02 * gone.var()  # less than a fiftieth explained is chance
    for other, known in features.items():
        if other == name:
            continue
        groups = pd.Series(gone).groupby(group_of(table[other], known)).agg(["mean", "size"])
        between = float((groups["size"] * (groups["mean"] - gone.mean()) ** 2).sum() / len(gone))
        if between > spread:
            best, spread = {"feature": other, "shares": {str(k): float(v) for k, v in groups["mean"].items()}}, between
    return {"missing_by": best} if best else {}


def group_of(column: pd.Series, known: Mapping[str, Any]) -> np.ndarray:
    """Return for each value of a feature the group it belongs to, as text: its bin, its category, or missing."""
    if known["kind"] == "number":
        values = column.to_numpy(dtype="float64")
        groups = np.searchsorted(known["edges"], np.nan_to_num(values), side="right").astype("U4")
        return np.asarray(np.where(np.isnan(values), "(missing)", groups), dtype="object")
    return column.astype("object").where(column.notna(), "(missing)").to_numpy(dtype="object")
