"""What a table looks like to the model: each column, the label, the times, and everything that deviates."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd
from rich.console import Group
from rich.table import Table

from player.config import DataSettings
from player.errors import DataError
from player.reading.columns import Column, read_columns
from player.reading.deviations import Deviation, Deviations
from player.reading.labels import check_classes, read_label_column
from player.reading.times import read_times


@dataclass(frozen=True)
class Inspection:
    """What was found in a table: columns to learn from, those with a *role* of their own, classes, and trouble."""

    rows: int
    columns: list[Column]
    roles: dict[str, str]  # column -> label, id, time or only known afterwards
    classes: dict[str, int]
    deviations: Deviations
    trouble: list[str]
    learnable: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {
            "rows": self.rows,
            "columns": [column.to_dict() for column in self.columns],
            "roles": self.roles,
            "classes": self.classes,
            "deviations": [one.to_dict() for one in self.deviations.sorted()],
            "trouble": self.trouble,
            "learnable": self.learnable,
        }

    def to_text(self) -> Group:
        """Return it for a terminal: one line for each column, then all that deviates."""
        table = Table("column", "is", "holds", "missing", box=None, header_style="bold", pad_edge=False)
        for name, role in self.roles.items():
            table.add_row(name, role, self.describe_label() if role == "label" else "", "")
        for column in self.columns:
            kind = "left out" if column.left_out else column.feature.kind
            table.add_row(column.name, kind, column.left_out or describe(column), f"{column.missing:,}")
        parts: list[Any] = [table]
        if self.deviations.found:
            parts += ["", self.deviations.to_table()]
        return Group(f"{self.rows:,} rows", *parts, *self.trouble)

    def describe_label(self) -> str:
        """Return the classes with their counts."""
        return ", ".join(f"{name} ({count:,})" for name, count in list(self.classes.items())[:6])


def describe(column: Column) -> str:
    """Return what a feature holds: the range of a number, the categories."""
    feature = column.feature
    if feature.kind == "number":
        return f"{feature.low:g} to {feature.high:g}"
    more = ", …" if len(feature.categories) > 5 else ""
    return f"{len(feature.categories):,} categories: {', '.join(feature.categories[:5])}{more}"


def inspect(table: pd.DataFrame, data: DataSettings) -> Inspection:
    """Return what stands in *table*, read as training would read it; never raises for what it finds there."""
    columns = read_columns(table, data)
    found = Deviations()
    found.add_columns(columns)
    roles = {data.label: "label", data.id: "id", data.time: "time"}
    roles |= dict.fromkeys(data.not_at_request_time, "only known afterwards")
    classes, trouble = {}, [*check_time(table, data, found)]
    try:
        labels = read_label_column(table, data.label)
        classes = {str(name): int(count) for name, count in labels.value_counts().items()}
        if labels.isna().any():
            rows = [int(row) + 1 for row in labels.isna().to_numpy().nonzero()[0][:5]]
            found.add(Deviation(data.label, "no label, left out", int(labels.isna().sum()), rows))
        check_classes(labels, data.label)
        check_columns(columns)
    except DataError as error:
        trouble.append(str(error))
        learnable = False
    else:
        learnable = True
    roles = {name: role for name, role in roles.items() if name in table.columns}
    return Inspection(len(table), columns, roles, classes, found, trouble, learnable)


def check_columns(columns: list[Column]) -> None:
    """Raise DataError when there is no column to learn from."""
    if all(column.left_out for column in columns):
        raise DataError("No column is left to learn from; name those to use all the same in [data].keep.")


def check_time(table: pd.DataFrame, data: DataSettings, found: Deviations) -> Iterator[str]:
    """Yield a sentence when no order can be read from the times; add the single ones that cannot be read to *found*."""
    if data.time in table.columns:
        times, trouble = read_times(table[data.time])
        if trouble:
            yield f"No order of time: in {data.time} {trouble}."
        elif times.isna().any():
            rows = [int(row) + 1 for row in times.isna().to_numpy().nonzero()[0][:5]]
            found.add(Deviation(data.time, "no time, counts as oldest", int(times.isna().sum()), rows))
