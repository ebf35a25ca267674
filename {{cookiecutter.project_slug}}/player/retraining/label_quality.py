"""What the labels cannot be trusted with: answers that never get one, and senders that contradict all others."""

import math
from collections.abc import Mapping

import pandas as pd

FEWEST_ANSWERS = 30
HARDLY_ANY = 0.05  # of the share that other answers get
FEWEST_LABELS = 30
SIGMAS = 4.0
FAR_OFF = 0.15


def never_labelled(rows: pd.DataFrame) -> list[str]:
    """Return the answers (as text) that hardly ever get a label, while another one does.

    *rows* has `pred`, `received_at` and `label` (None without one). Rows newer than the newest labelled one are not
    counted: their labels may still come.

    >>> rows = pd.DataFrame({"received_at": range(80), "pred": [0, 1] * 40, "label": [None, 1] * 40})
    >>> never_labelled(rows)
    ['0']
    """
    labelled = rows["label"].notna()
    if not labelled.any():
        return []
    due = rows[rows["received_at"] <= rows.loc[labelled, "received_at"].max()]
    by_answer = due["label"].notna().groupby(due["pred"].astype(str))
    shares = by_answer.mean()[by_answer.size() >= FEWEST_ANSWERS]
    return [str(answer) for answer, share in shares.items() if share < HARDLY_ANY * shares.max()]


def odd_senders(rows: pd.DataFrame, senders: Mapping[str, str]) -> dict[str, str]:
    """Return the senders whose labels contradict the answers far more often than the others' do, and how often.

    *rows* has `request_id`, `pred` and `label`; *senders* names who sent the label of a request. Two proportions are
    compared by their z score (pooled variance); four standard deviations and 15 points in 100 are no accident.
    """
    wrong = rows["pred"].astype(str) != rows["label"].astype(str)
    sender = rows["request_id"].map(senders).fillna("unknown")
    found = {}
    for name in sender.unique():
        own, others = wrong[sender == name], wrong[sender != name]
        if min(len(own), len(others)) < FEWEST_LABELS:
            continue
        deviation = math.sqrt(max(wrong.mean() * (1 - wrong.mean()), 1e-9) * (1 / len(own) + 1 / len(others)))
        more = own.mean() - others.mean()
        if more > FAR_OFF and more / deviation > SIGMAS:
            found[str(name)] = f"{own.mean():.0%} of its {len(own):,} labels contradict, {others.mean():.0%} of others'"
    return found
