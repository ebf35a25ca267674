"""Whether like cases still turn out alike: tests of (came true - probability) in many directions at once.

A score test (Rao 1948) of one direction asks whether what came is higher than promised where the direction is high.
The largest of all is compared with the largest that chance alone brings when the promises hold (Westfall and Young
1993), so that asking about every feature costs no false alarm.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from player.profile.together import corrected, encode, logit, scale

SIMULATIONS = 600
CHANCE = 0.998  # what the largest statistic stays below in this share of undisturbed samples
NOBODY = 1e-3  # no probability is taken to be closer to 0 or 1 than this
EVERYWHERE, SURENESS = "(everywhere)", "(sureness)"
FEWEST = 0.03  # a direction that fewer rows have is not asked about


@dataclass(frozen=True)
class Direction:
    """What was found in one direction: the feature, the part of it, how many standard deviations, and how strong."""

    feature: str
    part: str
    z: float
    gap: float  # by how much the share that came differs from the promise, where the direction is


@dataclass(frozen=True)
class Relation:
    """Whether the promises hold: the strongest directions, and what chance alone would have brought."""

    rows: int
    broken: bool
    limit: float
    directions: list[Direction]  # strongest first

    @property
    def everywhere(self) -> bool:
        """Whether the promises are off for all rows alike, more than along any feature."""
        return bool(self.directions) and self.directions[0].feature in (EVERYWHERE, SURENESS)


def promised(proba: np.ndarray, table: pd.DataFrame, profile: Mapping[str, Any]) -> np.ndarray:
    """Return the chance of each row that what its probability speaks of comes true, as learned in training.

    The probability is corrected by the calibration line of rows held out, and by what the model left unexplained
    already in training. Without these in the *profile* (older models) it is the probability itself.

    >>> profile = {"calibration": {"line": [0.0, 0.5], "covariance": [[0, 0], [0, 0]], "rows": 100}}
    >>> promised(np.array([0.5, 0.9]), pd.DataFrame({"x": [1, 2]}), profile).round(2).tolist()
    [0.5, 0.75]
    """
    p = corrected(proba, profile.get("calibration", {}).get("line", [0.0, 1.0]))
    if any(profile.get("unexplained", [])):
        p = p + scale(table, profile) @ np.array(profile["unexplained"])
    clipped: np.ndarray = np.clip(p, NOBODY, 1 - NOBODY)
    return clipped


def ask(
    came: np.ndarray,
    p: np.ndarray,
    table: pd.DataFrame,
    profile: Mapping[str, Any],
    weights: np.ndarray | None = None,
    given: np.ndarray | None = None,
) -> Relation:
    """Return whether *came* (rows,) fits the promise *p* (rows,) for all rows, and along every feature of *table*.

    *weights* (rows,) turn the rows into those of another mix. *given* (rows, k) are directions known to be disturbed:
    what the others show beyond them is asked.
    """
    weights = np.ones(len(p)) if weights is None else weights / weights.mean()
    columns, names = directions(p, table, profile)
    variance = weights**2 * p * (1 - p)
    if given is not None:
        columns = beyond(columns, given, variance)
    errors = weights * (came - p)
    spread = np.sqrt(columns.T**2 @ variance)
    usable = spread > 1e-9
    columns, spread = columns[:, usable], spread[usable]
    names = [name for name, use in zip(names, usable, strict=True) if use]
    z = columns.T @ errors / spread
    limit = by_chance(columns, spread, p, weights, profile)
    gaps = columns.T @ errors / (np.abs(columns) * weights[:, None]).sum(axis=0)
    order = np.argsort(-np.abs(z))
    found = [Direction(names[i][0], names[i][1], float(z[i]), float(gaps[i])) for i in order]
    return Relation(len(p), bool(len(z) and np.abs(z).max() > limit), limit, found)


def directions(
    p: np.ndarray, table: pd.DataFrame, profile: Mapping[str, Any]
) -> tuple[np.ndarray, list[tuple[str, str]]]:
    """Return the directions to ask about, shape (rows, directions), and feature and part of each."""
    columns, names = encode(table, profile.get("features", {}))
    often = (columns != 0).mean(axis=0) >= FEWEST
    columns, names = columns[:, often], [name for name, use in zip(names, often, strict=True) if use]
    sure = logit(p)
    every = np.column_stack([np.ones_like(p), sure - sure.mean(), np.abs(sure) - np.abs(sure).mean()])
    return np.column_stack([every, columns]), [(EVERYWHERE, ""), (SURENESS, ""), (SURENESS, ""), *names]


def own_columns(table: pd.DataFrame, p: np.ndarray, names: list[str], profile: Mapping[str, Any]) -> np.ndarray:
    """Return the directions of the features *names*, and those of all rows, for `ask(given=...)`."""
    columns, found = directions(p, table, profile)
    return columns[:, [feature in (EVERYWHERE, SURENESS, *names) for feature, _ in found]]


def beyond(columns: np.ndarray, given: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Return the part of *columns* that the *given* ones do not hold, in the metric of the test."""
    root = np.sqrt(variance)[:, None]
    fit = np.linalg.lstsq(given * root, columns * root, rcond=None)[0]
    rest: np.ndarray = columns - given @ fit
    rest[:, ((rest * root) ** 2).sum(axis=0) < 0.05 * ((columns * root) ** 2).sum(axis=0)] = 0.0
    return rest


def by_chance(
    columns: np.ndarray, spread: np.ndarray, p: np.ndarray, weights: np.ndarray, profile: Mapping[str, Any]
) -> float:
    """Return what the largest statistic stays below in `CHANCE` of the samples in which every promise holds.

    Two things are not certain and are simulated as well: the calibration line, and the model itself, which was learned
    from `rows` rows: its own errors look like a change to as many new rows, so everything grows by sqrt(1 + new/old).
    """
    rng = np.random.default_rng(0)
    known = profile.get("calibration")
    rows = max(float(profile.get("rows", len(p))), 1.0)
    unknown = np.eye(2) / (rows * max(float((p * (1 - p)).mean()), NOBODY))
    covariance = np.array(known["covariance"]) if known else unknown
    shifts = rng.multivariate_normal(np.zeros(2), covariance, SIMULATIONS)
    real = 1 / (1 + np.exp(-(logit(p)[:, None] * (1 + shifts[:, 1]) + shifts[:, 0])))
    came = rng.random(real.shape, dtype="float32") < real
    errors = weights[:, None] * (came - p[:, None])
    largest = np.abs(columns.T @ errors / spread[:, None]).max(axis=0) if len(spread) else np.zeros(SIMULATIONS)
    effective = weights.sum() ** 2 / (weights**2).sum()
    return float(np.quantile(largest, CHANCE) * np.sqrt(1 + effective / rows))
