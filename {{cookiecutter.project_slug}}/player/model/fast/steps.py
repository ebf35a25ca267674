"""What a pipeline is made of, and which of its steps look at one feature at a time: only these can be measured."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.compose import ColumnTransformer
from sklearn.feature_selection import SelectFpr, SelectFromModel, SelectKBest, SelectPercentile, VarianceThreshold
from sklearn.frozen import FrozenEstimator
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)

from player.learning.asking import run, steps_of

HOLDERS = (Pipeline, ColumnTransformer, FeatureUnion)
# Each column that these make of one feature is a multiple of a number, or a table of categories. Nothing else is
# measured: what another step does between the values that were asked for, nobody can know.
KNOWN = (*HOLDERS, FunctionTransformer, MaxAbsScaler, MinMaxScaler, MissingIndicator, OneHotEncoder, OrdinalEncoder,
         RobustScaler, SelectFpr, SelectFromModel, SelectKBest, SelectPercentile, SimpleImputer, StandardScaler,
         TargetEncoder, VarianceThreshold)  # fmt: skip


class NotMeasured(Exception):
    """The pipeline is none that can be measured; the text says which step is the reason."""


def flatten(model: Any) -> list[Any]:
    """Return the steps of *model* and its classifier, without what only wraps them."""
    if isinstance(model, GridSearchCV | RandomizedSearchCV):
        return flatten(model.best_estimator_)
    if isinstance(model, FrozenEstimator):
        return flatten(model.estimator)
    if type(model) is not Pipeline:
        return [model]
    *before, last = steps_of(model)
    return [*before, *flatten(last)]


def inner_steps(step: Any) -> Iterator[Any]:
    """Yield *step* and every fitted step in it; not what only names columns, as "drop"."""
    if step is None or isinstance(step, str):
        return
    yield step
    if isinstance(step, Pipeline):
        inside = [each for _, each in step.steps]
    elif isinstance(step, ColumnTransformer):
        inside = [each for _, each, _ in step.transformers_]
    elif isinstance(step, FeatureUnion):
        inside = [each for _, each in step.transformer_list]
    else:
        return
    for each in inside:
        yield from inner_steps(each)


def unknown_in(step: Any) -> str:
    """Return which kind of step within *step* has columns that cannot be measured, "" when there is none."""
    for each in inner_steps(step):
        own = isinstance(each, FunctionTransformer) and each.func is not None  # without one it passes all through
        if type(each) not in KNOWN or own:
            return type(each).__name__
    return ""


def check_known(steps: Sequence[Any]) -> None:
    """Raise NotMeasured when the columns of one of *steps* cannot be measured."""
    for step in steps:
        if name := unknown_in(step):
            raise NotMeasured(f"{name} is asked as it is")


def prepare(steps: Sequence[Any], table: pd.DataFrame) -> np.ndarray:
    """Return what *steps* make of a clean *table* as an array of float64: shape (rows, columns)."""
    rows = run(steps, table)
    return np.asarray(rows.toarray() if sparse.issparse(rows) else rows, dtype="float64")
