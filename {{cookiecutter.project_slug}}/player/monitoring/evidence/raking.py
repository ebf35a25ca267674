"""The rows of now weighted to the mix of training: what is left of a change when the population is taken out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from player.monitoring.bins import sort_into_bins, training_shares

ROUNDS = 30
HEAVIEST = 12.0  # no row counts for more than this many
COVERED = 0.8  # the share of the training population that must still be among the rows, for each feature
FEWEST_EFFECTIVE = 60


@dataclass(frozen=True)
class Mix:
    """Weights (rows,) that give the rows the mix of training, and how many rows they are worth."""

    weights: np.ndarray
    effective: float
    features: list[str]

    @property
    def usable(self) -> bool:
        """Whether enough of the training population is left among the rows to speak about it."""
        return self.effective >= FEWEST_EFFECTIVE


def rake(table: pd.DataFrame, names: Sequence[str], features: Mapping[str, Any]) -> Mix:
    """Return weights under which every feature of *names* is spread over its bins as in training, all together.

    Iterative proportional fitting (Deming and Stephan 1940): the density ratio that is log-additive in the features.
    It is worth (sum of weights)^2 / sum of weights^2 rows (Kish 1965).

    >>> known = {"home": {"kind": "category", "shares": {"rent": 0.5, "owner": 0.5}, "missing": 0.0}}
    >>> mix = rake(pd.DataFrame({"home": ["rent"] * 300 + ["owner"] * 100}), ["home"], known)
    >>> print(mix.weights[[0, -1]].round(2).tolist(), round(mix.effective))
    [0.67, 2.0] 300
    """
    weights = np.ones(len(table))
    groups = [group(table[name], features[name]) for name in names]
    for _ in range(ROUNDS):
        before = weights
        for codes, wanted in groups:
            sums = np.bincount(codes, weights, len(wanted))
            ratio = np.divide(wanted * weights.sum(), sums, out=np.ones(len(wanted)), where=sums > 0)
            weights = np.minimum(weights * ratio[codes], HEAVIEST * weights.mean())
        weights = weights / weights.mean()
        if np.abs(weights - before).max() < 1e-3:
            break
    covered = min((wanted[np.unique(codes)].sum() for codes, wanted in groups), default=1.0)
    effective = float(weights.sum() ** 2 / (weights**2).sum()) if covered >= COVERED else 0.0
    return Mix(weights, effective, list(names))


def group(column: pd.Series, known: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return for each row the number of its bin, and the share of training in each bin."""
    shares = training_shares(known)
    codes = pd.Index(list(shares)).get_indexer(pd.Index(sort_into_bins(column, known)))
    return np.asarray(codes), np.array(list(shares.values()))
