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
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from player import evaluation
from player.config import DataSettings, Settings
from player.errors import DataError
from player.features import Schema, clean_table, read_schema

log = logging.getLogger(__name__)

RANDOM_STATE = 2026
HOLD_OUT = 0.2
EXAMPLES = 20


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


def build_pipeline(schema: Schema) -> Pipeline:
    """Return the unfitted pipeline: impute, scale, encode, classify. Change the classifier here.

    The calibration around the classifier makes its probabilities honest, whichever classifier it is.
    """
    numbers = [feature.name for feature in schema.features if feature.kind == "number"]
    categories = [feature.name for feature in schema.features if feature.kind == "category"]
    impute_number = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    impute_category = SimpleImputer(strategy="constant", fill_value="(missing)")
    one_hot = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=10)
    preprocessing = ColumnTransformer(
        [
            ("numbers", make_pipeline(impute_number, StandardScaler()), numbers),
            ("categories", make_pipeline(impute_category, one_hot), categories),
        ]
    )
    classifier = LogisticRegression(max_iter=2000)
    calibrated = CalibratedClassifierCV(classifier, method="sigmoid", cv=3, ensemble=False)
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
    warn_about_leaks(table[schema.names], truth)

    features = clean_table(table, schema)
    learn, test = split(len(table), truth, by_time=settings.data.time in table.columns)
    fitted = build_pipeline(schema).fit(features.iloc[learn], truth[learn])
    metrics = evaluation.measure(fitted, features.iloc[test], truth[test])
    metrics["baseline_accuracy"] = float(np.mean(truth[test] == most_frequent(truth[learn])))
    if metrics["accuracy"] <= metrics["baseline_accuracy"]:
        log.warning("the model is no better than always answering the most frequent label")

    pipeline = build_pipeline(schema).fit(features, truth)
    names, counts = np.unique(truth, return_counts=True)
    return Trained(
        pipeline=pipeline,
        schema=schema,
        classes=[plain(name) for name in pipeline.classes_],
        prior={str(plain(name)): float(count / len(truth)) for name, count in zip(names, counts, strict=True)},
        metrics={name: round(value, 4) for name, value in metrics.items()},
        profile=evaluation.describe(features, schema, truth, served_proba(pipeline, features)),
        rows=len(table),
        examples=as_rows(features.tail(EXAMPLES)),
    )


def read_table(path: Path) -> pd.DataFrame:
    """Return the rows of a CSV or Parquet file; raises DataError when it is missing, empty or not a table."""
    try:
        table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except FileNotFoundError:
        raise DataError(f"{path} does not exist; `customer data` writes the training table.") from None
    except (ValueError, OSError) as error:  # pandas' parser errors are ValueErrors, also the one for an empty file
        raise DataError(f"{path} cannot be read as a table: {str(error).splitlines()[0]}") from None
    if table.empty:
        raise DataError(f"{path} has no rows.")
    return table


def in_time_order(table: pd.DataFrame, data: DataSettings) -> pd.DataFrame:
    """Return *table* with its oldest row first, when it has the time column."""
    return table.sort_values(data.time, kind="stable") if data.time in table.columns else table


def read_labels(table: pd.DataFrame, data: DataSettings) -> pd.Series:
    """Return the label column; raises DataError when it is missing or holds fewer than two usable classes."""
    if data.label not in table.columns:
        found = ", ".join(map(str, table.columns[:8]))
        raise DataError(f"The training table has no column {data.label!r} (found {found} …); set [data].label.")
    counts = table[data.label].value_counts()
    if len(counts) < 2:
        only = f"only the value {counts.index[0]!r}" if len(counts) else "no value"
        raise DataError(f"The label column {data.label!r} holds {only}; two classes are needed to learn from.")
    if len(counts) > 100:
        raise DataError(
            f"The label column {data.label!r} holds {len(counts)} values; it must be a class, not a number."
        )
    if counts.min() < 5:
        raise DataError(f"The class {counts.idxmin()!r} of {data.label!r} has {counts.min()} rows; 5 are needed.")
    return table[data.label]


def as_classes(labels: pd.Series) -> np.ndarray:
    """Return *labels* as an array (rows,); whole numbers stay whole, also where a gap made pandas read floats."""
    if pd.api.types.is_float_dtype(labels) and (labels % 1 == 0).all():
        return labels.astype("int64").to_numpy()
    return labels.to_numpy() if pd.api.types.is_numeric_dtype(labels) else labels.astype("object").to_numpy()


def split(rows: int, truth: np.ndarray, by_time: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions to learn from and the positions to test on (a fifth)."""
    positions = np.arange(rows)
    cut = round(rows * (1 - HOLD_OUT))
    if by_time and len(np.unique(truth[:cut])) == len(np.unique(truth)) and len(np.unique(truth[cut:])) > 1:
        return positions[:cut], positions[cut:]
    learn, test = train_test_split(positions, test_size=HOLD_OUT, stratify=truth, random_state=RANDOM_STATE)
    return learn, test


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
    proba: np.ndarray = pipeline.predict_proba(features)
    return proba[:, 1] if proba.shape[1] == 2 else proba.max(axis=1)


def as_rows(features: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a clean table as JSON rows, missing as None."""
    return [{str(k): None if pd.isna(v) else v for k, v in row.items()} for row in features.to_dict("records")]


def plain(value: Any) -> Any:
    """Return a NumPy scalar as the plain Python value that JSON can carry."""
    return value.item() if isinstance(value, np.generic) else value
