"""Writes tables as CSV or Parquet, some thousand rows at a time; a finished file takes its place at once."""

import csv
import io
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from player.errors import DataError


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


def open_target(path: Path, schema: pa.Schema, as_csv: bool) -> CsvTarget | ParquetTarget:
    """Return what writes the columns of *schema* into the file *path*, as CSV or as Parquet."""
    return CsvTarget(path, schema) if as_csv else ParquetTarget(path, schema)


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
