"""Cleans whole columns of a batch at once, with the values and warnings that `features.clean` gives row by row."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from player.features import Schema, clean
from player.reading.cells import clean_column
from player.repair import Feature


def clean_batch(batch: pa.RecordBatch, schema: Schema, from_csv: bool) -> tuple[pd.DataFrame, pa.Array]:
    """Return the clean table of a *batch*, shape (rows, features), and the warnings of each row as a JSON list.

    Categories are coded, as pandas has them. In a CSV file everything is text: with *from_csv* a plain number in a
    column of numbers is one.
    """
    columns: dict[str, Any] = {}
    found: list[tuple[Any, list[str]]] = []
    for feature in schema.features:
        columns[feature.name], codes, warnings = clean_column(column_of(batch, feature), feature, from_csv)
        if warnings:
            found.append((codes, [f"{feature.name}: {warning}" for warning in warnings]))
    # What clean says of the names alone is the same for each row.
    ignored = [text for text in clean(dict.fromkeys(batch.schema.names), schema)[1] if text.startswith("ignored: ")]
    always = ignored[-1:] if has_extra(batch, schema) else []
    return pd.DataFrame(columns, copy=False), combine(found, always, batch.num_rows)


def has_extra(batch: pa.RecordBatch, schema: Schema) -> bool:
    """Tell whether a *batch* has columns that are no features."""
    return not set(batch.schema.names) <= set(schema.names)


def column_of(batch: pa.RecordBatch, feature: Feature) -> pa.Array:
    """Return the column of a *feature*; one that is not there is missing in each row."""
    if feature.name in batch.schema.names:
        return batch.column(feature.name)
    return pa.nulls(batch.num_rows)


def combine(found: Sequence[tuple[Any, list[str]]], always: list[str], rows: int) -> pa.Array:
    """Return the warnings of each of so many *rows* as JSON text; each combination of them is written once.

    *found* are, for a column, the number of each row's warning, 0 for none, and the warnings.
    """
    key = np.zeros(rows, dtype="int64")  # the same for rows with the same warnings, and below the number of rows
    for codes, warnings in found:
        key = pa.array(key * (len(warnings) + 1) + codes).dictionary_encode().indices.to_numpy().astype("int64")
    some_row = np.zeros(key.max() + 1, dtype="int64")
    some_row[key] = np.arange(rows)
    texts = []
    for row in some_row.tolist():
        said = [warnings[codes[row] - 1] for codes, warnings in found if codes[row]]
        texts.append(json.dumps(said + always))
    return pa.DictionaryArray.from_arrays(key, pa.array(texts, pa.string())).cast(pa.string())
