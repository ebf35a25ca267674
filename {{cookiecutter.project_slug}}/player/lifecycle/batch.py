"""Scores whole files with the same features and the same answer chain as the API, in constant memory."""

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from filelock import FileLock, Timeout

from player.errors import DataError
from player.lifecycle.batch_columns import clean_batch, raw_rows
from player.lifecycle.batch_files import SUFFIXES, open_target, read_batches
from player.model.predictor import Predictor

log = logging.getLogger(__name__)

ADDED = ("pred", "proba", "model", "degraded", "warnings")
DONE = "_SUCCESS"


@dataclass
class Result:
    """What a run did: files and rows scored, rows with a warning, models that answered, files done before."""

    files: int = 0
    rows: int = 0
    warnings: int = 0
    skipped: int = 0
    models: set[str] = field(default_factory=set)


def score(
    source: Path,
    target: Path,
    predictor: Predictor,
    again: bool = False,
    progress: Callable[[int], None] = lambda rows: None,
) -> Result:
    """Score the file or folder *source* into *target*, telling *progress* how many rows are done.

    A file that is done stays, unless *again*; so a run that was killed goes on where it was. The result of a file
    appears whole or not at all. Raises DataError when a file cannot be used or another run writes to *target*.
    """
    pairs = pairs_of(source, target)
    result = Result()
    lock = FileLock(target.with_name(f".{target.name}.lock"), timeout=0)
    try:
        with lock:
            if source.is_dir():
                target.mkdir(exist_ok=True)
                (target / DONE).unlink(missing_ok=True)
            for file, scored in pairs:
                if scored.exists() and not again:
                    result.skipped += 1
                else:
                    before = result.rows
                    for done in score_file(file, scored, predictor, result):
                        progress(before + done)
            if source.is_dir():
                (target / DONE).touch()
    except Timeout:
        raise DataError(f"Another run is writing to {target}; wait for it to end.") from None
    return result


def pairs_of(source: Path, target: Path) -> list[tuple[Path, Path]]:
    """Return each file to score and where its result goes; raises DataError when one cannot be used."""
    if source.resolve() == target.resolve():
        raise DataError(f"{target} is the input; choose another name for the output.")
    if not target.absolute().parent.is_dir():
        raise DataError(f"{target.parent} does not exist; make the folder first.")
    if not source.exists():
        raise DataError(f"{source} does not exist.")
    if source.is_dir():
        files = sorted(p for p in source.iterdir() if p.suffix in SUFFIXES and p.is_file() and p.name[0] not in "._")
        if not files:
            raise DataError(f"{source} holds no .csv or .parquet file.")
        if target.exists() and not target.is_dir():
            raise DataError(f"{target} is a file; a folder is scored into a folder.")
        return [(file, target / file.name) for file in files]
    for path in (source, target):
        if path.suffix not in SUFFIXES or path.is_dir():
            raise DataError(f"{path} must be a file that ends in .csv or .parquet.")
    return [(source, target)]


def score_file(source: Path, target: Path, predictor: Predictor, result: Result | None = None) -> Iterator[int]:
    """Score each row of *source*, yielding how many rows are done; what was done is added up in *result*.

    Rows go to a temporary name, which a finished file gives up for its own.
    """
    result = result or Result()
    done = 0
    part = target.with_name(f".{target.name}.part")
    writer = None
    try:
        for batch in read_batches(source):
            table = score_batch(batch, predictor, source.suffix == ".csv")
            if writer is None:
                writer = open_target(part, target.suffix, with_answers(batch.schema, predictor))
                columns = with_answers(batch.schema, predictor)
            writer.write(fit(table, columns))
            result.rows += table.num_rows
            result.warnings += sum(text != "[]" for text in table["warnings"].to_pylist())
            result.models.update(table["model"].unique().to_pylist())
            done += table.num_rows
            yield done
        if writer is not None:
            writer.close()
            part.replace(target)
        result.files += 1
    finally:
        if writer is not None:
            writer.close()
        part.unlink(missing_ok=True)


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


def fit(table: pa.Table, columns: pa.Schema) -> pa.Table:
    """Return *table* with the types of *columns*; raises DataError when an answer is of another kind."""
    try:
        return table.cast(columns)
    except (pa.ArrowInvalid, ValueError) as error:
        raise DataError(f"The answers changed their kind within a file: {str(error).splitlines()[0]}") from None


def score_batch(batch: pa.RecordBatch, predictor: Predictor, from_csv: bool = False) -> pa.Table:
    """Return *batch* with the answer of each row beside it."""
    answers = answer_batch(batch, predictor, from_csv) if batch.num_rows else {name: [] for name in ADDED}
    kept = pa.Table.from_batches([batch]).drop_columns([name for name in ADDED if name in batch.schema.names])
    kinds = {"proba": pa.float64(), "model": pa.string(), "degraded": pa.bool_(), "warnings": pa.string()}
    for name in ADDED:
        given = answers[name]
        if name == "pred" and class_type(given) == pa.string():
            given = [str(value) for value in given]
        kept = kept.append_column(name, pa.array(given, type=kinds.get(name)))
    return kept


def answer_batch(batch: pa.RecordBatch, predictor: Predictor, from_csv: bool) -> dict[str, list[Any]]:
    """Return the answers of the current model to all rows at once; where it fails, row by row as the API does."""
    chain = predictor.chain
    if chain.links:
        link = chain.links[0]
        try:
            table, warnings = clean_batch(batch, link.model.schema, from_csv)
            preds, probas = zip(*link.predict(table), strict=True)
        except Exception as error:
            log.warning("model %s is asked row by row: %s", link.version, error)
        else:
            rows = batch.num_rows
            columns = (list(preds), list(probas), [link.version] * rows, [chain.degraded] * rows, warnings)
            return dict(zip(ADDED, columns, strict=True))
    answers = [predictor.answer(row) for row in raw_rows(batch, predictor.schema, from_csv)]
    given = {name: [getattr(answer, name) for answer in answers] for name in ADDED[:-1]}
    return {**given, "warnings": [json.dumps(a.warnings) for a in answers]}
