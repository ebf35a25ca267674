"""What an applicant looks like: names, types and ranges; any JSON object becomes one clean row. Yours to change.

The schema is read from the training table, so another table needs no other code.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from player.config import DataSettings
from player.errors import DataError
from player.repair import Feature, Value, as_text, repair, shorten

Row = dict[str, Value]


@dataclass(frozen=True)
class Schema:
    """The columns a model was trained on, in their order, and those a request must not bring."""

    features: tuple[Feature, ...]
    label: str
    unavailable: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """The feature names, in the order of training."""
        return [feature.name for feature in self.features]

    def to_dict(self) -> dict[str, Any]:
        """Return the schema as plain JSON values."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return plain

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "Schema":
        """Return the schema that `to_dict` wrote."""
        features = tuple(Feature(**{**item, "categories": tuple(item["categories"])}) for item in plain["features"])
        return cls(features, plain["label"], tuple(plain["unavailable"]))


def read_schema(table: pd.DataFrame, data: DataSettings) -> Schema:
    """Return the schema of the training *table*: every column that is not label, id, time or only known afterwards."""
    unavailable = tuple(name for name in (data.label, data.id, data.time, *data.not_at_request_time) if name)
    features = tuple(read_feature(name, table[name]) for name in map(str, table.columns) if name not in unavailable)
    if not features:
        raise DataError(f"The training table has no feature columns beside {', '.join(unavailable)}.")
    return Schema(features, data.label, unavailable)


def read_feature(name: str, column: pd.Series) -> Feature:
    """Return what the training *column* shows: a range, or the categories that occur."""
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        numbers = column.astype("float64").replace([math.inf, -math.inf], math.nan).dropna()
        if numbers.empty:
            return Feature(name, "number")
        return Feature(name, "number", low=float(numbers.min()), high=float(numbers.max()))
    return Feature(name, "category", categories=tuple(sorted({as_text(value) for value in column.dropna()})))


def clean(raw: Mapping[str, Any], schema: Schema) -> tuple[Row, list[str]]:
    """Return one clean row for any JSON object, and a warning for each repair. Never raises."""
    row: Row = {}
    warnings: list[str] = []
    for feature in schema.features:
        if feature.name not in raw:
            row[feature.name] = None
            warnings.append(f"{feature.name}: missing")
            continue
        row[feature.name], warning = repair(raw[feature.name], feature)
        if warning:
            warnings.append(f"{feature.name}: {warning}")
    extra = [shorten(name) for name in raw if name not in row]
    if extra:
        more = f" and {len(extra) - 5} more" if len(extra) > 5 else ""
        warnings.append(f"ignored: {', '.join(extra[:5])}{more}")
    return row, warnings


def to_table(rows: Sequence[Mapping[str, Value]], schema: Schema) -> pd.DataFrame:
    """Return clean rows as the table a pipeline takes: shape (rows, features), float64 or object, missing as NaN.

    Training, serving and batch all come through here, so that they cannot differ.
    """
    columns: dict[str, pd.Series] = {}
    for feature in schema.features:
        values = [math.nan if row[feature.name] is None else row[feature.name] for row in rows]
        columns[feature.name] = pd.Series(values, dtype="float64" if feature.kind == "number" else "object")
    return pd.DataFrame(columns)


def clean_table(table: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Return a whole raw *table* as `to_table(clean(row) …)` would, column by column: shape (rows, features)."""
    columns = {}
    for feature in schema.features:
        kind: Any = "float64" if feature.kind == "number" else "object"
        if feature.name not in table.columns:
            columns[feature.name] = pd.Series(math.nan, index=table.index, dtype=kind)
            continue
        column = table[feature.name].astype("object")
        repaired = {value: repair(value, feature)[0] for value in column.dropna().unique()}
        column = column.map(repaired).astype(kind)
        columns[feature.name] = column.where(column.notna(), math.nan)
    return pd.DataFrame(columns).reset_index(drop=True)


def as_given(table: pd.DataFrame) -> pd.DataFrame:
    """Return *table* unchanged: the place for a feature of your own, as `FunctionTransformer(as_given)` in a pipeline.

    A function in a pipeline must stand in this module: a model that uses one from elsewhere is not loaded.
    """
    return table
