"""Puts the answer of the current model beside each row of a batch, whole columns at a time."""

import json
import logging
from typing import Any

import pyarrow as pa

from player.batch.columns import clean_batch, raw_rows
from player.errors import DataError
from player.model.predictor import Predictor

log = logging.getLogger(__name__)

ADDED = ("pred", "proba", "model", "degraded", "warnings")


def with_answers(schema: pa.Schema, predictor: Predictor) -> pa.Schema:
    """Return the columns of the output: those of the input, then the answer."""
    links = predictor.chain.links
    classes = list(links[0].model.manifest.classes) if links else [predictor.answer({}).pred]
    kinds = (class_type(classes), pa.float64(), pa.string(), pa.bool_(), pa.string())
    given = [column.remove_metadata() for column in schema if column.name not in ADDED]
    return pa.schema([*given, *(pa.field(name, kind) for name, kind in zip(ADDED, kinds, strict=True))])


def class_type(classes: list[Any]) -> pa.DataType:
    """Return the Arrow type that holds every class; text when they are of several kinds."""
    try:
        return pa.array(classes).type
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.string()


def score_batch(
    batch: pa.RecordBatch, predictor: Predictor, columns: pa.Schema, from_csv: bool = False
) -> pa.RecordBatch:
    """Return *batch* with the answer of each row beside it, as the *columns* that `with_answers` gave.

    Raises DataError when an answer is of another kind than the classes of the model.
    """
    answers = answer_batch(batch, predictor, from_csv) if batch.num_rows else {name: [] for name in ADDED}
    arrays = [as_column(answers[c.name], c.type) if c.name in ADDED else batch.column(c.name) for c in columns]
    return pa.RecordBatch.from_arrays(arrays, schema=columns)


def as_column(values: Any, kind: pa.DataType) -> pa.Array:
    """Return *values* as an Arrow column of the type *kind*; raises DataError."""
    if isinstance(values, pa.Array):
        return values
    try:
        return pa.array(values, type=kind)
    except (pa.ArrowException, ValueError) as error:
        if kind == pa.string():
            return pa.array([str(value) for value in values], type=kind)
        raise DataError(f"The answers changed their kind within a file: {str(error).splitlines()[0]}") from None


def answer_batch(batch: pa.RecordBatch, predictor: Predictor, from_csv: bool) -> dict[str, Any]:
    """Return the answers of the current model to all rows at once; where it fails, row by row as the API does."""
    chain = predictor.chain
    if chain.links:
        link = chain.links[0]
        try:
            table, warnings = clean_batch(batch, link.model.schema, from_csv)
            preds, probas = link.predict(table)
        except Exception as error:
            log.warning("model %s is asked row by row: %s", link.version, error)
        else:
            same = (pa.repeat(value, batch.num_rows) for value in (link.version, chain.degraded))
            return dict(zip(ADDED, (preds, probas, *same, warnings), strict=True))
    answers = [predictor.answer(row) for row in raw_rows(batch, predictor.schema, from_csv)]
    given: dict[str, Any] = {name: [getattr(answer, name) for answer in answers] for name in ADDED[:-1]}
    return {**given, "warnings": [json.dumps(a.warnings) for a in answers]}
