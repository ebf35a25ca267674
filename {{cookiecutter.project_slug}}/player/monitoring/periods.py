"""How things went over time: rows, labels and accuracy for each stretch of the clock."""

from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from player.monitoring.quality import Share, correct, wilson

MOST = 48
MINUTE, HOUR, DAY = 60, 3600, 86_400
STEPS = (
    *(1, 2, 5, 10, 15, 30),
    *(MINUTE * n for n in (1, 2, 5, 10, 15, 30)),
    *(HOUR * n for n in (1, 2, 3, 6, 12)),
    *(DAY * n for n in (1, 2, 7, 14, 28, 91, 364)),
)


@dataclass(frozen=True)
class Period:
    """One stretch of time: when it began, how many requests came, how many were right of those with a label."""

    start: datetime
    seconds: int
    rows: int
    accuracy: Share | None


def choose_step(seconds: float, most: int = MOST) -> int:
    """Return a length in seconds people count in, such that *seconds* have at most *most* of it.

    >>> choose_step(40), choose_step(60 * 10), choose_step(3600 * 24)
    (1, 15, 3600)
    """
    return next((step for step in STEPS if seconds / step < most), STEPS[-1])


def periods(rows: pd.DataFrame, most: int = MOST) -> list[Period]:
    """Return the newest at most *most* periods of equal length, oldest first; also those in which nothing came.

    >>> times = pd.to_datetime(["2026-11-23 07:00:00", "2026-11-23 07:00:01", "2026-11-23 07:00:03"], utc=True)
    >>> rows = pd.DataFrame({"received_at": times, "pred": [1, 0, 1], "label": [1, 1, None]})
    >>> for period in periods(rows):
    ...     print(period.start.time(), period.rows, period.accuracy and period.accuracy.value)
    07:00:00 1 1.0
    07:00:01 1 0.0
    07:00:02 0 None
    07:00:03 1 None
    """
    if rows.empty:
        return []
    times = pd.to_datetime(rows["received_at"], utc=True)
    step = choose_step((times.max() - times.min()).total_seconds(), most - 1)
    known = rows["label"].notna()
    counts = pd.DataFrame(
        {"start": times.dt.floor(f"{step}s"), "rows": 1, "labelled": known, "right": known & correct(rows)}
    )
    sums = counts.groupby("start").sum()
    calendar = pd.date_range(sums.index.min(), sums.index.max(), freq=f"{step}s")[-most:]
    return [
        Period(start.to_pydatetime(), step, int(n), wilson(right, labelled) if labelled else None)
        for start, n, labelled, right in sums.reindex(calendar, fill_value=0).itertuples()
    ]
