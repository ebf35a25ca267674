"""Puts the answer of the current model beside each row of a batch, whole columns at a time."""

import json
import logging
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from player.batch.columns import clean_batch
from player.errors import DataError
from player.model.predictor import Predictor
from player.repair import without_usual

log = logging.getLogger(__name__)

ANSWER = ("pred", "proba", "model", "degraded", "warnings")  # the last columns of the output, in this order


def with_answers(schema: pa.Schema, predictor: Predictor) -> pa.Schema:
    """Return the columns of the output: those of the input, then the answer.

    Nothing of the input is lost: where a column has the name of an answer, the answers are called `answer_pred`, ….
    """
    links = predictor.chain.links
    classes = list(links[0].model.manifest.classes) if links else [predictor.answer({}).pred]
    kinds = (class_type(classes), pa.float64(), pa.string(), pa.bool_(), pa.string())
    names: tuple[str, ...] = ANSWER
    while set(names) & set(schema.names):
        names = tuple(f"answer_{name}" for name in names)
    given = [column.remove_metadata() for column in schema]
    return pa.schema([*given, *(pa.field(name, kind) for name, kind in zip(names, kinds, strict=True))])


def class_type(classes: list[Any]) -> pa.DataType:
    """Return the Arrow type that holds every class; text when they are of several kinds."""
    try:
        return pa.array(classes).type
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.string()


def score_batch(batch: pa.RecordBatch, predictor: Predictor, columns: pa.Schema, from_csv: bool) -> pa.RecordBatch:
    """Return *batch* with the answer of each row beside it, as the *columns* that `with_answers` gave.

    Raises DataError when an answer is of another kind than the classes of the model.
    """
    kinds = columns.types[-len(ANSWER) :]
    answers = answer_batch(batch, predictor, kinds[0], from_csv) if batch.num_rows else [[] for _ in ANSWER]
    added = [as_column(values, kind) for values, kind in zip(answers, kinds, strict=True)]
    return pa.RecordBatch.from_arrays([*batch.columns, *added], schema=columns)


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


def answer_batch(batch: pa.RecordBatch, predictor: Predictor, kind: pa.DataType, from_csv: bool) -> Sequence[Any]:
    """Return the answers of the current model to all rows at once; where it fails, row by row as the API does.

    *kind* is the type of a class.
    """
    chain = predictor.chain
    if chain.links:
        link = chain.links[0]
        try:
            table, warnings = clean_batch(batch, link.model.schema, from_csv)
            places, probas = link.predict_table(table)
        except Exception as error:
            log.warning("model %s is asked row by row: %s", link.version, error)
        else:
            same = (pa.repeat(value, batch.num_rows) for value in (link.version, chain.degraded))
            return (as_column(link.model.manifest.classes, kind).take(pa.array(places)), probas, *same, warnings)
    answers = [predictor.answer(row) for row in batch.to_pylist()]
    texts = [json.dumps(without_usual(answer.warnings) if from_csv else answer.warnings) for answer in answers]
    return (*([getattr(answer, name) for answer in answers] for name in ANSWER[:-1]), texts)
