"""What the training data looked like, in figures only: monitoring compares with it, and no row of anybody is in it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from player.features import Schema
from player.profile.columns import describe_column, describe_numbers, missing_by
from player.profile.together import calibration_line, describe_together, unexplained

__all__ = ["Honest", "came_true", "describe", "describe_column", "describe_numbers"]


@dataclass(frozen=True)
class Honest:
    """Rows of the table answered by a model that had not learned from them: where they stand, proba, what came true."""

    rows: np.ndarray  # positions in the table
    proba: np.ndarray
    came: np.ndarray  # from `came_true`


def describe(
    table: pd.DataFrame,
    schema: Schema,
    labels: np.ndarray,
    proba: np.ndarray,
    honest: Honest | None = None,
    fewest_rows: int = 1,
) -> dict[str, Any]:
    """Return the training profile: how each feature is spread, how they go together, how honest the model is.

    *table* (rows, features) cleaned, *labels* (rows,), *proba* (rows,) as the API would answer it. Of a number no
    value is told that fewer than *fewest_rows* reach.
    """
    names, numbers = np.unique(labels.astype(str), return_counts=True)
    features = {each.name: describe_column(table[each.name], each.kind, fewest_rows) for each in schema.features}
    for name, described in features.items():
        described.update(missing_by(name, table, features))
    profile = {
        "features": features,
        "label": {str(name): float(count / len(labels)) for name, count in zip(names, numbers, strict=True)},
        "proba": describe_numbers(proba),
        "rows": len(table),
        "schema": schema.to_dict(),
        "together": describe_together(table, features),
    }
    if honest is not None:
        right = honest.came if len(names) > 2 else (honest.proba > 0.5) == (honest.came > 0.5)
        profile["calibration"] = calibration_line(honest.proba, honest.came) | {"accuracy": float(np.mean(right))}
        profile["unexplained"] = unexplained(table.iloc[honest.rows], profile, honest.proba, honest.came)
    return profile


def came_true(pipeline: Any, table: pd.DataFrame, labels: np.ndarray) -> np.ndarray:
    """Return for each row 1.0 when what its probability speaks about came true, else 0.0: shape (rows,).

    With two classes that is the second one, with more it is the answer of the fitted *pipeline* itself.
    """
    said = pipeline.classes_[1] if len(pipeline.classes_) == 2 else pipeline.predict(table)
    return np.asarray(labels == said, dtype="float64")
