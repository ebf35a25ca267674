"""How well the model predicts: accuracy, ranking and honesty, measured on labels or expected without them.

Every function takes a table with a row for each answered request and the columns pred, proba and label.
"""

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd
from sklearn.metrics import roc_auc_score

from player.evaluation import BINS, calibration_error
from player.repair import as_text

Z95 = 1.96  # the two-sided 95 % quantile of the normal distribution


@dataclass(frozen=True)
class Share:
    """A share of hits and the 95 % interval in which the true share lies; everything between 0 and 1."""

    hits: float
    of: float
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Promise:
    """The rows whose probability lies between low and high: how many, how many labelled, and how often it came true."""

    low: float
    high: float
    rows: int
    labelled: int
    promised: float | None
    came: float | None


def class_names(values: pd.Series) -> pd.Series:
    """Return labels or predictions as text, so that 1, 1.0 and "1" are one class.

    >>> class_names(pd.Series([1, 1.0, "1", True, "yes"], dtype="object")).tolist()
    ['1', '1', '1', 'True', 'yes']
    """
    names = [as_text(value).encode("utf-8", "replace").decode("utf-8") for value in values]
    return pd.Series(names, index=values.index, dtype="object")


def correct(labelled: pd.DataFrame) -> pd.Series:
    """Return for each labelled row whether its prediction was right."""
    return class_names(labelled["pred"]) == class_names(labelled["label"])


def wilson(hits: float, of: float, z: float = Z95) -> Share:
    """Return the share of *hits* with its interval, which also holds for few rows and for shares near 0 and 1.

    Wilson (1927), "Probable inference, the law of succession, and statistical inference".

    >>> share = wilson(80, 100)
    >>> print(f"{share.value:.0%} [{share.low:.1%}, {share.high:.1%}]")
    80% [71.1%, 86.7%]
    >>> print(f"{wilson(3, 3).low:.1%}")
    43.8%
    """
    if of <= 0:
        return Share(0, 0, 0.0, 0.0, 1.0)
    p = hits / of
    middle = (p + z**2 / (2 * of)) / (1 + z**2 / of)
    half = z / (1 + z**2 / of) * math.sqrt(p * (1 - p) / of + z**2 / (4 * of**2))
    return Share(float(hits), float(of), float(p), max(0.0, middle - half), min(1.0, middle + half))


def positive_class(classes: list[str]) -> str:
    """Return the class that `proba` speaks about when there are two: the larger one; "" when there are not two.

    >>> positive_class(["0", "1"]), positive_class(["9", "10"]), positive_class(["no", "yes"]), positive_class(["a"])
    ('1', '10', 'yes', '')
    """
    if len(classes) != 2:
        return ""
    try:
        return max(classes, key=float)
    except ValueError:
        return max(classes)


def confidence(rows: pd.DataFrame, positive: str) -> pd.Series:
    """Return for each row the probability (0 to 1) that its prediction is right, as the model itself says."""
    if not positive:
        return rows["proba"]
    return rows["proba"].where(class_names(rows["pred"]) == positive, 1 - rows["proba"])


def expected_accuracy(rows: pd.DataFrame, positive: str) -> float | None:
    """Return the accuracy to expect without any label: the mean probability that an answer is right.

    Confidence-based performance estimation (CBPE), from NannyML's documentation. Its limits, also from there: the
    probabilities must be calibrated, and it cannot see that the relation between features and label has changed, nor
    that features moved where training never was. It is a promise of the model, not a measurement.

    >>> rows = pd.DataFrame({"pred": [1, 1, 0, 0], "proba": [0.9, 0.7, 0.4, 0.2]})
    >>> print(f"{expected_accuracy(rows, positive='1'):.1%}")
    75.0%
    """
    return finite(confidence(rows, positive).mean())


def auc(labelled: pd.DataFrame, positive: str) -> float | None:
    """Return the area under the ROC curve for two classes: how well `proba` ranks; None when it cannot be known.

    >>> print(auc(pd.DataFrame({"label": [0, 0, 1, 1], "proba": [0.1, 0.6, 0.5, 0.9]}), positive="1"))
    0.75
    """
    known = labelled[labelled["proba"].notna()]
    truth = class_names(known["label"]) == positive
    if not positive or truth.nunique() < 2:
        return None
    return float(roc_auc_score(truth, known["proba"]))


def precision_and_recall(labelled: pd.DataFrame, positive: str) -> tuple[float | None, float | None]:
    """Return how many of the *positive* answers were right, and how many of the positive truths were found.

    >>> precision_and_recall(pd.DataFrame({"pred": [1, 1, 0, 0], "label": [1, 0, 1, 0]}), positive="1")
    (0.5, 0.5)
    """
    said = class_names(labelled["pred"]) == positive
    true = class_names(labelled["label"]) == positive
    both = float((said & true).sum())
    return (both / float(said.sum()) if said.any() else None), (both / float(true.sum()) if true.any() else None)


def confusion(labelled: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Return the number of rows for each true class and, inside it, for each predicted class.

    >>> confusion(pd.DataFrame({"pred": [1, 1, 0], "label": [1, 0, 0]}))
    {'0': {'0': 1, '1': 1}, '1': {'0': 0, '1': 1}}
    """
    truth, said = class_names(labelled["label"]), class_names(labelled["pred"])
    names = sorted(set(truth) | set(said))
    pairs = pd.Series(list(zip(truth, said, strict=True))).value_counts().to_dict()
    return {true: {pred: int(pairs.get((true, pred), 0)) for pred in names} for true in names}


def calibration(labelled: pd.DataFrame, positive: str) -> float | None:
    """Return how far, on average, a probability is from the share it promises (0 is perfect); two classes only."""
    known = labelled[labelled["proba"].notna()]
    if not positive or known.empty:
        return None
    truth = (class_names(known["label"]) == positive).to_numpy().astype(int)
    return calibration_error(truth, known["proba"].clip(0, 1).to_numpy())


def promises(rows: pd.DataFrame, positive: str) -> list[Promise]:
    """Return for ten equal ranges of the probability what it promised and what came: a reliability diagram.

    With two classes it is the probability of the *positive* one, with more the probability of being right.

    >>> rows = pd.DataFrame({"pred": [1] * 4, "proba": [0.91, 0.95, 0.99, 0.62], "label": [1, 1, 0, None]})
    >>> for each in promises(rows, positive="1"):
    ...     if each.rows:
    ...         print(f"{each.low} to {each.high}: {each.rows} rows, {each.promised:.2f} promised, {each.came} came")
    0.6 to 0.7: 1 rows, 0.62 promised, None came
    0.9 to 1.0: 3 rows, 0.95 promised, 0.6666666666666666 came
    """
    known = rows[rows["proba"].notna()]
    where = (known["proba"].clip(0, 1) * BINS).astype(int).clip(upper=BINS - 1)
    true = class_names(known["label"]) == positive if positive else correct(known)
    found = []
    for i in range(BINS):
        here = where == i
        labelled = here & known["label"].notna()
        promised, came = finite(known["proba"][here].mean()), finite(true[labelled].mean())
        found.append(Promise(i / BINS, (i + 1) / BINS, int(here.sum()), int(labelled.sum()), promised, came))
    return found


def finite(number: Any) -> float | None:
    """Return *number* as a float, or None when it is not one."""
    return float(number) if pd.notna(number) and math.isfinite(number) else None
