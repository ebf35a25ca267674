"""How good a model is, and what its training data looked like: numbers that can be checked by hand."""

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier

from player.evaluation import auc_alone, calibration_error, leaking_features, measure


class Says:
    """A model that answers with the probabilities it was given."""

    def __init__(self, classes: list[object], proba: list[list[float]]) -> None:
        """Know two or more *classes* and what to say of them."""
        self.classes_, self.proba = np.array(classes), np.array(proba)

    def predict_proba(self, _: pd.DataFrame) -> np.ndarray:
        """Say it."""
        return self.proba

    def predict(self, table: pd.DataFrame) -> np.ndarray:
        """Return the likeliest class of each row."""
        likeliest: np.ndarray = self.classes_[self.predict_proba(table).argmax(axis=1)]
        return likeliest


def test_two_classes_are_measured_in_five_ways() -> None:
    """Three of four rows are right; the second class is the one that counts."""
    model = Says(["no", "yes"], [[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.7, 0.3]])
    found = measure(model, pd.DataFrame(index=range(4)), np.array(["no", "no", "yes", "yes"]))

    assert 0.75 == found["accuracy"]
    assert 0.75 == found["roc_auc"]  # of four pairs of a "no" and a "yes" three are in order
    assert (0.1**2 + 0.4**2 + 0.2**2 + 0.7**2) / 4 == pytest.approx(found["brier"])
    assert -np.log([0.9, 0.6, 0.8, 0.3]).mean() == pytest.approx(found["log_loss"])
    assert (0.1 + 0.4 + 0.2 + 0.7) / 4 == pytest.approx(found["calibration_error"])


def test_three_classes_are_measured_in_two_ways() -> None:
    """What needs a positive class is left out."""
    model = Says([1, 2, 3], [[0.5, 0.3, 0.2], [0.1, 0.8, 0.1]])

    assert {"accuracy", "log_loss"} == set(measure(model, pd.DataFrame(index=range(2)), np.array([1, 3])))


def test_rows_of_one_class_are_measured_in_two_ways() -> None:
    """An area under the curve needs both."""
    model = Says([0, 1], [[0.5, 0.5], [0.1, 0.9]])

    assert {"accuracy", "log_loss"} == set(measure(model, pd.DataFrame(index=range(2)), np.array([1, 1])))


def test_calibration_is_judged_bin_by_bin_and_weighted_by_rows() -> None:
    """Three rows promise 0.25 and one of them holds, one row promises 1.0 and fails."""
    found = calibration_error(np.array([1, 0, 0, 0]), np.array([0.25, 0.25, 0.25, 1.0]))

    assert abs(1 / 3 - 0.25) * 3 / 4 + 1.0 / 4 == pytest.approx(found)


def test_a_probability_of_one_is_in_the_highest_bin() -> None:
    """Beside those just below it, which balance it here."""
    assert 0.03 == pytest.approx(calibration_error(np.array([1, 1]), np.array([0.94, 1.0])))
    assert 0.0 == pytest.approx(calibration_error(np.array([0] + [1] * 19), np.array([1.0] * 10 + [0.9] * 10)))


def test_a_column_that_tells_the_classes_apart_has_an_area_of_one() -> None:
    """One that is the same everywhere has a half, and with a single class there is nothing to tell apart."""
    labels = np.array([0, 1] * 50)

    assert 1.0 == auc_alone(pd.Series(labels * 10.0), labels)
    assert 1.0 == auc_alone(pd.Series(np.where(labels == 1, "a", "b")), labels)
    assert 0.5 == auc_alone(pd.Series(np.zeros(100)), labels)
    assert 0.0 == auc_alone(pd.Series(labels * 10.0), np.zeros(100))


def test_a_column_knows_the_answer_also_in_bands() -> None:
    """In turn yes and no, in five bands of a number: a step more of the tree than it takes for four."""
    numbers = np.arange(2000)
    bands = np.searchsorted([1200, 1600, 1800, 1900], numbers, side="right")

    assert ["column"] == leaking_features(pd.DataFrame({"column": numbers}), bands % 2)


def test_a_number_of_each_row_alone_is_no_leak() -> None:
    """A tree that may look at two hundredths of the rows at once cannot learn an id by heart."""
    chance = np.random.default_rng(3)

    assert 0.7 > auc_alone(pd.Series(chance.permutation(2000).astype(float)), chance.integers(0, 2, 2000))


def test_a_model_that_only_knows_how_frequent_classes_are_is_calibrated() -> None:
    """On the rows it was fitted on."""
    table, labels = pd.DataFrame({"x": range(10)}), np.array([0] * 3 + [1] * 7)
    found = measure(DummyClassifier(strategy="prior").fit(table, labels), table, labels)

    assert (0.7, 0.5) == (found["accuracy"], found["roc_auc"])
    assert 0.0 == pytest.approx(found["calibration_error"])
    assert 0.21 == pytest.approx(found["brier"])


def test_a_column_that_knows_the_answer_is_named() -> None:
    """Beside one that knows nothing and one that knows a little."""
    labels = np.arange(400) % 2
    table = pd.DataFrame({"noise": np.arange(400) // 2 % 7, "hint": labels * (np.arange(400) % 3), "late": 1 - labels})

    assert ["late"] == leaking_features(table, labels)
