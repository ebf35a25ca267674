"""Reads and writes tables as CSV or Parquet, some thousand rows at a time."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from player.errors import DataError

SUFFIXES = (".csv", ".parquet")
ROWS_AT_ONCE = 50_000
BYTES_AT_ONCE = 4 << 20


def read_batches(source: Path) -> Iterator[pa.RecordBatch]:
    """Yield the rows of *source*, an empty batch for a file without any; raises DataError when it is no table."""
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
    file = pq.ParquetFile(source)
    return file.schema_arrow, file.iter_batches(ROWS_AT_ONCE)


class CsvTarget:
    """Writes tables one under the other into a CSV file."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        """Start the file *path* anew with the names of the columns."""
        names = io.StringIO()
        csv.writer(names, lineterminator="\n").writerow(schema.names)
        self.file = path.open("wb")
        self.file.write(names.getvalue().encode("utf-8"))

    def write(self, table: pa.Table) -> None:
        """Append the rows of *table*, with quotes only where a cell of it needs them."""
        buffer = io.BytesIO()
        try:
            pc.write_csv(table, buffer, pc.WriteOptions(include_header=False, quoting_style="none"))
        except pa.ArrowInvalid:
            buffer = io.BytesIO()
            pc.write_csv(table, buffer, pc.WriteOptions(include_header=False, quoting_style="needed"))
        self.file.write(buffer.getvalue())

    def close(self) -> None:
        """Close the file; again is harmless."""
        self.file.close()


class ParquetTarget:
    """Writes tables one under the other into a Parquet file."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        """Start the file *path* anew with the columns of *schema*."""
        self.writer = pq.ParquetWriter(path, schema)

    def write(self, table: pa.Table) -> None:
        """Append the rows of *table*."""
        self.writer.write_table(table)

    def close(self) -> None:
        """Finish the file; again is harmless."""
        self.writer.close()


def open_target(path: Path, suffix: str, schema: pa.Schema) -> CsvTarget | ParquetTarget:
    """Return what writes a file of the kind *suffix* names."""
    return CsvTarget(path, schema) if suffix == ".csv" else ParquetTarget(path, schema)
