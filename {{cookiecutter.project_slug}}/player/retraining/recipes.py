"""Ways to make a challenger: which rows it learns from, how much the older ones weigh, and which pipeline learns."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils.validation import has_fit_parameter

from player import training
from player.features import Schema
from player.learning import fitting

WINDOWS = (150, 500, 1500)  # how many of the newest rows "recent" may mean
LITTLE = 0.1  # what all older rows weigh together, beside 1 for the recent ones
FEWEST_IN_CLASS = 5  # the calibration in the pipeline splits each class in three


@dataclass(frozen=True)
class Recipe:
    """One way to make a challenger: the newest *window* rows (None: all), older ones weigh *past* in all."""

    learner: str
    make: Callable[[Schema], Any]
    window: int | None = None
    past: float = 0.0

    @property
    def name(self) -> str:
        """The recipe in words."""
        if self.window is None:
            return f"{self.learner}: training data and all that was collected"
        older = f", all older ones weigh {self.past:.0%} of them" if self.past else " only"
        return f"{self.learner}: newest {self.window:,} rows{older}"

    def weights(self, rows: int) -> np.ndarray:
        """Return what each of *rows* rows, oldest first, weighs: shape (rows,); 0 means left out."""
        weights = np.ones(rows)
        if self.window is not None and rows > self.window:
            weights[: rows - self.window] = self.past * self.window / (rows - self.window)
        return weights

    def can_learn(self, truth: np.ndarray) -> bool:
        """Tell whether the rows it would use hold enough of every class of *truth* (rows,)."""
        used = truth[self.weights(len(truth)) > 0]
        return all((used == name).sum() >= FEWEST_IN_CLASS for name in np.unique(truth))

    def fit(self, table: pd.DataFrame, truth: np.ndarray, schema: Schema) -> Any:
        """Return a pipeline that learned from *table* (rows, features) and *truth* (rows,), oldest first."""
        weights = self.weights(len(table))
        used = weights > 0
        extra: dict[str, Any] = {}
        if weights[used].min() < 1:
            extra = {f"{self.make(schema).steps[-1][0]}__sample_weight": weights[used]}
        return fitting.fit(self.make, schema, table[used], truth[used], **extra)


def recipes(schema: Schema, collected: int, selective: bool = False) -> list[Recipe]:
    """Return the recipes to try when *collected* new rows are there.

    *selective*: only some answers ever get a label; then the training data, which has all kinds, must stay in.
    """
    found = [Recipe("pipeline", training.build_pipeline), Recipe("boosted trees", boosted_trees)]
    pasts = [LITTLE] if takes_weights(fitting.build(training.build_pipeline, schema)) else []
    if not selective:
        pasts.append(0.0)
    for window in WINDOWS:
        if window <= max(collected, WINDOWS[0]):
            found += [Recipe("pipeline", training.build_pipeline, window, past) for past in pasts]
    return found


def takes_weights(pipeline: Any) -> bool:
    """Tell whether the last step of *pipeline* can let some rows count more than others."""
    if type(pipeline) is not Pipeline:  # one of imbalanced-learn changes the rows, and then the weights fit no more
        return False
    return bool(has_fit_parameter(pipeline.steps[-1][1], "sample_weight"))


def boosted_trees(schema: Schema) -> Pipeline:
    """Return an unfitted pipeline that finds what a linear model cannot: features that depend on each other."""
    numbers = [feature.name for feature in schema.features if feature.kind == "number"]
    categories = [feature.name for feature in schema.features if feature.kind == "category"]
    encode = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=10, sparse_output=False)
    classifier = HistGradientBoostingClassifier(
        max_iter=60,
        max_leaf_nodes=15,
        l2_regularization=1.0,
        early_stopping=False,
        random_state=training.RANDOM_STATE,
    )
    preprocessing = ColumnTransformer([("numbers", "passthrough", numbers), ("categories", encode, categories)])
    return Pipeline([("preprocessing", preprocessing), ("classifier", classifier)])
