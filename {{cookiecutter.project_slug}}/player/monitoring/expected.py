"""Which accuracy to expect without labels, how exactly, and whether that can be trusted now."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from player.monitoring.evidence.relation import promised
from player.monitoring.evidence.weighing import FEWEST_LABELS, Evidence
from player.monitoring.quality import Z95, class_names

MOST_UNLIKE = 0.05  # rows unlike any in training, about which the model knows nothing


@dataclass(frozen=True)
class Expected:
    """The accuracy to expect, its 95 % interval (0 to 1), and why it cannot be trusted now (empty: it can).

    *promised* is what the model said before labels corrected it: beside what came it shows whether it kept its word.
    """

    value: float
    low: float
    high: float
    doubts: list[str] = field(default_factory=list)
    promised: float | None = None

    @property
    def trusted(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.doubts

    def to_text(self) -> str:
        """Return it as people write it, with what speaks against it.

        >>> Expected(0.8, 0.76, 0.84).to_text(), Expected(0.8, 0.76, 0.84, ["values are odd"]).to_text()
        ('80% (76% to 84%)', '80% (76% to 84%), not to be trusted: values are odd')
        """
        against = f", not to be trusted: {'; '.join(self.doubts)}" if self.doubts else ""
        return f"{self.value:.0%} ({self.low:.0%} to {self.high:.0%}){against}"


def expect(
    rows: pd.DataFrame, table: pd.DataFrame, profile: Mapping[str, Any], evidence: Evidence, positive: str
) -> Expected | None:
    """Return the accuracy to expect of *rows* by the corrected word of the model itself; None without answers of it.

    Each answer is right with the probability that training promised (confidence-based estimation, NannyML), so the
    number of right ones is Poisson-binomial: its variance is the sum of q * (1 - q). The uncertainty of the calibration
    is added. When labels contradict the promises, what they say is used instead of what was promised.
    """
    own = (rows["proba"].notna() & ~rows["degraded"].astype(bool)).to_numpy()
    if not own.any():
        return None
    p = promised(rows["proba"][own].clip(0, 1).to_numpy(), table[own], profile)
    q = np.where((class_names(rows["pred"][own]) == positive).to_numpy(), p, 1 - p) if positive else p
    value = word = float(q.mean())
    broken = evidence.unweighted is not None and evidence.unweighted.broken
    contradicted = evidence.loss is not None and (broken or bool(evidence.traces))
    if contradicted and evidence.loss:
        value -= (evidence.loss.rest + evidence.loss.touched) / 100
    known = profile.get("calibration", {}).get("rows", profile.get("rows", len(q)))
    spread = math.sqrt(float((q * (1 - q)).sum()) / len(q) ** 2 + float((q * (1 - q)).mean()) / max(known, 1))
    value = min(max(value, 0.0), 1.0)
    low, high = max(0.0, value - Z95 * spread), min(1.0, value + Z95 * spread)
    return Expected(value, low, high, doubts(table, profile, evidence, contradicted), min(max(word, 0.0), 1.0))


def doubts(table: pd.DataFrame, profile: Mapping[str, Any], evidence: Evidence, contradicted: bool) -> list[str]:
    """Return why the expected accuracy cannot be trusted now."""
    found = []
    if evidence.traces:
        found.append("data is gathered differently, so the model knows less than it says")
    if contradicted:
        found.append("the labels contradict it; it is corrected by what they say")
    elif evidence.labelled < FEWEST_LABELS:
        found.append("no labels show whether like cases still turn out alike")
    if evidence.moved and evidence.relation is None and evidence.unweighted is not None:
        found.append("hardly a row is like those of training")
    unlike = float(rows_unlike(table, profile).mean()) if len(table) else 0.0
    if unlike > MOST_UNLIKE:
        found.append(f"{unlike:.0%} of the rows are unlike any in training")
    return found


def rows_unlike(table: pd.DataFrame, profile: Mapping[str, Any]) -> np.ndarray:
    """Return which rows hold a value that training never saw: a number out of range or an unknown category.

    >>> profile = {"features": {"age": {"kind": "number", "low": 18.0, "high": 80.0}}}
    >>> rows_unlike(pd.DataFrame({"age": [30.0, 99.0, None]}), profile).tolist()
    [False, True, False]
    """
    unlike = np.zeros(len(table), dtype=bool)
    for name, known in profile.get("features", {}).items():
        column = table[name]
        if known["kind"] == "number":
            unlike |= ((column < known["low"]) | (column > known["high"])).to_numpy()
        else:
            unlike |= (column.notna() & ~column.isin(list(known["shares"]))).to_numpy()
    return unlike
