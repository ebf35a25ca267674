"""From the decision of a model to probabilities, for one row: as the classifier and its calibration compute them.

Plain floats: for two or three classes arrays would take longer than all the rest.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

LOG_OF_ZERO = 1e-12  # scikit-learn adds it to a probability before it takes the logarithm

Finish = Callable[[list[float]], list[float]]  # from the decisions of a model to the probability of each class


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
    if method == "temperature":
        finish = partial(at_temperature, float(calibrators[0].beta_))
    else:
        curve = platt if method == "sigmoid" else isotonic
        finish = partial(each_by_itself, [curve(calibrator) for calibrator in calibrators])
    return finish if probabilities is None else lambda decisions: finish(probabilities(decisions))


def platt(calibrator: Any) -> Callable[[float], float]:
    """Return the logistic curve that *calibrator* has fitted."""
    slope, intercept = float(calibrator.a_), float(calibrator.b_)
    return lambda said: logistic(-(slope * said + intercept))


def isotonic(calibrator: Any) -> Callable[[float], float]:
    """Return the steps that *calibrator* has fitted."""
    return lambda said: float(np.interp(said, calibrator.X_thresholds_, calibrator.y_thresholds_))


def each_by_itself(curves: Sequence[Callable[[float], float]], said: list[float]) -> list[float]:
    """Return the probability of the second of two classes by its curve, or of each by its own; they add to 1."""
    if len(curves) == 1:
        proba = curves[0](said[-1])
        return [1 - proba, proba]
    each = [curve(value) for curve, value in zip(curves, said, strict=True)]
    total = sum(each)
    return [value / total for value in each] if total else [1 / len(each)] * len(each)


def at_temperature(beta: float, said: list[float]) -> list[float]:
    """Return probabilities that are sharper or flatter than *said* by the inverse temperature *beta*."""
    if len(said) == 1:
        return as_probabilities([2 * beta * said[0]])
    if len(said) == 2:
        said = [1 - said[1], said[1]]  # to the last bit: the logarithm of nearly nothing is steep
    if all(0 <= value <= 1 for value in said) and math.isclose(sum(said), 1, rel_tol=1e-9):
        said = [math.log(value + LOG_OF_ZERO) for value in said]
    return softmax([beta * value for value in said])
