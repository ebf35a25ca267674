"""The scorecard of a logistic regression: what a pipeline says of one row, as a sum of points, a hundred times faster.

For one row a pipeline spends nearly all its time on making and checking tables. The log-odds of a logistic regression
are a sum of one term for each feature: so much for each unit of a number, so much for each category. Credit scoring
has used them as scorecards for decades (Siddiqi 2006, "Credit Risk Scorecards"). The terms are found by asking the
pipeline, and the sum is compared with it on odd rows before it is used; any other model has no scorecard.
"""

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from player.features import Schema, to_table
from player.repair import LARGEST, Feature, Value

KNOWN = (Pipeline, ColumnTransformer, SimpleImputer, StandardScaler, OneHotEncoder, LogisticRegression,
         CalibratedClassifierCV)  # fmt: skip
UNKNOWN_CATEGORY = "(a category that nobody has seen)"
LARGEST_DIFFERENCE = 1e-9
PROBE_ROWS = 500


@dataclass(frozen=True)
class Term:
    """What one feature adds to the log-odds: a *slope* for each unit of a number, or the points of a category."""

    name: str
    missing: float
    slope: float
    points: Mapping[Value, float]
    unknown: float

    def of(self, value: Value) -> float:
        """Return the log-odds that *value* (clean, None when missing) adds."""
        if value is None:
            return self.missing
        return self.points.get(value, self.unknown) if self.points else self.slope * float(value)


@dataclass(frozen=True)
class Scorecard:
    """A model with two classes as a sum."""

    base: float
    terms: tuple[Term, ...]

    def probability(self, row: Mapping[str, Value]) -> float:
        """Return the probability of the second class for one clean *row*."""
        log_odds = self.base + sum(term.of(row[term.name]) for term in self.terms)
        return 0.0 if log_odds < -700 else 1 / (1 + math.exp(-log_odds))


def make_scorecard(pipeline: Any, schema: Schema, examples: Sequence[Mapping[str, Value]]) -> Scorecard | None:
    """Return the scorecard of *pipeline*, None when it has none; *examples* are clean rows, at least one."""
    if any(type(step) not in KNOWN for step in steps(pipeline)) or len(pipeline.classes_) != 2:
        return None
    found = measure(pipeline, schema, examples[0])
    rows = [*examples, *odd_rows(schema, PROBE_ROWS)]
    said = pipeline.predict_proba(to_table(rows, schema))[:, 1]
    differences = np.abs(said - [found.probability(row) for row in rows])
    return found if differences.max() <= LARGEST_DIFFERENCE else None  # NaN is not below it either


def steps(estimator: Any) -> Iterator[Any]:
    """Yield *estimator* and every fitted step in it."""
    yield estimator
    if isinstance(estimator, Pipeline):
        inner = [step for _, step in estimator.steps]
    elif isinstance(estimator, ColumnTransformer):
        inner = [step for _, step, _ in estimator.transformers_]
    elif isinstance(estimator, CalibratedClassifierCV):
        inner = [calibrated.estimator for calibrated in estimator.calibrated_classifiers_]
    else:
        return
    for step in inner:
        yield from steps(step)


def measure(pipeline: Any, schema: Schema, example: Mapping[str, Value]) -> Scorecard:
    """Return the terms that *pipeline* shows when one feature of *example* is changed at a time."""
    changes = [(feature, value) for feature in schema.features for value in values_to_try(feature, example)]
    rows = [{**example, feature.name: value} for feature, value in changes]
    proba = pipeline.predict_proba(to_table([example, *rows], schema))[:, 1]
    with np.errstate(divide="ignore"):
        log_odds = np.log(proba / (1 - proba))
    added = {(feature.name, value): float(z - log_odds[0])
             for (feature, value), z in zip(changes, log_odds[1:], strict=True)}  # fmt: skip
    terms = tuple(as_term(feature, example, added) for feature in schema.features)
    base = float(log_odds[0]) - sum(term.of(example[term.name]) for term in terms)
    return Scorecard(base, terms)


def values_to_try(feature: Feature, example: Mapping[str, Value]) -> list[Value]:
    """Return the values of *feature* that show its term: missing, and two numbers or every category."""
    if feature.kind == "number":
        return [None, *two_numbers(feature)]
    return [None, UNKNOWN_CATEGORY, *feature.categories]


def two_numbers(feature: Feature) -> tuple[float, float]:
    """Return two different numbers well within the range of *feature*."""
    span = (feature.high - feature.low) or 1.0
    return feature.low + 0.25 * span, feature.low + 0.5 * span


def as_term(feature: Feature, example: Mapping[str, Value], added: Mapping[tuple[str, Value], float]) -> Term:
    """Return the term of *feature* from the log-odds that its values *added* to those of *example*."""
    missing = added[feature.name, None]
    if feature.kind == "category":
        points: dict[Value, float] = {value: added[feature.name, value] for value in feature.categories}
        return Term(feature.name, missing, 0.0, points, added[feature.name, UNKNOWN_CATEGORY])
    one, other = two_numbers(feature)
    slope = (added[feature.name, other] - added[feature.name, one]) / (other - one)
    # A number adds slope * number, counted from 0; what a missing one adds is counted from there as well.
    return Term(feature.name, missing - added[feature.name, one] + slope * one, slope, {}, 0.0)


def odd_rows(schema: Schema, count: int) -> list[dict[str, Value]]:
    """Return clean rows that a request may bring: within the ranges and far beyond, unknown, missing."""
    dice = random.Random(2026)  # noqa: S311 - the same rows each time, nothing secret
    return [{feature.name: odd_value(feature, dice) for feature in schema.features} for _ in range(count)]


def odd_value(feature: Feature, dice: random.Random) -> Value:
    """Return any value of *feature*."""
    if dice.random() < 0.1:
        return None
    if feature.kind == "category":
        place = dice.randrange(len(feature.categories) + 1)
        return feature.categories[place - 1] if place else UNKNOWN_CATEGORY
    span = feature.high - feature.low
    if dice.random() < 0.1:
        return dice.choice([0.0, -1.0, feature.low - 100 * span, feature.high + 100 * span, LARGEST, -LARGEST])
    value = dice.uniform(feature.low - span, feature.high + span)
    return dice.choice([value, float(round(value))])  # a whole number may be a category to the pipeline
