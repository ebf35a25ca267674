"""What the labels say: whether accuracy fell, whether the probabilities kept their promise, and for whom."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from player.monitoring.bins import make_bins, sort_into_bins
from player.monitoring.drift import ALARM, Drift
from player.monitoring.quality import Share, class_names, confidence, correct, wilson

FEWEST_LABELS = 100  # with fewer, the interval of the accuracy is wider than 16 points
MARGIN = 0.02  # a loss of accuracy smaller than this is nobody's concern
SIGMAS = 3.0  # how far from its expectation a sum must be to be called broken
COVERED = 0.8  # the share of the training population that must still be among the rows to speak about it
FEWEST_EFFECTIVE = 30


@dataclass(frozen=True)
class Evidence:
    """What the labelled rows say against what was expected; shares between 0 and 1, None when not known."""

    before: float | None
    fell: bool
    broken: str
    at_training_mix: Share | None
    mixed_by: str


def weigh(
    rows: pd.DataFrame,
    table: pd.DataFrame,
    drifts: list[Drift],
    profile: Mapping[str, Any],
    before: float | None,
    positive: str,
) -> Evidence:
    """Return what the labels in *rows* say.

    *table* holds the features of *rows* as the model saw them, *before* is the accuracy to compare with, *positive*
    the class that `proba` speaks about.
    """
    labelled = rows[rows["label"].notna()]
    if len(labelled) < FEWEST_LABELS:
        return Evidence(before, fell=False, broken="", at_training_mix=None, mixed_by="")
    right = correct(labelled)
    share = wilson(right.sum(), len(right))
    moved = next((drift for drift in drifts if drift.verdict == ALARM), None)
    fell = before is not None and share.high < before - MARGIN
    broken = broken_promise(labelled, positive)
    if moved is None:
        return Evidence(before, fell, broken, at_training_mix=None, mixed_by="")
    column, known = table.loc[labelled.index, moved.name], profile["features"][moved.name]
    return Evidence(before, fell, broken, accuracy_at_training_mix(right, column, known), moved.name)


def broken_promise(labelled: pd.DataFrame, positive: str) -> str:
    """Return how the labels contradict the model's own probabilities, or "" when they do not.

    The number of right answers is a sum of independent events with the probabilities the model gave, so its standard
    deviation is sqrt(sum of q * (1 - q)). The same holds for the number of rows of the *positive* class.

    >>> rows = pd.DataFrame({"pred": [1] * 400, "proba": [0.8] * 400, "label": [1] * 280 + [0] * 120})
    >>> broken_promise(rows, positive="1")
    'the probabilities promised 80% right answers and 70% came'
    >>> broken_promise(rows.assign(proba=0.71), positive="1")
    ''
    """
    known = labelled[labelled["proba"].notna()]
    promised = confidence(known, positive).clip(0, 1)
    right = correct(known)
    if surprise(right, promised) < -SIGMAS and promised.mean() - right.mean() > MARGIN:
        return f"the probabilities promised {promised.mean():.0%} right answers and {right.mean():.0%} came"
    true = class_names(known["label"]) == positive
    proba = known["proba"].clip(0, 1)
    if positive and abs(surprise(true, proba)) > SIGMAS and abs(proba.mean() - true.mean()) > MARGIN:
        return f"the probabilities promised {proba.mean():.0%} of label {positive} and {true.mean():.0%} came"
    return ""


def surprise(happened: pd.Series, probability: pd.Series) -> float:
    """Return by how many standard deviations more happened than the probabilities said."""
    variance = float((probability * (1 - probability)).sum())
    return float(happened.sum() - probability.sum()) / math.sqrt(variance) if variance > 0 else 0.0


def accuracy_at_training_mix(right: pd.Series, column: pd.Series, known: Mapping[str, Any]) -> Share | None:
    """Return the accuracy that the answers would have, were *column* spread as in training; None if too few are left.

    Each group counts with its share in training (post-stratification, Holt and Smith 1979); the interval uses the
    effective number of rows, (sum of weights)^2 / sum of weights^2 (Kish 1965).

    >>> right = pd.Series([True] * 80 + [False] * 20 + [True] * 300 + [False] * 300)
    >>> column = pd.Series(["permanent"] * 100 + ["self-employed"] * 600)
    >>> known = {"kind": "category", "shares": {"permanent": 0.9, "self-employed": 0.1}, "missing": 0.0}
    >>> share = accuracy_at_training_mix(right, column, known)
    >>> print(f"{right.mean():.0%} now, {share.value:.0%} with the training mix, counts as {share.of:.0f} rows")
    54% now, 77% with the training mix, counts as 123 rows
    """
    bins = [each for each in make_bins(column, known) if each.now]
    weights = sort_into_bins(column, known).map({each.name: each.then / each.now for each in bins})
    effective = float(weights.sum() ** 2 / (weights**2).sum()) if weights.any() else 0.0
    if sum(each.then for each in bins) < COVERED or effective < FEWEST_EFFECTIVE:
        return None
    return wilson(float((right * weights).sum() / weights.sum()) * effective, effective)
