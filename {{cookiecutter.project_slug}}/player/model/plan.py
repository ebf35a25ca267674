"""The plan of a model: what its pipeline says of one row, in microseconds instead of milliseconds.

For one row a pipeline spends nearly all its time on making and checking tables. A plan does without them: the sum of a
linear model (`scorecard.py`), or trees (`trees.py`) on the columns that the steps before make (`preparation.py`), and
the calibration around them (`calibration.py`). The pickle stays the truth: `rehearsal.py` compares a plan with the
pipeline before it is used, and a model without a plan is asked as it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import Pipeline

from player.features import Schema
from player.model.calibration import Finish, as_probabilities, as_they_are, calibrated
from player.model.preparation import NotMeasured, check_known, inner_steps, measure
from player.model.scorecard import LINEAR, Scorecards, make_scorecards
from player.model.trees import AVERAGED, Forest, is_forest, make_forest
from player.repair import Value


@dataclass(frozen=True)
class Member:
    """One fitted classifier: *source* says its decisions for a row, *finish* makes probabilities of them.

    *steps* and *classifier* are what it stands for, *plainly* what makes probabilities without a calibration.
    """

    source: Scorecards | Forest
    finish: Finish
    steps: list[Any]
    classifier: Any
    plainly: Finish

    def ask(self, row: Mapping[str, Value]) -> list[float]:
        """Return the probability of each class for one clean *row*."""
        return self.finish(self.source.decide(row))


@dataclass(frozen=True)
class Plan:
    """A model for one row; a calibration may hold several classifiers, whose probabilities are averaged."""

    members: tuple[Member, ...]

    def ask(self, row: Mapping[str, Value]) -> tuple[int, list[float]]:
        """Return the place of the class that is named for one clean *row*, and the probability of each class."""
        proba = self.members[0].ask(row)
        if len(self.members) > 1:
            said = [proba, *(member.ask(row) for member in self.members[1:])]
            proba = [sum(each) / len(said) for each in zip(*said, strict=True)]
        return proba.index(max(proba)), proba

    @property
    def kind(self) -> str:
        """What it is, for the log: scorecard or trees."""
        return "trees" if any(isinstance(member.source, Forest) for member in self.members) else "scorecard"


def make_plan(pipeline: Any, schema: Schema, example: Mapping[str, Value]) -> Plan:
    """Return the plan of *pipeline*, which is not compared with it yet; raises NotMeasured.

    *example* is a clean row that the pipeline answers.
    """
    *before, classifier = flatten(pipeline)
    check_known([each for step in before for each in inner_steps(step)])
    if not isinstance(classifier, CalibratedClassifierCV):
        return Plan((make_member(before, classifier, schema, example, None),))
    return Plan(tuple(
        make_member(before, each.estimator, schema, example, each) for each in classifier.calibrated_classifiers_
    ))  # fmt: skip


def flatten(model: Any) -> list[Any]:
    """Return the steps of *model* and its classifier, without what only wraps them."""
    if isinstance(model, GridSearchCV | RandomizedSearchCV):
        return flatten(model.best_estimator_)
    if isinstance(model, FrozenEstimator):
        return flatten(model.estimator)
    if type(model) is not Pipeline:
        return [model]
    steps = [step for _, step in model.steps if step is not None and not isinstance(step, str)]  # "passthrough"
    return [*steps[:-1], *flatten(steps[-1])]


def make_member(
    before: Sequence[Any], estimator: Any, schema: Schema, example: Mapping[str, Value], calibration: Any
) -> Member:
    """Return the plan of *estimator* behind the steps *before* it, within *calibration* where there is one."""
    *own, classifier = flatten(estimator)
    steps = [*before, *own]
    every = [each for step in steps for each in inner_steps(step)]
    check_known(every)
    source: Scorecards | Forest
    if type(classifier) in LINEAR:
        source = make_scorecards(lambda table: classifier.decision_function(run(steps, table)), schema, example)
    elif is_forest(classifier):
        source = make_forest(classifier, measure(lambda table: as_matrix(run(steps, table)), every, schema, example))
    else:
        raise NotMeasured(f"{type(classifier).__name__} is asked as it is")
    plainly: Finish = as_they_are if type(classifier) in AVERAGED else as_probabilities
    finish = plainly
    if calibration is not None:
        response = None if hasattr(classifier, "decision_function") else plainly
        finish = calibrated(calibration.calibrators, calibration.method, response)
    return Member(source, finish, steps, classifier, plainly)


def run(steps: Sequence[Any], table: pd.DataFrame) -> Any:
    """Return what *steps* make of a clean *table*."""
    rows: Any = table
    for step in steps:
        rows = step.transform(rows)
    return rows


def as_matrix(rows: Any) -> np.ndarray:
    """Return *rows*, as a step made them, as an array of float64: shape (rows, columns)."""
    return np.asarray(rows.toarray() if sparse.issparse(rows) else rows, dtype="float64")
