"""How a model is made: read the table, fit one pipeline, evaluate it on rows it has not seen. Yours to change."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from player import evaluation, profile
from player.config import DataSettings, Settings
from player.features import Schema, clean_table, read_schema
from player.learning import fitting
from player.learning.asking import ask, shown
from player.reading import files
from player.reading.labels import check_classes, read_label_column
from player.reading.times import read_times

log = logging.getLogger(__name__)

RANDOM_STATE = 2026
HOLD_OUT = 0.2
EXAMPLES = 20
FEW_ROWS, FOLDS = 8000, 5  # a fifth of fewer rows says too little about how honest the probabilities are


@dataclass(frozen=True)
class Trained:
    """A fitted pipeline and all that must be known about it to serve and to watch it."""

    pipeline: Any
    schema: Schema
    classes: list[Any]
    prior: dict[str, float]
    metrics: dict[str, float]
    profile: dict[str, Any]
    rows: int
    examples: list[dict[str, Any]]
    period: str = ""  # which rows it learned from and was tested on, in words


def build_pipeline(schema: Schema) -> Pipeline:
    """Return the unfitted pipeline: impute, scale, encode, classify. Change the classifier here.

    The calibration around the classifier makes its probabilities honest, whichever classifier it is, and leaves its
    answers as they are. Its folds are drawn by chance: a table may be sorted.
    """
    numbers = [feature.name for feature in schema.features if feature.kind == "number"]
    categories = [feature.name for feature in schema.features if feature.kind == "category"]
    impute_number = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    impute_category = SimpleImputer(strategy="constant", fill_value="(missing)")
    one_hot = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=2)  # one alone stands for the unseen
    preprocessing = ColumnTransformer(
        [
            ("numbers", make_pipeline(impute_number, StandardScaler()), numbers),
            ("categories", make_pipeline(impute_category, one_hot), categories),
        ]
    )
    classifier = LogisticRegression(max_iter=2000)
    folds = StratifiedKFold(3, shuffle=True, random_state=RANDOM_STATE)
    calibrated = CalibratedClassifierCV(classifier, method="temperature", cv=folds, ensemble=False)
    return Pipeline([("preprocessing", preprocessing), ("classifier", calibrated)])


def train(table: pd.DataFrame, settings: Settings) -> Trained:
    """Fit the pipeline on *table* and return it with metrics from a hold-out and the training profile.

    The metrics come from the newest fifth of the rows (or a stratified fifth when there is no time column); the
    pipeline that is returned has then learned from all rows. Raises DataError when the table cannot be learned from.
    """
    table = in_time_order(table, settings.data)
    labels = read_labels(table, settings.data)
    table, labels = table[labels.notna()], labels[labels.notna()]
    schema = read_schema(table, settings.data)
    truth = as_classes(labels)
    features = clean_table(table, schema)
    warn_about_leaks(features, truth)

    by_time = has_times(table, settings.data)
    learn, test = split(len(table), truth, by_time)
    seconds = settings.model.trial_seconds
    fitted = fitting.fit(build_pipeline, schema, features.iloc[learn], truth[learn], seconds)
    metrics = fitting.answered(evaluation.measure, fitted, features.iloc[test], truth[test])
    metrics["baseline_accuracy"] = float(np.mean(truth[test] == most_frequent(truth[learn])))
    if metrics["accuracy"] <= metrics["baseline_accuracy"]:
        log.warning("the model is no better than always answering the most frequent label")

    honest = answer_unseen(features, truth, schema, test, fitted)
    pipeline = fitting.fit(build_pipeline, schema, features, truth, seconds)
    names, counts = np.unique(truth, return_counts=True)
    return Trained(
        pipeline=pipeline,
        schema=schema,
        classes=[plain(name) for name in pipeline.classes_],
        prior={str(plain(name)): float(count / len(truth)) for name, count in zip(names, counts, strict=True)},
        metrics={name: round(value, 4) for name, value in metrics.items()},
        profile=evaluation.describe(
            features, schema, truth, served_proba(pipeline, features), honest, settings.data.fewest_rows
        ),
        rows=len(table),
        examples=as_rows(evaluation.mixed(features.tail(EXAMPLES))),
        period=describe_split(table, settings.data, learn, test),
    )


def read_table(path: Path) -> pd.DataFrame:
    """Return the rows of a CSV or Parquet file; raises DataError when it is missing, empty or not a table."""
    return files.read_table(path)


def in_time_order(table: pd.DataFrame, data: DataSettings) -> pd.DataFrame:
    """Return *table* with its oldest row first, when its times can be read; a row without one counts as oldest."""
    if data.time not in table.columns:
        return table
    times, trouble = read_times(table[data.time])
    if trouble:
        log.warning("no order of time: in %s %s; the rows to test on are chosen by chance", data.time, trouble)
        return table
    unread = int(times.isna().sum())
    if unread:
        log.warning("%s: %d of %d times cannot be read; these rows count as the oldest", data.time, unread, len(table))
    return table.loc[times.sort_values(kind="stable", na_position="first").index]


def has_times(table: pd.DataFrame, data: DataSettings) -> bool:
    """Tell whether the rows of *table* have an order of time."""
    return data.time in table.columns and not read_times(table[data.time])[1]


def describe_split(table: pd.DataFrame, data: DataSettings, learn: np.ndarray, test: np.ndarray) -> str:
    """Return in words from which times the rows are that were learned from, and those that were tested on."""
    if test[0] != len(learn):
        return f"tested on {len(test):,} rows chosen by chance"
    times = table[data.time].astype(str)
    first, last = (f"{times.iloc[rows[0]]} to {times.iloc[rows[-1]]}" for rows in (learn, test))
    return f"learned from {first}, tested on {last}"


def read_labels(table: pd.DataFrame, data: DataSettings) -> pd.Series:
    """Return the label column as classes, None where a cell is empty.

    Raises DataError when it is missing or holds fewer than two usable classes.
    """
    labels = read_label_column(table, data.label)
    check_classes(labels, data.label)
    return labels


def as_classes(labels: pd.Series) -> np.ndarray:
    """Return *labels* without gaps as an array (rows,) that scikit-learn knows: numbers, truth values or texts."""
    return np.array(labels.tolist()) if not isinstance(labels.iloc[0], str) else labels.to_numpy(dtype="object")


def split(rows: int, truth: np.ndarray, by_time: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions to learn from and the positions to test on (a fifth)."""
    positions = np.arange(rows)
    cut = round(rows * (1 - HOLD_OUT))
    if by_time and len(np.unique(truth[:cut])) == len(np.unique(truth)) and len(np.unique(truth[cut:])) > 1:
        return positions[:cut], positions[cut:]
    learn, test = train_test_split(positions, test_size=HOLD_OUT, stratify=truth, random_state=RANDOM_STATE)
    return learn, test


