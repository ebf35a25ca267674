"""A pipeline is asked for the class and for the probabilities; both must be what they say they are."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from player.learning.asking import CLOSE, are_probabilities, ask, last_step, shown

TABLE = pd.DataFrame({"x": [0.0, 1.0, 2.0, 5.0]})


@pytest.mark.parametrize(
    ("row", "fine"),
    [
        ([0.25, 0.75], True),
        ([0.0, 1.0], True),
        ([0.5 + CLOSE, 0.5], True),
        ([0.5 + 3 * CLOSE, 0.5], False),
        ([0.5, 0.5 - 3 * CLOSE], False),
        ([-0.5, 1.5], False),
        ([0.2, 0.2], False),
        ([0.9, 0.9], False),
        ([np.nan, 1.0], False),
        ([np.inf, 0.0], False),
    ],
)
def test_a_probability_lies_between_0_and_1_and_a_row_of_them_adds_up_to_1(row: list[float], fine: bool) -> None:
    """Up to what a narrow float rounds away; one bad row of many is enough."""
    assert fine == are_probabilities(np.array([row]))
    assert fine == are_probabilities(np.array([[0.5, 0.5], row, [1.0, 0.0]]))


@pytest.mark.parametrize("between", [[], ["passthrough"], [None], [StandardScaler()], [StandardScaler()] * 2])
def test_step_by_step_is_as_good_as_the_whole(between: list[object]) -> None:
    """Whatever stands before the classifier, also nothing."""
    steps = [(str(place), step) for place, step in enumerate([*between, LogisticRegression()])]
    pipeline = Pipeline(steps).fit(TABLE.to_numpy(), ["a", "b", "a", "b"])

    chosen, proba = ask(pipeline, TABLE.to_numpy(), ["a", "b"])

    assert pipeline.steps[-1][1] is last_step(pipeline, TABLE.to_numpy())[0]
    np.testing.assert_array_equal(pipeline.predict_proba(TABLE.to_numpy()), proba)
    assert pipeline.predict(TABLE.to_numpy()).tolist() == [["a", "b"][place] for place in chosen]


def test_a_kind_of_pipeline_of_its_own_is_asked_as_a_whole() -> None:
    """It may do more than its steps."""

    class Own(Pipeline):
        pass

    pipeline = Own(make_pipeline(StandardScaler(), LogisticRegression()).steps)

    model, rows = last_step(pipeline, TABLE)

    assert model is pipeline
    assert rows is TABLE


def test_of_two_classes_the_second_is_answered_else_the_chosen_one() -> None:
    """Each row has its own."""
    two, three = np.array([[0.4, 0.6], [0.9, 0.1]]), np.array([[0.5, 0.2, 0.3], [0.1, 0.2, 0.7]])

    assert [0.6, 0.1] == shown(np.array([0, 0]), two).tolist()
    assert [0.2, 0.7] == shown(np.array([1, 2]), three).tolist()
