"""What a case looks like: names, types and ranges; any JSON object becomes one clean row. Yours to change.

The schema is read from the training table, so another table needs no other code. What a single cell means is in
`player/repair.py`.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import pandas as pd

from player.config import DataSettings
from player.errors import DataError
from player.reading.cells import as_arrow, clean_column
from player.reading.columns import Column, read_columns
from player.repair import Feature, Value, repair, shorten

Row = dict[str, Value]


@dataclass(frozen=True)
class Schema:
    """The columns a model was trained on, in their order, and those it knows but does not use, with the reason."""

    features: tuple[Feature, ...]
    label: str
    unavailable: tuple[str, ...] = ()
    left_out: dict[str, str] = field(default_factory=dict)

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
        features = tuple(Feature.from_dict(item) for item in plain["features"])
        return cls(features, plain["label"], tuple(plain["unavailable"]), dict(plain.get("left_out", {})))


def read_schema(table: pd.DataFrame, data: DataSettings, columns: Sequence[Column] | None = None) -> Schema:
    """Return the schema of the training *table*: every column that something can be learned from.

    *columns* are those of the table, where they were read before.
    """
    unavailable = tuple(name for name in (data.label, data.id, data.time, *data.not_at_request_time) if name)
    found = read_columns(table, data) if columns is None else columns
    features = tuple(column.feature for column in found if not column.left_out)
    left_out = {column.name: column.left_out for column in found if column.left_out}
    if not features:
        why = "; ".join(f"{name}: {reason}" for name, reason in left_out.items())
        raise DataError(
            f"The training table has no feature columns beside {', '.join(unavailable)}; {why or 'add one'}."
        )
    return Schema(features, data.label, unavailable, left_out)


def clean(raw: Mapping[str, Any], schema: Schema, written: bool = False) -> tuple[Row, list[str]]:
    """Return one clean row for any JSON object, and a warning for each repair. Never raises.

    *written*: the values come from where everything is text.
    """
    row: Row = {}
    warnings: list[str] = []
    for feature in schema.features:
        if feature.name not in raw:
            row[feature.name] = None
            warnings.append(f"{feature.name}: missing")
            continue
        row[feature.name], warning = repair(raw[feature.name], feature, written)
        if warning:
            warnings.append(f"{feature.name}: {warning}")
    extra = [name for name in raw if name not in row]
    if extra:
        extra = [shorten(name) for name in extra if name not in schema.unavailable and name not in schema.left_out]
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
        if feature.name in table.columns:
            values = clean_column(as_arrow(table[feature.name]), feature, written=True)[0]
            columns[feature.name] = pd.Series(values, dtype=kind)
        else:
            columns[feature.name] = pd.Series(math.nan, index=range(len(table)), dtype=kind)
    return pd.DataFrame(columns)


def as_given(table: pd.DataFrame) -> pd.DataFrame:
    """Return *table* unchanged: the place for a feature of your own, as `FunctionTransformer(as_given)` in a pipeline.

    A function in a pipeline must stand in this module: a model that uses one from elsewhere is not loaded.
    """
    return table
