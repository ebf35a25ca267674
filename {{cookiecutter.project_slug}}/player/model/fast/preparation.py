"""What the steps before a classifier make of one row, without a table: measured by asking them, one feature at a time.

Nearly all of them look at one feature at a time: a number is filled in and scaled, a category is looked up. So each
column that they make is a formula of one number or a table of one category, and asking for a few values shows which.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

from player.features import Schema, to_table
from player.model.fast.steps import NotMeasured, check_known, inner_steps, prepare
from player.repair import LARGEST, Feature, Value

UNSEEN_CATEGORY = "(a category that nobody has seen)"
MOST_CELLS = 2_000_000  # of the tables of categories: 16 MB


class Form(NamedTuple):
    """How a number becomes a column: (number - shift) / divisor * factor + offset, as the scalers compute it.

    Where a scaler does less the rest is exactly nothing (minus 0, times 1), so the column is the same to the last bit.
    """

    shift: float = 0.0
    divisor: float = 1.0
    factor: float = 1.0
    offset: float = 0.0

    def of(self, number: Any) -> Any:
        """Return the column of *number*, or of an array of them."""
        return (number - self.shift) / self.divisor * self.factor + self.offset


@dataclass(frozen=True)
class Preparation:
    """The steps before a classifier, for one row: *order* says which of the values made here is which column."""

    numbers: tuple[tuple[str, list[float], list[Form]], ...]  # name, columns when missing, columns
    categories: tuple[tuple[str, dict[Value, list[float]], list[float]], ...]  # name, columns, when unseen
    constants: list[float]
    order: np.ndarray

    def vector(self, row: Mapping[str, Value]) -> np.ndarray:
        """Return the columns of one clean *row*: shape (columns,) of float64."""
        values = self.constants.copy()
        for name, missing, forms in self.numbers:
            number: Any = row[name]
            if number is None:
                values += missing
            else:
                values += [(number - shift) / divisor * factor + offset for shift, divisor, factor, offset in forms]
        for name, columns, unseen in self.categories:
            values += columns.get(row[name], unseen)
        return np.array(values).take(self.order)

    def matrix(self, table: pd.DataFrame) -> np.ndarray:
        """Return the same of each row of a clean *table* whose categories are coded: shape (rows, columns)."""
        made = np.empty((len(self.order), len(table)))
        places = iter(np.argsort(self.order))
        for value in self.constants:
            made[next(places)] = value
        for name, missing, forms in self.numbers:
            numbers = table[name].to_numpy()
            gaps = np.flatnonzero(np.isnan(numbers))
            for value, form in zip(missing, forms, strict=True):
                column = made[next(places)]
                column[:] = form.of(numbers)
                column[gaps] = value
        for name, columns, unseen in self.categories:
            codes = table[name].cat.codes.to_numpy().astype("intp")
            categories = [*table[name].cat.categories, None]  # the code of a missing one is -1: the last
            for known in np.array([columns.get(value, unseen) for value in categories]).T:
                np.take(known, codes, out=made[next(places)], mode="wrap")
        return made.T


def measure(steps: Sequence[Any], schema: Schema, example: Mapping[str, Value]) -> Preparation:
    """Return what *steps* are seen to do when one feature of *example* changes.

    Raises NotMeasured when a column is a function of two features, or another one than a `Form` of a number.
    """
    check_known(steps)
    tried = {feature.name: values_to_try(feature) for feature in schema.features}
    rows = [{**example, name: value} for name, values in tried.items() for value in values]
    if len(rows) * prepare(steps, to_table([example], schema)).shape[1] > MOST_CELLS:
        raise NotMeasured("the categories have too many columns")
    made = prepare(steps, to_table([example, *rows], schema))
    usual, made = made[0], made[1:]
    free = np.ones(len(usual), dtype=bool)  # the columns that no feature has moved yet
    numbers, categories = [], []
    places: dict[str, list[int]] = {"number": [], "category": []}  # in the order in which `vector` makes the values
    for feature in schema.features:
        mine, made = made[: len(tried[feature.name])], made[len(tried[feature.name]) :]
        moved = np.flatnonzero(((mine != usual) & ~(np.isnan(mine) & np.isnan(usual))).any(axis=0))
        if not free[moved].all():
            raise NotMeasured(f"a column is made of {feature.name} and another feature")
        free[moved] = False
        places[feature.kind].extend(moved.tolist())
        columns = mine[:, moved]
        if feature.kind == "number":
            values = np.array(tried[feature.name][1:], dtype="float64")
            forms = [find_form(values, column, steps, feature) for column in columns[1:].T]
            numbers.append((feature.name, columns[0].tolist(), forms))
        else:
            table = dict(zip(tried[feature.name], columns.tolist(), strict=True))
            unseen = table.pop(UNSEEN_CATEGORY)
            categories.append((feature.name, table, unseen))
    constant = np.flatnonzero(free)
    order = np.argsort([*constant.tolist(), *places["number"], *places["category"]])
    return Preparation(tuple(numbers), tuple(categories), usual[constant].tolist(), order)


def values_to_try(feature: Feature) -> list[Value]:
    """Return the values of *feature* that show its columns: missing, then some numbers or every category."""
    if feature.kind == "category":
        return [None, UNSEEN_CATEGORY, *feature.categories]
    span = (feature.high - feature.low) or 1.0
    within = [feature.low + part * span for part in (0.0, 0.25, 0.375, 0.5, 0.71, 1.0)]
    return [None, *within, 0.0, 1.0, -1.0, feature.low - 3.3 * span, feature.high + 3.3 * span, LARGEST, -LARGEST]


def find_form(numbers: np.ndarray, column: np.ndarray, steps: Sequence[Any], feature: Feature) -> Form:
    """Return the form that makes exactly *column* of *numbers*, with the figures of one of the scalers in *steps*."""
    forms = [Form(factor=0.0, offset=float(column[0])), *possible_forms(steps)]
    for form in forms:
        if np.array_equal(form.of(numbers), column):
            return form
    raise NotMeasured(f"a column of {feature.name} is neither the number nor one that is scaled")


def possible_forms(steps: Sequence[Any]) -> Iterator[Form]:
    """Yield every form that a scaler in *steps* may give a number."""
    yield Form()
    for step in (each for outer in steps for each in inner_steps(outer)):
        if isinstance(step, MinMaxScaler):
            for factor, offset in zip(step.scale_.tolist(), step.min_.tolist(), strict=True):
                yield Form(factor=factor, offset=offset)
        elif isinstance(step, StandardScaler | RobustScaler | MaxAbsScaler):
            scales = step.scale_ if step.scale_ is not None else np.ones(step.n_features_in_)
            shifts = getattr(step, "mean_", getattr(step, "center_", None))
            shifts = np.zeros(len(scales)) if shifts is None else shifts
            for shift, scale in zip(shifts.tolist(), scales.tolist(), strict=True):
                yield Form(shift, scale)
                yield Form(0.0, scale)  # StandardScaler(with_mean=False) knows its mean all the same
