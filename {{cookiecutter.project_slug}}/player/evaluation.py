"""How good a model is, and whether a feature gives the label away."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss, roc_auc_score
from sklearn.tree import DecisionTreeClassifier

from player import profile
from player.features import Schema
from player.learning.asking import ask
from player.reading.cells import as_arrow, clean_column
from player.reading.columns import read_column
from player.repair import MISSING

BINS = 10
LEAK_AUC = 0.99


def measure(pipeline: Any, table: pd.DataFrame, labels: np.ndarray) -> dict[str, float]:
    """Return metrics of the fitted *pipeline* on a hold-out *table* (rows, features) with *labels* (rows,).

    accuracy, log_loss and, with two classes, roc_auc, brier and calibration_error; all in natural units.
    """
    classes = pipeline.classes_.tolist()
    chosen, proba = ask(pipeline, table, classes)
    metrics = {
        "accuracy": float(accuracy_score(labels, pipeline.classes_[chosen])),
        "log_loss": float(log_loss(labels, proba, labels=classes)),
    }
    if len(classes) == 2 and len(np.unique(labels)) == 2:
        truth = (labels == classes[1]).astype(int)
        metrics["roc_auc"] = float(roc_auc_score(truth, proba[:, 1]))
        metrics["brier"] = float(brier_score_loss(truth, proba[:, 1]))
        metrics["calibration_error"] = calibration_error(truth, proba[:, 1])
    return metrics


def calibration_error(truth: np.ndarray, proba: np.ndarray) -> float:
    """Return the expected calibration error: how far a probability is from the share it promises, on average.

    *truth* (rows,) of 0 and 1, *proba* (rows,) of the class 1; ten equal bins, weighted by rows.
    Naeini, Cooper, Hauskrecht (2015), "Obtaining Well Calibrated Probabilities Using Bayesian Binning".

    >>> calibration_error(np.array([1, 1, 0, 0]), np.array([0.95, 0.95, 0.05, 0.05])).__round__(2)
    0.05
    """
    bins = np.minimum((proba * BINS).astype(int), BINS - 1)
    gaps = [abs(truth[bins == b].mean() - proba[bins == b].mean()) * (bins == b).mean() for b in np.unique(bins)]
    return float(sum(gaps))


def describe(
    table: pd.DataFrame,
    schema: Schema,
    labels: np.ndarray,
    proba: np.ndarray,
    honest: profile.Honest | None = None,
    fewest_rows: int = 1,
) -> dict[str, Any]:
    """Return the training profile that monitoring compares with; see `profile.describe`."""
    return profile.describe(table, schema, labels, proba, honest, fewest_rows)


def mixed(table: pd.DataFrame) -> pd.DataFrame:
    """Return the values of a clean *table*, those of each column in another order: no row is anybody's."""
    dice = np.random.default_rng(0)
    return pd.DataFrame({name: dice.permutation(table[name].to_numpy()) for name in table.columns})


def leaking_features(table: pd.DataFrame, labels: np.ndarray) -> list[str]:
    """Return the columns that alone predict the label almost perfectly: probably only known afterwards.

    *table* (rows, columns) of raw training data, *labels* (rows,). A tree of depth 3 on one column ranks the rows;
    an area under the ROC curve above 0.99 in each class is too good to be honest.
    """
    rows = np.random.default_rng(0).permutation(len(table))[:5000]
    return [str(name) for name in table.columns if auc_alone(table[name].iloc[rows], labels[rows]) > LEAK_AUC]


def auc_alone(column: pd.Series, labels: np.ndarray) -> float:
    """Return how well *column* alone separates the classes: the area under the ROC curve, macro average."""
    feature = read_column("", column, MISSING).feature
    numbers = clean_column(as_arrow(column), feature, written=True)[0] if feature.kind == "number" else None
    codes = pd.Series(numbers if numbers is not None else pd.factorize(column)[0])
    values = codes.astype("float64").fillna(-1e9).clip(-1e12, 1e12).to_numpy().reshape(-1, 1)
    classes = np.unique(labels)
    # Half of the rows at least must share a leaf with others, else a unique number would look like a leak.
    tree = DecisionTreeClassifier(max_depth=3, min_samples_leaf=max(1, len(labels) // 200), random_state=0)
    proba = tree.fit(values, labels).predict_proba(values)
    return (
        float(np.mean([roc_auc_score(labels == c, proba[:, i]) for i, c in enumerate(classes)]))
        if len(classes) > 1
        else 0.0
    )