def answer_unseen(
    features: pd.DataFrame, truth: np.ndarray, schema: Schema, test: np.ndarray, fitted: Any
) -> profile.Honest:
    """Return answers to rows a model has not learned from: the hold-out, or of a small table every row in turn."""
    if len(truth) > FEW_ROWS:
        unseen = features.iloc[test]
        return profile.Honest(test, served_proba(fitted, unseen), profile.came_true(fitted, unseen, truth[test]))
    proba, came = np.zeros(len(truth)), np.zeros(len(truth))
    for learn, asked in StratifiedKFold(FOLDS, shuffle=True, random_state=RANDOM_STATE).split(features, truth):
        pipeline = fitting.fit(build_pipeline, schema, features.iloc[learn], truth[learn])
        proba[asked] = served_proba(pipeline, features.iloc[asked])
        came[asked] = profile.came_true(pipeline, features.iloc[asked], truth[asked])
    return profile.Honest(np.arange(len(truth)), proba, came)


def most_frequent(truth: np.ndarray) -> Any:
    """Return the class that occurs most often."""
    names, counts = np.unique(truth, return_counts=True)
    return names[counts.argmax()]


def warn_about_leaks(table: pd.DataFrame, truth: np.ndarray) -> None:
    """Log a warning for each feature that knows the answer: in production it will not be there."""
    for name in evaluation.leaking_features(table, truth):
        log.warning("feature %s alone predicts the label; if it is only known afterwards, name it in "
                    "[data].not_at_request_time", name)  # fmt: skip


def served_proba(pipeline: Any, features: pd.DataFrame) -> np.ndarray:
    """Return the probability the API answers: of the second of two classes, else of the predicted class."""
    return shown(*ask(pipeline, features, pipeline.classes_.tolist()))


def as_rows(features: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a clean table as JSON rows, missing as None."""
    return [{str(k): None if pd.isna(v) else v for k, v in row.items()} for row in features.to_dict("records")]


def plain(value: Any) -> Any:
    """Return a NumPy scalar as the plain Python value that JSON can carry."""
    return value.item() if isinstance(value, np.generic) else value
