"""How the features go together, and where the model errs already in training: correlations, calibration."""

from collections.abc import Mapping
from functools import cache
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

RARE = 0.02  # categories below this share of the rows get no column of their own
MOST_COLUMNS = 160  # with more, only the first column of each number is kept
RIDGE = 10.0  # rows' worth of belief that nothing is left unexplained
CONSTANT = 0.95  # a number of which more rows have one value gets no column: chance alone moves it far
FARTHEST = 4.0  # spreads; nothing is concluded from how far beyond that a value lies
THIRD = 1 / 3
PRIOR = 4.0  # 1 / 0.5 squared


def encode(table: pd.DataFrame, features: Mapping[str, Any]) -> tuple[np.ndarray, list[tuple[str, str]]]:
    """Return all features as columns of numbers, shape (rows, columns), with the feature and a name of each column.

    A number gives its normal score, whether it is in the lowest or highest third of training, and whether it is
    missing; a category gives one column for each value that is not rare.

    >>> known = {"x": {"kind": "number", "quantiles": [1, 2, 3, 4], "edges": [], "missing": 0.0}}
    >>> columns, names = encode(pd.DataFrame({"x": [1.0, 9.0, np.nan]}), known)
    >>> print(columns.round(1).tolist(), [name for _, name in names])
    [[-1.2, 1.0, 0.0], [1.2, 0.0, 1.0], [0.0, 0.0, 0.0]] ['', 'low', 'high']
    """
    parts: list[np.ndarray] = []
    names: list[tuple[str, str]] = []
    few = 3 * len(features) <= MOST_COLUMNS
    for name, known in sorted(features.items()):  # a manifest keeps no order
        found = (
            number_columns(table[name], known, few)
            if known["kind"] == "number"
            else category_columns(table[name], known)
        )
        parts += [column for _, column in found]
        names += [(name, part) for part, _ in found]
    return (np.column_stack(parts) if parts else np.zeros((len(table), 0))), names


def number_columns(column: pd.Series, known: Mapping[str, Any], thirds: bool) -> list[tuple[str, np.ndarray]]:
    """Return the columns of one number: name of the part, values (rows,)."""
    common = known.get("common")
    if common and common[0][1] > CONSTANT:
        return []
    values = column.to_numpy(dtype="float64")
    gone = np.isnan(values)
    quantiles = np.array(known.get("quantiles") or known["edges"] or [0.0], dtype="float64")
    # The middle of the ranks that are equal, so that a common value does not count as the highest of its equals.
    below = np.searchsorted(quantiles, values, side="left") + np.searchsorted(quantiles, values, side="right")
    below = np.clip(below, 1, 2 * len(quantiles) - 1)
    rank = below / (2 * len(quantiles))
    found = [("", np.where(gone, 0.0, normal_scores(len(quantiles))[below]))]
    if thirds:
        found.append(("low", (rank < THIRD) & ~gone))
        found.append(("high", (rank > 1 - THIRD) & ~gone))
    if known["missing"] >= RARE:
        found.append(("missing", gone))
    return [(part, np.asarray(each, dtype="float64")) for part, each in found]


@cache
def normal_scores(points: int) -> np.ndarray:
    """Return for each half step among *points* ranks the value that a normal distribution has there."""
    inner = [NormalDist().inv_cdf(i / (2 * points)) for i in range(1, 2 * points)]
    return np.array([inner[0], *inner, inner[-1]])


def category_columns(column: pd.Series, known: Mapping[str, Any]) -> list[tuple[str, np.ndarray]]:
    """Return the columns of one category: name of the value, 1.0 where a row has it."""
    values = column.to_numpy(dtype="object")
    found = [(name, values == name) for name, share in sorted(known["shares"].items()) if share >= RARE]
    if known["missing"] >= RARE:
        found.append(("missing", column.isna().to_numpy()))
    return [(part, np.asarray(each, dtype="float64")) for part, each in found]


