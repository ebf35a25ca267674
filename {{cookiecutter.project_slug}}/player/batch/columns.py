"""Cleans whole columns of a batch at once, with the values and warnings that `features.clean` gives row by row."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from player.features import Schema, clean
from player.repair import LARGEST, Feature, repair

PLAIN_NUMBER = r"^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$"
Cleaned = tuple[Any, Any, list[str]]  # values, the number of each row's warning (0: none), the warnings


def clean_batch(batch: pa.RecordBatch, schema: Schema, from_csv: bool = False) -> tuple[pd.DataFrame, pa.Array]:
    """Return the clean table of a *batch*, shape (rows, features), and the warnings of each row as a JSON list.

    In a CSV file everything is text: with *from_csv* a plain number in a column of numbers is one.
    """
    columns: dict[str, Any] = {}
    codes = np.zeros((batch.num_rows, len(schema.features)), dtype="int32")
    names: list[list[str]] = []
    for place, feature in enumerate(schema.features):
        values, codes[:, place], warnings = clean_column(column_of(batch, feature), feature, from_csv)
        kind: Any = "float64" if feature.kind == "number" else "object"
        columns[feature.name] = pd.Series(values, dtype=kind)
        names.append([f"{feature.name}: {warning}" for warning in warnings])
    # What clean says of the names alone is the same for each row.
    ignored = [text for text in clean(dict.fromkeys(batch.schema.names), schema)[1] if text.startswith("ignored: ")]
    return pd.DataFrame(columns), combine(codes, names, ignored[-1:] if has_extra(batch, schema) else [])


def has_extra(batch: pa.RecordBatch, schema: Schema) -> bool:
    """Tell whether a *batch* has columns that are no features."""
    return not set(batch.schema.names) <= set(schema.names)


def column_of(batch: pa.RecordBatch, feature: Feature) -> pa.Array:
    """Return the column of a *feature*; one that is not there is missing in each row."""
    if feature.name in batch.schema.names:
        return batch.column(feature.name)
    return pa.nulls(batch.num_rows)


def clean_column(column: pa.Array, feature: Feature, from_csv: bool) -> Cleaned:
    """Return one clean column; only what is no number within its range goes through `repair`, each value once."""
    numbers = np.full(len(column), np.nan)
    if feature.kind == "number":
        numbers = as_numbers(column, from_csv)
    fine = (numbers >= feature.low) & (numbers <= feature.high) & (np.abs(numbers) <= LARGEST)
    values = numbers if feature.kind == "number" else np.full(len(column), np.nan, dtype=object)
    codes = np.zeros(len(column), dtype="int32")
    odd = np.flatnonzero(~fine)
    if odd.size:
        given, first = unique(column.take(pa.array(odd)))
        if from_csv and feature.kind == "number":
            given = [as_csv_number(value) for value in given]
        repaired = [repair(value, feature) for value in given]
        warnings = sorted({warning for _, warning in repaired if warning})
        code = {warning: place for place, warning in enumerate(["", *warnings])}
        chosen = np.array([np.nan if value is None else value for value, _ in repaired], dtype=values.dtype)
        values[odd] = chosen[first]
        codes[odd] = np.array([code[warning] for _, warning in repaired])[first]
        return values, codes, warnings
    return values, codes, []


def as_numbers(column: pa.Array, from_csv: bool) -> Any:
    """Return the numbers of a *column* as float64, NaN for what must be looked at one by one."""
    if from_csv and pa.types.is_string(column.type):
        plain = pc.match_substring_regex(column, PLAIN_NUMBER)
        column = pc.if_else(pc.fill_null(plain, False), column, pa.scalar(None, pa.string()))
    elif not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        return np.full(len(column), np.nan)
    numbers = pc.cast(column, pa.float64(), safe=False)
    return np.array(numbers.to_numpy(zero_copy_only=False), dtype="float64")  # a copy that may be written to


def as_csv_number(value: Any) -> Any:
    """Return a plain number of a CSV file as one, anything else as it is."""
    if isinstance(value, str) and pc.match_substring_regex(pa.array([value]), PLAIN_NUMBER)[0].as_py():
        return float(value)
    return value


def unique(column: pa.Array) -> tuple[list[Any], Any]:
    """Return the different values of a *column*, and for each row the place of its own among them."""
    if pa.types.is_nested(column.type) or pa.types.is_dictionary(column.type):
        return column.to_pylist(), np.arange(len(column))
    if pa.types.is_null(column.type):
        return [None], np.zeros(len(column), dtype="int64")
    encoded = column.dictionary_encode(null_encoding="encode")
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy(zero_copy_only=False)


def combine(codes: Any, names: list[list[str]], always: list[str]) -> pa.Array:
    """Return the warnings of each row as JSON text; each combination of *codes* is written once."""
    key = np.zeros(len(codes), dtype="int64")  # the same for rows with the same codes, and below the number of rows
    for place, warnings in enumerate(names):
        if warnings:
            longer = pa.array(key * (len(warnings) + 1) + codes[:, place])
            key = longer.dictionary_encode().indices.to_numpy().astype("int64")
    texts = []
    for row in np.unique(key, return_index=True)[1]:
        found = [names[column][code - 1] for column, code in enumerate(codes[row].tolist()) if code]
        texts.append(json.dumps(found + always))
    return pa.DictionaryArray.from_arrays(key, pa.array(texts, pa.string())).cast(pa.string())


def raw_rows(batch: pa.RecordBatch, schema: Schema | None, from_csv: bool) -> list[dict[str, Any]]:
    """Return the rows of a *batch* as the API would receive them."""
    rows: list[dict[str, Any]] = batch.to_pylist()
    if from_csv and schema is not None:
        numbers = [f.name for f in schema.features if f.kind == "number" and f.name in batch.schema.names]
        rows = [{**row, **{name: as_csv_number(row[name]) for name in numbers}} for row in rows]
    return rows
