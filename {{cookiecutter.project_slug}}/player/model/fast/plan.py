"""The plan of a model: what its pipeline says of one row, in microseconds instead of milliseconds.

For one row a pipeline spends nearly all its time on making and checking tables. A plan does without them: the sum of a
linear model (`scorecard.py`), or trees (`trees.py`) on the columns that the steps before make (`preparation.py`), and
the calibration around them (`calibration.py`). Any other classifier is asked as it is, on those columns. The pickle
stays the truth: `rehearsal.py` compares a plan with the pipeline before it is used.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.pipeline import Pipeline

from player.features import Schema
from player.learning.asking import ask, run
from player.model.fast.calibration import Finish, as_probabilities, as_they_are, calibrated
from player.model.fast.preparation import Preparation, measure
from player.model.fast.scorecard import LINEAR, Scorecards, make_scorecards
from player.model.fast.steps import NotMeasured, check_known, flatten, unknown_in
from player.model.fast.trees import AVERAGED, Forest, is_forest, make_forest
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
    second_of_equals: bool = False  # which of two classes is named when they are as likely
    quick: ClassVar[bool] = True  # it answers before anybody could lose patience

    def ask(self, row: Mapping[str, Value]) -> tuple[int, list[float]]:
        """Return the place of the class that is named for one clean *row*, and the probability of each class."""
        proba = self.members[0].ask(row)
        if len(self.members) > 1:
            said = [proba, *(member.ask(row) for member in self.members[1:])]
            proba = [sum(each) / len(said) for each in zip(*said, strict=True)]
        if self.second_of_equals and proba[0] == proba[1]:
            return 1, proba
        return proba.index(max(proba)), proba

    @property
    def forests(self) -> list[tuple[Forest, Member]]:
        """The members that are trees."""
        return [(member.source, member) for member in self.members if isinstance(member.source, Forest)]

    @property
    def prepared(self) -> list[tuple[Preparation, list[Any]]]:
        """Each preparation in it, and the steps for which it stands."""
        return [(forest.preparation, member.steps) for forest, member in self.forests]

    @property
    def kind(self) -> str:
        """What it is, for the log."""
        return "trees" if self.forests else "scorecard"


@dataclass(frozen=True)
class Shortcut:
    """A classifier that is asked as it is, which may take its time, but on columns that were made without a table.

    The *preparation* stands for *steps*; further steps belong to the *classifier*.
    """

    preparation: Preparation
    steps: list[Any]
    classifier: Any
    quick: ClassVar[bool] = False
    kind: ClassVar[str] = "classifier"
    forests: ClassVar[list[tuple[Forest, Member]]] = []

    @property
    def prepared(self) -> list[tuple[Preparation, list[Any]]]:
        """The preparation, and the steps for which it stands."""
        return [(self.preparation, self.steps)]

    def ask(self, row: Mapping[str, Value]) -> tuple[int, list[float]]:
        """Return what `Plan.ask` does."""
        chosen, proba = self.ask_vectors(self.preparation.vector(row)[np.newaxis])
        return int(chosen[0]), proba[0].tolist()

    def ask_table(self, table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Return what `ask` of the pipeline says of a clean *table* whose categories are coded."""
        return self.ask_vectors(self.preparation.matrix(table))

    def ask_vectors(self, vectors: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return the same of rows that are prepared: shape (rows, columns)."""
        return ask(self.classifier, vectors, self.classifier.classes_.tolist())


def make_plan(pipeline: Any, schema: Schema, example: Mapping[str, Value]) -> Plan:
    """Return the plan of *pipeline*, which is not compared with it yet; raises NotMeasured.

    *example* is a clean row that the pipeline answers.
    """
    *before, classifier = flatten(pipeline)
    if not isinstance(classifier, CalibratedClassifierCV):
        second = type(classifier) is GradientBoostingClassifier and len(classifier.classes_) == 2
        return Plan((make_member(before, classifier, schema, example, None),), second_of_equals=second)
    return Plan(tuple(
        make_member(before, each.estimator, schema, example, each) for each in classifier.calibrated_classifiers_
    ))  # fmt: skip


def make_shortcut(pipeline: Any, schema: Schema, example: Mapping[str, Value]) -> Shortcut:
    """Return the shortcut to the first step of *pipeline* that is asked as it is; raises NotMeasured."""
    steps = flatten(pipeline)
    known = list(takewhile(lambda step: not unknown_in(step), steps[:-1]))
    rest = steps[len(known) :]
    if hasattr(rest[0], "feature_names_in_"):
        raise NotMeasured(f"{type(rest[0]).__name__} takes a table with names")
    classifier = rest[0] if len(rest) == 1 else Pipeline([(str(place), step) for place, step in enumerate(rest)])
    return Shortcut(measure(known, schema, example), known, classifier)


def make_member(
    before: Sequence[Any], estimator: Any, schema: Schema, example: Mapping[str, Value], calibration: Any
) -> Member:
    """Return the plan of *estimator* behind the steps *before* it, within *calibration* where there is one."""
    *own, classifier = flatten(estimator)
    steps = [*before, *own]
    source: Scorecards | Forest
    if type(classifier) in LINEAR:
        check_known(steps)
        source = make_scorecards(lambda table: classifier.decision_function(run(steps, table)), schema, example)
    elif is_forest(classifier):
        source = make_forest(classifier, measure(steps, schema, example))
    else:
        raise NotMeasured(f"{type(classifier).__name__} is asked as it is")
    plainly: Finish = as_they_are if type(classifier) in AVERAGED else as_probabilities
    finish = plainly
    if calibration is not None:
        response = None if hasattr(classifier, "decision_function") else plainly
        finish = calibrated(calibration.calibrators, calibration.method, response)
    return Member(source, finish, steps, classifier, plainly)
