"""From the decision of a model to probabilities, for one row: as the classifier and its calibration compute them.

Plain floats: for two or three classes arrays would take longer than all the rest.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

LOG_OF_ZERO = 1e-12  # what scikit-learn adds to a probability before it takes its logarithm

Finish = Callable[[list[float]], list[float]]  # the decisions of a model: what `finish` below makes of them


def logistic(log_odds: float) -> float:
    """Return the probability with these *log_odds*."""
    return 0.0 if log_odds < -700 else 1 / (1 + math.exp(-log_odds))


def softmax(scores: Sequence[float]) -> list[float]:
    """Return the probabilities whose logarithms differ as *scores* do."""
    largest = max(scores)
    odds = [math.exp(score - largest) for score in scores]
    total = sum(odds)
    return [each / total for each in odds]


def as_probabilities(decisions: list[float]) -> list[float]:
    """Return the probabilities of log-odds: one of the second of two classes, or one for each class."""
    if len(decisions) > 1:
        return softmax(decisions)
    proba = logistic(decisions[0])
    return [1 - proba, proba]


def as_they_are(decisions: list[float]) -> list[float]:
    """Return the probabilities of a model that says probabilities."""
    return decisions


def calibrated(calibrators: Sequence[Any], method: str, probabilities: Finish | None) -> Finish:
    """Return what turns decisions into calibrated probabilities, as `CalibratedClassifierCV` with *method* does.

    *probabilities* says what the classifier itself makes of its decisions, None where it has a `decision_function`:
    scikit-learn calibrates that where it can.
    """

    def finish(decisions: list[float]) -> list[float]:
        said = decisions if probabilities is None else probabilities(decisions)
        if method == "temperature":
            return at_temperature(said, float(calibrators[0].beta_))
        if len(said) <= 2:
            proba = apply(calibrators[0], method, said[-1])
            return [1 - proba, proba]
        each = [apply(calibrator, method, value) for calibrator, value in zip(calibrators, said, strict=True)]
        total = sum(each)
        return [value / total for value in each] if total else [1 / len(each)] * len(each)

    return finish


def apply(calibrator: Any, method: str, value: float) -> float:
    """Return the probability that one fitted *calibrator* makes of the decision *value*."""
    if method == "sigmoid":
        return logistic(-(float(calibrator.a_) * value + float(calibrator.b_)))
    return float(np.interp(value, calibrator.X_thresholds_, calibrator.y_thresholds_))


def at_temperature(said: list[float], beta: float) -> list[float]:
    """Return probabilities that are sharper or flatter by the inverse temperature *beta*."""
    if len(said) == 1:
        return as_probabilities([2 * beta * said[0]])
    if len(said) == 2:
        said = [1 - said[1], said[1]]  # to the last bit: the logarithm of nearly nothing is steep
    if all(0 <= value <= 1 for value in said) and math.isclose(sum(said), 1, rel_tol=1e-9):
        said = [math.log(value + LOG_OF_ZERO) for value in said]
    return softmax([beta * value for value in said])
