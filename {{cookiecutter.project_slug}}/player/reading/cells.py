"""Reads whole columns at once, with the values and warnings that `repair` gives cell by cell."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from player.repair import DECIMAL, LARGEST, Feature, Value, as_text, repair

PLAIN_NUMBER = r"^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$"
Cleaned = tuple[Any, Any, list[str]]  # values, the number of each row's warning (0: none), the warnings


def as_arrow(column: pd.Series) -> pa.Array:
    """Return a pandas *column* as an Arrow array; what is of several kinds becomes text, cell by cell."""
    try:
        found = pa.array(column, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        found = pa.array([None if cell is None else as_text(cell) for cell in column], pa.string())
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def clean_column(column: pa.Array, feature: Feature, written: bool = False) -> Cleaned:
    """Return one clean column: float64, or the codes of categories; each value goes through `repair` once.

    Numbers within their range do not even do that. *written*: it comes from where everything is text, such as a CSV
    file.
    """
    if feature.kind == "category":
        given, places = unique(column)
        categories, codes, warnings = repair_each(given, feature, written)
        known = sorted({value for value in categories if isinstance(value, str)})
        code: dict[Value, int] = {value: place for place, value in enumerate(known)}
        coded = np.array([code.get(value, -1) for value in categories], dtype="int32")[places]
        return pd.Categorical.from_codes(coded, pd.Index(known, dtype=object)), codes[places], warnings
    numbers = as_numbers(column, written and feature.comma != DECIMAL)
    fine = (numbers >= feature.low) & (numbers <= feature.high) & (np.abs(numbers) <= LARGEST)
    found = np.zeros(len(column), dtype="int32")
    odd = np.flatnonzero(~fine)
    if not odd.size:
        return numbers, found, []
    given, places = unique(column.take(pa.array(odd)))
    values, codes, warnings = repair_each(given, feature, written)
    numbers[odd] = np.array(values, dtype="float64")[places]  # None is NaN
    found[odd] = codes[places]
    return numbers, found, warnings


def with_codes(table: pd.DataFrame) -> pd.DataFrame:
    """Return a clean *table* whose categories are coded."""
    return table.astype({name: "category" for name, kind in table.dtypes.items() if pd.api.types.is_object_dtype(kind)})


def without_codes(table: pd.DataFrame) -> pd.DataFrame:
    """Return a clean *table* with categories as objects, as pipelines take it."""
    return table.astype({name: object for name, kind in table.dtypes.items() if kind == "category"})


def repair_each(given: list[Any], feature: Feature, written: bool) -> tuple[list[Value], Any, list[str]]:
    """Return what `repair` makes of each value, the number of its warning (0: none), and the warnings."""
    repaired = [repair(value, feature, written) for value in given]
    warnings = sorted({warning for _, warning in repaired if warning})
    code = {warning: place for place, warning in enumerate(["", *warnings])}
    return [value for value, _ in repaired], np.array([code[text] for _, text in repaired], dtype="int32"), warnings


def as_numbers(column: pa.Array, written: bool) -> Any:
    """Return the numbers of a *column* as float64, NaN for what must be looked at one by one."""
    if written and is_text(column):
        plain = pc.match_substring_regex(column, PLAIN_NUMBER)
        column = pc.if_else(pc.fill_null(plain, False), column, pa.scalar(None, column.type))
    elif not is_number(column):
        return np.full(len(column), np.nan)
    numbers = pc.cast(column, pa.float64(), safe=False)
    return np.array(numbers.to_numpy(zero_copy_only=False), dtype="float64")  # a copy that may be written to


def is_text(column: pa.Array) -> bool:
    """Tell whether *column* holds text."""
    return bool(pa.types.is_string(column.type) or pa.types.is_large_string(column.type))


def is_number(column: pa.Array) -> bool:
    """Tell whether *column* holds numbers by its type."""
    kind = column.type
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def unique(column: pa.Array) -> tuple[list[Any], Any]:
    """Return the different values of a *column*, and for each row the place of its own among them."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_nested(column.type):
        return column.to_pylist(), np.arange(len(column))
    if pa.types.is_null(column.type):
        return [None], np.zeros(len(column), dtype="int64")
    encoded = column.dictionary_encode(null_encoding="encode")
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy(zero_copy_only=False)
