"""How a number was spread in training, and how far apart two spreads are."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from player.profile.columns import COMMON, POINTS

GRID = 0.5 / POINTS  # what the quantiles of the profile themselves are off by
UNLIKELY = 1.95  # Kolmogorov's distribution: exceeded once in 1,000 samples


def training_values(known: Mapping[str, Any]) -> np.ndarray:
    """Return values spread as the number was in training: its quantiles, or what the bins of an older profile tell.

    >>> training_values({"quantiles": [1.0, 2.0]}).tolist()
    [1.0, 2.0]
    >>> training_values({"edges": [10.0], "shares": [0.5, 0.5], "low": 0.0, "high": 20.0}).round(2)[[0, -1]].tolist()
    [0.05, 19.95]
    """
    if "quantiles" in known:
        return np.array(known["quantiles"], dtype="float64")
    bounds = np.array([known["low"], *known["edges"], known["high"]], dtype="float64")
    where = (np.arange(POINTS) + 0.5) / POINTS
    found: np.ndarray = np.interp(where, np.concatenate([[0.0], np.cumsum(known["shares"])]), bounds)
    return found


def distance(now: np.ndarray, then: np.ndarray) -> float:
    """Return the largest difference of the two distribution functions (Kolmogorov and Smirnov), 0 to 1.

    >>> distance(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0])), distance(np.array([1.0]), np.array([2.0]))
    (0.0, 1.0)
    """
    if len(now) == 0 or len(then) == 0:
        return 1.0
    now, then = np.sort(now), np.sort(then)
    points = np.concatenate([now, then])
    gap = np.searchsorted(now, points, "right") / len(now) - np.searchsorted(then, points, "right") / len(then)
    return float(np.abs(gap).max())


def chance_distance(now: int, then: float) -> float:
    """Return the distance that two samples of one spread stay below in 999 of 1,000 cases.

    >>> round(chance_distance(500, 20_000), 3)
    0.091
    """
    return UNLIKELY * math.sqrt(1 / max(now, 1) + 1 / max(then, 1)) + GRID


def share_then(value: float, known: Mapping[str, Any], then: np.ndarray) -> float:
    """Return the share of the training values that are *value*, at least half a row of the quantiles."""
    for common, share in known.get("common", []):
        if math.isclose(common, value, rel_tol=1e-6, abs_tol=1e-12):
            return float(share)
    return float(min(max((then == value).mean(), GRID), COMMON))
