"""Scores a whole file with the same features and the same answer chain as the API, in constant memory."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from player.errors import DataError
from player.model.predictor import Predictor

ROWS_AT_ONCE = 5_000
ADDED = ("pred", "proba", "model", "degraded", "warnings")


def score_file(source: Path, target: Path, predictor: Predictor) -> Iterator[int]:
    """Score each row of *source* (CSV or Parquet) into *target*, yielding the number of rows done after each chunk.

    The columns of the input stay and `pred, proba, model, degraded, warnings` are added. The target appears whole
    or not at all: rows go to a temporary name first. Raises DataError when a file cannot be used.
    """
    check(source, target)
    part = target.with_name(f".{target.name}.part")
    writer = open_target(part, target.suffix)
    done = 0
    try:
        for chunk in read_chunks(source):
            writer.write(score(chunk, predictor))
            done += len(chunk)
            yield done
        writer.close()
        part.replace(target)
    finally:
        writer.close()
        part.unlink(missing_ok=True)


def check(source: Path, target: Path) -> None:
    """Raise DataError when *source* cannot be read or *target* cannot be written as a table."""
    if not source.is_file():
        raise DataError(f"{source} does not exist.")
    for path in (source, target):
        if path.suffix not in (".csv", ".parquet"):
            raise DataError(f"{path} must end in .csv or .parquet.")
    if not target.parent.is_dir():
        raise DataError(f"{target.parent} does not exist; make the folder first.")


def read_chunks(source: Path) -> Iterator[pd.DataFrame]:
    """Yield the rows of *source* in tables of at most 5,000 rows."""
    try:
        if source.suffix == ".csv":
            yield from pd.read_csv(source, chunksize=ROWS_AT_ONCE)
        else:
            for batch in pq.ParquetFile(source).iter_batches(ROWS_AT_ONCE):
                yield batch.to_pandas()
    except (ValueError, pa.ArrowInvalid) as error:
        raise DataError(f"{source} cannot be read as a table: {str(error).splitlines()[0]}") from None


def score(chunk: pd.DataFrame, predictor: Predictor) -> pd.DataFrame:
    """Return *chunk* with the answer of each row beside it."""
    rows: list[dict[str, Any]] = chunk.to_dict("records")  # type: ignore[assignment]
    answers = predictor.answer_many(rows)
    added = pd.DataFrame(
        [(a.pred, a.proba, a.model, a.degraded, json.dumps(a.warnings)) for a in answers],
        columns=list(ADDED),
        index=chunk.index,
    )
    return chunk.drop(columns=list(ADDED), errors="ignore").join(added)


class CsvTarget:
    """Writes tables one under the other into a CSV file."""

    def __init__(self, path: Path) -> None:
        """Start the file *path* anew."""
        self.file = path.open("w", encoding="utf-8", newline="")
        self.started = False

    def write(self, table: pd.DataFrame) -> None:
        """Append the rows of *table*, the first time with their names."""
        table.to_csv(self.file, index=False, header=not self.started, lineterminator="\n")
        self.started = True

    def close(self) -> None:
        """Close the file; again is harmless."""
        self.file.close()


class ParquetTarget:
    """Writes tables one under the other into a Parquet file; the first one fixes the types."""

    def __init__(self, path: Path) -> None:
        """Remember *path*; the file starts with the first table."""
        self.path = path
        self.writer: pq.ParquetWriter | None = None

    def write(self, table: pd.DataFrame) -> None:
        """Append the rows of *table*."""
        rows = pa.Table.from_pandas(table, preserve_index=False)
        if self.writer is None:
            self.writer = pq.ParquetWriter(self.path, rows.schema)
        self.writer.write_table(rows.cast(self.writer.schema))

    def close(self) -> None:
        """Finish the file; again is harmless."""
        if self.writer is not None:
            self.writer.close()


def open_target(path: Path, suffix: str) -> CsvTarget | ParquetTarget:
    """Return what writes a file of the kind *suffix* names."""
    return CsvTarget(path) if suffix == ".csv" else ParquetTarget(path)
