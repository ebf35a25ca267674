"""Cleans whole columns of a batch at once, with the values and warnings that `features.clean` gives row by row."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from player.features import Schema, clean
from player.reading.cells import clean_column
from player.repair import Feature


def clean_batch(batch: pa.RecordBatch, schema: Schema, from_csv: bool) -> tuple[pd.DataFrame, pa.Array]:
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
