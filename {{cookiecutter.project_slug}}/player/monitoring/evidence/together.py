"""How the features moved together: the joint distance from training, and whether others followed one that moved."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from player.profile.together import encode

SHRINK = 0.05  # of the correlations, towards none: what was measured on few rows is not exact
RARELY = 1e-4  # how improbable what was seen must be under one reading
OFTEN = 1e-3  # and how probable under the other, for a verdict between two
FEWEST = 50


@dataclass(frozen=True)
class Joint:
    """All encoded features at once: the means of now in spreads of training, and the correlations of training."""

    shift: np.ndarray  # (columns,)
    correlation: np.ndarray  # (columns, columns)
    features: list[str]  # of each column
    rows: int
    rows_then: float

    @property
    def noise(self) -> float:
        """The variance of each mean that chance brings."""
        return 1 / max(self.rows, 1) + 1 / max(self.rows_then, 1)


def look(table: pd.DataFrame, profile: Mapping[str, Any]) -> Joint | None:
    """Return how the means of all encoded features moved; None for a profile without them."""
    known = profile.get("together")
    if not known or len(table) < FEWEST:
        return None
    columns, names = encode(table, profile["features"])
    spread = np.array(known["spread"], dtype="float64")
    used = spread > 1e-6
    shift = (columns.mean(axis=0) - known["mean"])[used] / spread[used]
    correlation = np.array(known["correlation"], dtype="float64")[np.ix_(used, used)]
    correlation = (1 - SHRINK) * correlation + SHRINK * np.eye(len(shift))
    features = [name for (name, _), use in zip(names, used, strict=True) if use]
    return Joint(shift, correlation, features, len(table), float(profile["rows"]))


def psi_together(joint: Joint) -> tuple[float, float]:
    """Return the distance of all features together in units of the PSI, and how probable it is by chance.

    For two normal distributions with the same spread the PSI is the square of Mahalanobis' distance of their means;
    what chance alone adds to that (columns * noise) is taken off.
    """
    if not len(joint.shift):
        return 0.0, 1.0
    square = float(joint.shift @ np.linalg.solve(joint.correlation, joint.shift))
    chance = exceeded(square / joint.noise, len(joint.shift))
    return max(0.0, square - len(joint.shift) * joint.noise), chance


def followers(joint: Joint, moved: list[str], others: list[str]) -> str:
    """Return whether the *others* followed the features that *moved*: "followed", "stayed", or "" when it is open.

    When other people come, features that go together move together. When only the way of gathering changed, the
    others stay, and what used to go together no longer does. Both readings are tested on the *others*.
    """
    here = np.array([name in moved for name in joint.features])
    there = np.array([name in others for name in joint.features])
    if not here.any() or not there.any():
        return ""
    inside, across = joint.correlation[np.ix_(here, here)], joint.correlation[np.ix_(there, here)]
    slope = across @ np.linalg.inv(inside)
    own = joint.correlation[np.ix_(there, there)]
    stayed = probability(joint.shift[there], own, joint.noise)
    rest = own - slope @ across.T
    followed = probability(joint.shift[there] - slope @ joint.shift[here], rest, joint.noise)
    if followed < RARELY and stayed > OFTEN:
        return "stayed"
    return "followed" if stayed < RARELY and followed > OFTEN else ""


def probability(shift: np.ndarray, correlation: np.ndarray, noise: float) -> float:
    """Return how probable a shift at least as large is when nothing moved."""
    square = float(shift @ np.linalg.solve(correlation + 1e-6 * np.eye(len(shift)), shift))
    return exceeded(square / noise, len(shift))


def exceeded(square: float, columns: int) -> float:
    """Return how probable a larger chi-squared number is (Wilson and Hilferty 1931).

    >>> print(f"{exceeded(18.3, 10):.3f}")
    0.050
    """
    spread = 2 / (9 * columns)
    return 0.5 * math.erfc(((square / columns) ** (1 / 3) - (1 - spread)) / math.sqrt(2 * spread))