def describe_together(table: pd.DataFrame, features: Mapping[str, Any]) -> dict[str, Any]:
    """Return names, means, spreads and correlations of the encoded columns."""
    columns, names = encode(table, features)
    mean, spread = columns.mean(axis=0), columns.std(axis=0)
    scaled = (columns - mean) / np.where(spread > 0, spread, 1.0)
    found = {"mean": mean, "spread": spread, "correlation": scaled.T @ scaled / max(len(scaled), 1)}
    return {
        "columns": [list(name) for name in names],
        **{key: np.round(each, 5).tolist() for key, each in found.items()},
    }


def scale(table: pd.DataFrame, profile: Mapping[str, Any]) -> np.ndarray:
    """Return the encoded columns of *table* in spreads of training, those far out pulled in: shape (rows, columns)."""
    columns, _ = encode(table, profile["features"])
    spread = np.array(profile["together"]["spread"], dtype="float64")
    scaled: np.ndarray = (columns - profile["together"]["mean"]) / np.where(spread > 0, spread, np.inf)
    return scaled.clip(-FARTHEST, FARTHEST)


def unexplained(table: pd.DataFrame, profile: Mapping[str, Any], proba: np.ndarray, came: np.ndarray) -> list[float]:
    """Return how what came true depends on each encoded column beyond *proba*: the model's own errors in training.

    A model that errs for some people already in training must not be taken for a world that changed. It is the
    regression of came - proba on the columns, shrunk by as much of it as chance alone would bring (James and Stein
    1961).
    """
    columns, errors = scale(table, profile), came - corrected(proba, profile["calibration"]["line"])
    errors = errors - errors.mean()
    wide = columns.shape[1]
    if len(errors) <= 2 * wide:
        return [0.0] * wide
    left = np.linalg.solve(columns.T @ columns + RIDGE * np.eye(wide), columns.T @ errors)
    explained, chance = float((columns @ left).var()), float(errors.var()) * wide / len(errors)
    kept = max(0.0, 1 - chance / explained) if explained > 0 else 0.0
    return [round(float(each), 6) for each in kept * left]


def corrected(proba: np.ndarray, line: Any) -> np.ndarray:
    """Return probabilities corrected by a calibration line (intercept, slope)."""
    found: np.ndarray = 1 / (1 + np.exp(-(line[0] + line[1] * logit(proba))))
    return found


def calibration_line(proba: np.ndarray, came: np.ndarray) -> dict[str, Any]:
    """Return the line that turns the logit of *proba* into the chance of *came*, and how uncertain the line is.

    Cox (1958), "Two further applications of a model for binary regression": intercept 0 and slope 1 are honest. A
    weak prior there (each known to about 0.5) keeps it finite when every answer of few was right.

    >>> rng = np.random.default_rng(1)
    >>> proba = rng.uniform(0.05, 0.95, 5000)
    >>> line = calibration_line(proba, (rng.random(5000) < proba).astype(float))
    >>> print(abs(line["line"][0]) < 0.1, abs(line["line"][1] - 1) < 0.1, line["rows"])
    True True 5000
    """
    x = logit(proba)
    design = np.column_stack([np.ones_like(x), x])
    prior, line = np.array([0.0, 1.0]), np.array([0.0, 1.0])
    for _ in range(25):
        p = 1 / (1 + np.exp(-design @ line))
        gradient = design.T @ (came - p) - PRIOR * (line - prior)
        line = line + np.linalg.solve(curvature(design, p), gradient)
    p = 1 / (1 + np.exp(-design @ line))
    covariance = np.linalg.inv(curvature(design, p))
    return {"line": line.tolist(), "covariance": covariance.tolist(), "rows": len(x)}


def curvature(design: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Return the information of a logistic regression, with the prior."""
    weighted: np.ndarray = design.T @ (design * (p * (1 - p))[:, None]) + PRIOR * np.eye(design.shape[1])
    return weighted


def logit(proba: np.ndarray) -> np.ndarray:
    """Return the logit of probabilities, finite also for 0 and 1."""
    clipped = np.clip(proba, 1e-4, 1 - 1e-4)
    found: np.ndarray = np.log(clipped / (1 - clipped))
    return found
