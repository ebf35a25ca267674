"""What a fitted pipeline says of a table: the class its `predict` names, and the probabilities of its `predict_proba`.

The two are asked for apart, because they need not agree: a classifier with a threshold of its own, or support vectors,
may name a class that is not the likeliest one.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import BaggingClassifier, ExtraTreesClassifier, RandomForestClassifier
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier

from player.errors import ModelFailed

# Their `predict` is, in scikit-learn's source, the likeliest class of `predict_proba`: one call says both.
NAME_THE_LIKELIEST = (BaggingClassifier, CalibratedClassifierCV, DecisionTreeClassifier, ExtraTreeClassifier,
                      ExtraTreesClassifier, RandomForestClassifier)  # fmt: skip
CLOSE = 1e-6  # how far the probabilities of a row may be from a sum of 1: XGBoost computes in float32


def ask(pipeline: Any, table: pd.DataFrame, classes: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return the place in *classes* that *pipeline* names for each row of a clean *table*, and all probabilities.

    Shapes (rows,) of int and (rows, classes) of float64. Raises ModelFailed when the answers are of another shape or
    name another class, and whatever the pipeline raises.
    """
    model, rows = last_step(pipeline, table)
    proba = np.asarray(model.predict_proba(rows), dtype="float64")
    if proba.shape != (len(table), len(classes)):
        raise ModelFailed(f"it gave probabilities of shape {proba.shape}, not ({len(table)}, {len(classes)})")
    if type(model) in NAME_THE_LIKELIEST:
        return proba.argmax(axis=1), proba
    named = np.asarray(model.predict(rows))
    if named.shape != (len(table),):
        raise ModelFailed(f"its predict gave shape {named.shape}, not ({len(table)},)")
    place = {name: number for number, name in enumerate(classes)}
    try:
        return np.array([place[name] for name in named.tolist()], dtype="int64"), proba
    except (KeyError, TypeError):
        raise ModelFailed("its predict named a class that is not one of its own") from None


def last_step(pipeline: Any, table: pd.DataFrame) -> tuple[Any, Any]:
    """Return the classifier of *pipeline* and the *table* as it takes it: so both questions share the steps before."""
    if type(pipeline) is not Pipeline:
        return pipeline, table
    *before, model = steps_of(pipeline)
    return model, run(before, table)


def steps_of(pipeline: Pipeline) -> list[Any]:
    """Return the steps of *pipeline* and its classifier, without those that pass everything through."""
    return [step for _, step in pipeline.steps if step is not None and not isinstance(step, str)]  # "passthrough"


def run(steps: Sequence[Any], table: pd.DataFrame) -> Any:
    """Return what *steps*, one after the other, make of a clean *table*."""
    rows: Any = table
    for step in steps:
        rows = step.transform(rows)
    return rows


def shown(chosen: np.ndarray, proba: np.ndarray) -> np.ndarray:
    """Return the probability to answer: of the second of two classes, else of the *chosen* one.

    Both as `ask` gave them.

    >>> shown(np.array([0]), np.array([[0.4, 0.6]])), shown(np.array([0]), np.array([[0.5, 0.2, 0.3]]))
    (array([0.6]), array([0.5]))
    """
    found: np.ndarray = proba[:, 1] if proba.shape[1] == 2 else proba[np.arange(len(chosen)), chosen]
    return found


def are_probabilities(proba: np.ndarray) -> bool:
    """Tell whether each row of *proba*, shape (rows, classes), lies between 0 and 1 and adds up to 1."""
    within = (proba >= -CLOSE) & (proba <= 1 + CLOSE)
    return bool(within.all() and (np.abs(proba.sum(axis=1) - 1) <= CLOSE * proba.shape[1]).all())
