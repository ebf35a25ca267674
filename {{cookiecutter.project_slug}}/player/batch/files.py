"""Reads and writes tables as CSV or Parquet, some thousand rows at a time."""

import csv
import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from player.errors import DataError

SUFFIXES = (".csv", ".parquet")
ROWS_AT_ONCE = 100_000
BYTES_AT_ONCE = 4 << 20  # of a CSV file; Arrow reads some 40 times as much ahead


def rows_in(source: Path) -> int:
    """Return how many rows *source* has: of a CSV file about how many, judged by its beginning; 0 when it is broken."""
    try:
        if source.suffix == ".parquet":
            return int(pq.read_metadata(source).num_rows)
        with source.open("rb") as file:
            beginning = file.read(1 << 20)
        return round(beginning.count(b"\n") * source.stat().st_size / max(len(beginning), 1))
    except (pa.ArrowException, OSError):  # what reads it will say so
        return 0


def read_batches(source: Path) -> Iterator[pa.RecordBatch]:
    """Yield an empty batch, which shows the columns, then the rows of *source*; raises DataError for no table."""
    try:
        schema, batches = open_csv(source) if source.suffix == ".csv" else open_parquet(source)
        if len(set(schema.names)) < len(schema.names):
            raise DataError(f"{source} has two columns of the same name; rename one.")
        yield pa.RecordBatch.from_pylist([], schema=schema)
        yield from batches
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{source} cannot be read as a table: {str(error).splitlines()[0]}") from None


def open_csv(source: Path) -> tuple[pa.Schema, Any]:
    """Return columns and rows of a CSV file; every cell is text, an empty one is null."""
    read, parse = pc.ReadOptions(block_size=BYTES_AT_ONCE), pc.ParseOptions(newlines_in_values=True)
    with pc.open_csv(source, read, parse) as first:
        names = first.schema.names
    texts = pc.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True, null_values=[""]
    )
    reader = pc.open_csv(source, read, parse, texts)
    return reader.schema, reader


def open_parquet(source: Path) -> tuple[pa.Schema, Any]:
    """Return columns and rows of a Parquet file."""
    file = pq.ParquetFile(source, pre_buffer=False)  # or all that was read stays in memory until the end
    return file.schema_arrow, file.iter_batches(ROWS_AT_ONCE)


class CsvTarget:
    """Writes batches one under the other into a CSV file."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        """Start the file *path* anew with the names of the columns."""
        names = io.StringIO()
        csv.writer(names, lineterminator="\n").writerow(schema.names)
        self.file = path.open("wb")
        self.file.write(names.getvalue().encode("utf-8"))

    def write(self, batch: pa.RecordBatch) -> None:
        """Append the rows of *batch*, with quotes only where a cell of it needs them."""
        buffer = io.BytesIO()
        try:
            pc.write_csv(batch, buffer, pc.WriteOptions(include_header=False, quoting_style="none"))
        except pa.ArrowInvalid:
            buffer = io.BytesIO()
            try:
                pc.write_csv(batch, buffer, pc.WriteOptions(include_header=False, quoting_style="needed"))
            except pa.ArrowException as error:
                raise DataError(f"A CSV file cannot hold this, write to .parquet: {error}") from None
        self.file.write(buffer.getvalue())

    def close(self) -> None:
        """Close the file; again is harmless."""
        self.file.close()


class ParquetTarget:
    """Writes batches one under the other into a Parquet file."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        """Start the file *path* anew with the columns of *schema*."""
        self.writer = pq.ParquetWriter(path, schema)

    def write(self, batch: pa.RecordBatch) -> None:
        """Append the rows of *batch*."""
        self.writer.write_batch(batch)

    def close(self) -> None:
        """Finish the file; again is harmless."""
        self.writer.close()


def open_target(path: Path, suffix: str, schema: pa.Schema) -> CsvTarget | ParquetTarget:
    """Return what writes a file of the kind *suffix* names."""
    return CsvTarget(path, schema) if suffix == ".csv" else ParquetTarget(path, schema)


def put_in_place(part: Path, target: Path) -> None:
    """Give the finished file or folder *part* the name *target*; what has that name goes."""
    if not part.is_dir() and not target.is_dir():
        part.replace(target)
        return
    old = part.with_suffix(".old")  # a folder takes the place of nothing: what is there must step aside
    remove(old)
    if target.exists():
        target.rename(old)
    part.rename(target)
    remove(old)


def remove(path: Path) -> None:
    """Delete the file or folder *path*, if there is one."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
