"""The scorecard of a linear model: what it says of one row, as a sum of points for each feature.

What a linear model decides is a sum of one term for each feature: so much for each unit of a number, so much for each
category. Credit scoring has used them as scorecards for decades (Siddiqi 2006, "Credit Risk Scorecards"). The terms are
found by asking the model while one feature changes at a time; with more than two classes there is a sum for each.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV, SGDClassifier
from sklearn.svm import LinearSVC

from player.features import Schema, to_table
from player.model.fast.preparation import UNSEEN_CATEGORY
from player.repair import Feature, Value

LINEAR = (LinearDiscriminantAnalysis, LinearSVC, LogisticRegression, LogisticRegressionCV, SGDClassifier)

Decide = Callable[[pd.DataFrame], np.ndarray]


@dataclass(frozen=True)
class Scorecard:
    """One sum: *numbers* are (name, points when missing, points for each unit), *categories* (name, points, unseen)."""

    base: float
    numbers: tuple[tuple[str, float, float], ...]
    categories: tuple[tuple[str, Mapping[Value, float], float], ...]

    def of(self, row: Mapping[str, Value]) -> float:
        """Return the sum for one clean *row*."""
        total = self.base
        for name, missing, slope in self.numbers:
            number: Any = row[name]
            total += missing if number is None else slope * number
        for name, points, unseen in self.categories:
            total += points.get(row[name], unseen)
        return total


@dataclass(frozen=True)
class Scorecards:
    """A linear model: one sum where there are two classes, else one for each class."""

    cards: tuple[Scorecard, ...]

    def decide(self, row: Mapping[str, Value]) -> list[float]:
        """Return the decisions of the model for one clean *row*."""
        return [card.of(row) for card in self.cards]


def make_scorecards(decide: Decide, schema: Schema, example: Mapping[str, Value]) -> Scorecards:
    """Return the sums that *decide*, the decision function of a model, shows when one feature of *example* changes."""
    changes = [(feature, value) for feature in schema.features for value in values_to_try(feature)]
    rows = [{**example, feature.name: value} for feature, value in changes]
    said = decide(to_table([example, *rows], schema))
    names = [(feature.name, value) for feature, value in changes]
    return Scorecards(tuple(
        as_card(schema, example, float(column[0]), dict(zip(names, (column[1:] - column[0]).tolist(), strict=True)))
        for column in said.reshape(len(rows) + 1, -1).T
    ))  # fmt: skip


def as_card(
    schema: Schema, example: Mapping[str, Value], base: float, added: Mapping[tuple[str, Value], float]
) -> Scorecard:
    """Return the sum that is *base* for *example*, where other values of one feature *added* so much to it."""
    numbers, categories = [], []
    for feature in schema.features:
        name, missing = feature.name, added[feature.name, None]
        if feature.kind == "category":
            points = {value: added[name, value] for value in values_to_try(feature)}
            unseen = points.pop(UNSEEN_CATEGORY)
            categories.append((name, points, unseen))
            continue
        one, other = two_numbers(feature)
        slope = (added[name, other] - added[name, one]) / (other - one)
        # A number adds slope * number, counted from 0; what a missing one adds is counted from there as well.
        at_zero = added[name, one] - slope * one
        numbers.append((name, missing - at_zero, slope))
    card = Scorecard(0.0, tuple(numbers), tuple(categories))
    return Scorecard(base - card.of(example), card.numbers, card.categories)


def values_to_try(feature: Feature) -> list[Value]:
    """Return the values of *feature* that show its term: missing, and two numbers or every category."""
    if feature.kind == "number":
        return [None, *two_numbers(feature)]
    return [None, UNSEEN_CATEGORY, *feature.categories]


def two_numbers(feature: Feature) -> tuple[float, float]:
    """Return two different numbers well within the range of *feature*."""
    span = (feature.high - feature.low) or 1.0
    return feature.low + 0.25 * span, feature.low + 0.5 * span
