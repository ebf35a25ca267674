"""How the service does: all figures of a table of answered requests, with and without labels.

Every function takes a table with a row for each answered request and the columns of `COLUMNS`, as
`storage.queries.recent()` returns them, and can be used in a notebook just as well.
"""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from player.monitoring.quality import (
    Promise,
    Share,
    auc,
    calibration,
    class_names,
    confusion,
    correct,
    expected_accuracy,
    finite,
    positive_class,
    precision_and_recall,
    promises,
    wilson,
)

COLUMNS = [
    "request_id",
    "received_at",
    "model",
    "pred",
    "proba",
    "degraded",
    "features",
    "warnings",
    "latency_ms",
    "label",
    "label_at",
]


@dataclass(frozen=True)
class Figures:
    """What a table of answered requests says about the model. A figure that cannot be known is None."""

    rows: int
    first: datetime | None
    last: datetime | None
    model: str
    labelled: int
    points: int
    accuracy: Share | None
    expected_accuracy: float | None
    auc: float | None
    precision: float | None
    recall: float | None
    positive: str
    confusion: dict[str, dict[str, int]]
    calibration_error: float | None
    promises: list[Promise]
    coverage: float
    coverage_by_answer: dict[str, float]
    label_delay_seconds: float | None
    degraded: float
    repaired: float
    latency_ms: dict[str, float]


def measure(rows: pd.DataFrame, classes: list[str]) -> Figures:
    """Return all figures of *rows*; *classes* are the names of the labels seen in training."""
    labelled = rows[rows["label"].notna()]
    positive = positive_class(classes)
    precision, recall = precision_and_recall(labelled, positive)
    return Figures(
        rows=len(rows),
        first=rows["received_at"].iloc[0] if len(rows) else None,
        last=rows["received_at"].iloc[-1] if len(rows) else None,
        model=current_model(rows),
        labelled=len(labelled),
        points=int(correct(labelled).sum()),
        accuracy=wilson(correct(labelled).sum(), len(labelled)) if len(labelled) else None,
        expected_accuracy=expected_accuracy(rows, positive),
        auc=auc(labelled, positive),
        precision=precision,
        recall=recall,
        positive=positive,
        confusion=confusion(labelled),
        calibration_error=calibration(labelled, positive),
        promises=promises(rows, positive),
        coverage=len(labelled) / len(rows) if len(rows) else 0.0,
        coverage_by_answer=coverage_by_answer(rows),
        label_delay_seconds=label_delay(labelled),
        degraded=share_of(rows["degraded"].astype(bool)),
        repaired=share_of(rows["warnings"].map(was_repaired).astype(bool)),
        latency_ms=latency(rows),
    )


def tidy(rows: pd.DataFrame) -> pd.DataFrame:
    """Return *rows* with all of `COLUMNS`, oldest first; the same table, if it was tidy before."""
    tidied = rows.reindex(columns=COLUMNS).sort_values("received_at", kind="stable", ignore_index=True)
    return tidied.assign(proba=pd.to_numeric(tidied["proba"], errors="coerce").astype("float64"))


def coverage_by_answer(rows: pd.DataFrame) -> dict[str, float]:
    """Return for each predicted class which share of its rows has a label.

    When only approved applicants ever get a label, the others are at 0 and no accuracy is known for them.

    >>> coverage_by_answer(pd.DataFrame({"pred": [1, 1, 0, 0], "label": [1, 0, None, None]}))
    {'0': 0.0, '1': 1.0}
    """
    shares = rows["label"].notna().groupby(class_names(rows["pred"])).mean()
    return {str(name): float(share) for name, share in shares.items()}


def label_delay(labelled: pd.DataFrame) -> float | None:
    """Return the median time from answer to label in seconds; labels that came before their request count as 0."""
    delay = pd.to_datetime(labelled["label_at"], utc=True) - pd.to_datetime(labelled["received_at"], utc=True)
    return finite(delay.dt.total_seconds().clip(lower=0).median())


def latency(rows: pd.DataFrame) -> dict[str, float]:
    """Return the quantiles of the answer time in milliseconds: half, 95 % and 99 % of the answers were faster.

    >>> latency(pd.DataFrame({"latency_ms": [1.0, 2.0, 3.0, 4.0, 105.0]}))
    {'p50': 3.0, 'p95': 84.8, 'p99': 101.0}
    """
    known = pd.to_numeric(rows["latency_ms"], errors="coerce").dropna()
    if known.empty:
        return {}
    return {f"p{q}": round(float(np.quantile(known, q / 100)), 1) for q in (50, 95, 99)}


def current_model(rows: pd.DataFrame) -> str:
    """Return the version that gave the newest answer which was not a fallback; "" when there is none."""
    healthy = rows.loc[~rows["degraded"].astype(bool), "model"]
    return str(healthy.iloc[-1]) if len(healthy) else ""


def since_current_model(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows after the last answer of any other model, so that a new model is not blamed for an old one."""
    others = ~rows["degraded"].astype(bool) & (rows["model"] != current_model(rows))
    return rows.iloc[int(np.flatnonzero(others)[-1]) + 1 :] if others.any() else rows


def was_repaired(warnings: object) -> bool:
    """Return whether a value was repaired: one that is only missing is none, it is the same in training.

    >>> was_repaired(["income: missing"]), was_repaired(["age: number given as text"]), was_repaired(None)
    (False, True, False)
    """
    return isinstance(warnings, list) and any(not str(text).endswith(": missing") for text in warnings)


def share_of(flags: pd.Series) -> float:
    """Return the share of true values; 0 when there are none."""
    return float(flags.mean()) if len(flags) else 0.0
