"""Opens tables as people save them, CSV or Parquet: encoding and separator are recognised where that is safe."""

import codecs
import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
from pyarrow import compute

from player.config import Settings
from player.errors import DataError, TableMissing
from player.settings.remedies import foreign

SUFFIXES = (".csv", ".parquet")
ROWS_AT_ONCE = 100_000
BYTES_AT_ONCE = 4 << 20  # of a CSV file; Arrow reads some 40 times as much ahead
BEGINNING = 1 << 18  # bytes that show how a CSV file is written
SEPARATORS = ",;\t|"
WHOLE = r"^(0|-?[1-9][0-9]{0,14})$"
PLAIN = r"^(0(\.0+)?|-?0\.0{0,3}[1-9][0-9]*|-?[1-9][0-9]{0,14}(\.[0-9]+)?)$"
BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


@dataclass(frozen=True)
class Dialect:
    """How a CSV file is written."""

    encoding: str
    separator: str
    skip: int  # lines before the headings


def read_table(path: Path) -> pd.DataFrame:
    """Return all rows of a CSV or Parquet file; raises DataError for no table.

    A column of a CSV file that holds plain numbers only is one of numbers. Every other one stays text as it is
    written, gaps as NaN: what its cells mean is decided by `read_column`.
    """
    table = pa.Table.from_batches(list(read_batches(path)))
    if not table.num_rows:
        raise DataError(f"{path} has no rows.")
    if is_csv(path):
        table = pa.table({name: as_plain(table[name]) for name in table.column_names})
    frame: pd.DataFrame = table.to_pandas()
    return frame


def read_own_table(settings: Settings) -> pd.DataFrame:
    """Return the project's own training table; raises DataError, with how to make it when it is gone."""
    try:
        return read_table(settings.path(settings.data.train))
    except TableMissing as missing:
        raise TableMissing(f"{missing} `customer data` makes that of the game, [data].train names another.") from None


def as_plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a *column* of text as numbers when it holds nothing else, and nothing is lost by that.

    Neither 01 nor 2.50 are plain numbers, nor is one of twenty digits: each may be a code that must stay as it is, and
    1.000 may be a thousand.
    """
    for pattern, kind in ((WHOLE, pa.int64()), (PLAIN, pa.float64())):
        if column.null_count < len(column) and compute.all(compute.match_substring_regex(column, pattern)).as_py():
            numbers = column.cast(kind)
            back = compute.replace_substring_regex(column, r"\.0$", "")
            if compute.all(compute.equal(numbers.cast(pa.string()), back)).as_py():
                return numbers
    return column


def read_batches(source: Path) -> Iterator[pa.RecordBatch]:
    """Yield an empty batch, which shows the columns, then the rows of *source*; raises DataError for no table."""
    check_name(source)
    try:
        schema, batches = open_csv(source) if is_csv(source) else open_parquet(source)
        names = [name if name.strip() else f"Unnamed: {place}" for place, name in enumerate(schema.names)]
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            raise DataError(f"{source} has two columns of the same name ({twice[0]!r}); rename one.")
        schema = pa.schema([field.with_name(name) for field, name in zip(schema, names, strict=True)])
        yield pa.RecordBatch.from_pylist([], schema=schema)
        for batch in batches:
            yield pa.RecordBatch.from_arrays(batch.columns, schema=schema)
    except FileNotFoundError:
        raise TableMissing(f"{source} does not exist.") from None
    except PermissionError:
        raise DataError(f"{source} cannot be read: {foreign(source)}.") from None
    except (pa.ArrowException, OSError, UnicodeError) as error:
        raise DataError(f"{source} cannot be read as a table: {explain(error)}") from None


def check_name(source: Path) -> None:
    """Raise DataError when *source* is a folder, or its name does not say which kind of table it is."""
    if source.is_dir():
        raise DataError(f"{source} is a folder; name one of the files in it.")
    if not is_table(source):
        raise DataError(
            f"{source} must be a file that ends in .csv or .parquet; a spreadsheet saves one as 'CSV UTF-8'."
        )


def is_table(path: Path) -> bool:
    """Tell whether *path* is named as a file that can be read and written here, in small letters or in capitals."""
    return path.suffix.lower() in SUFFIXES


def is_csv(source: Path) -> bool:
    """Tell whether *source* is named as a CSV file; else it is a Parquet file."""
    return source.suffix.lower() == ".csv"


def explain(error: Exception) -> str:
    """Return what Arrow's *error* says to a person, and what can be done."""
    said = str(error).splitlines()[0]
    if "Empty CSV" in said:
        return "it is empty"
    if "UTF8" in said:
        return f"{said}; save it again as UTF-8, in a spreadsheet as 'CSV UTF-8'"
    if "Expected" in said and "columns" in said:
        return f"{said}; a separator, a quote or a decimal comma in this row is not as in the first ones"
    return said


def open_csv(source: Path) -> tuple[pa.Schema, Any]:
    """Return columns and rows of a CSV file; every cell is text, an empty one is null."""
    dialect = find_dialect(source)
    read = pc.ReadOptions(block_size=BYTES_AT_ONCE, encoding=dialect.encoding, skip_rows=dialect.skip)
    parse = pc.ParseOptions(delimiter=dialect.separator, newlines_in_values=True)
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


def find_dialect(source: Path) -> Dialect:
    """Return how the CSV file *source* is written; raises DataError when it cannot be told safely."""
    with source.open("rb") as file:
        beginning = file.read(BEGINNING)
    encoding = next((name for bom, name in BOMS.items() if beginning.startswith(bom)), "utf-8")
    text = decode(beginning, encoding, source)
    skip = 1 if text.lower().startswith("sep=") else 0
    lines = text.splitlines()[skip : skip + 50]
    if len(beginning) == BEGINNING:
        lines = lines[:-1] or lines  # the last one may be cut
    if skip:
        return Dialect(encoding.removesuffix("-sig"), text[4:5], skip)
    return Dialect(encoding.removesuffix("-sig"), find_separator(lines), skip)


def decode(beginning: bytes, encoding: str, source: Path) -> str:
    """Return the text of *beginning*, whose last letter may be cut; raises DataError when it is written otherwise."""
    try:
        return codecs.getincrementaldecoder(encoding)().decode(beginning)
    except UnicodeDecodeError as error:
        line = beginning[: error.start].count(b"\n") + 1
        raise DataError(
            f"{source} is not written in UTF-8 (line {line}); save it again as UTF-8, in a spreadsheet as 'CSV UTF-8'."
        ) from None


def find_separator(lines: list[str]) -> str:
    """Return what stands between the cells of *lines*: what cuts most of them into equally many, and more than one.

    >>> find_separator(["a;b", "1,5;2,5"]), find_separator(["a,b", "1,2"]), find_separator(["a"])
    (';', ',', ',')
    """
    best, most = ",", (0.0, 0)
    for separator in SEPARATORS:
        widths = [len(row) for row in csv.reader(lines, delimiter=separator) if row]
        if widths and widths[0] > 1:
            alike = sum(width == widths[0] for width in widths) / len(widths)
            if (alike, widths[0]) > most:
                best, most = separator, (alike, widths[0])
    return best


def rows_in(source: Path) -> int:
    """Return how many rows *source* has: of a CSV file about how many, judged by its beginning; 0 when it is broken."""
    try:
        if not is_csv(source):
            return int(pq.read_metadata(source).num_rows)
        with source.open("rb") as file:
            beginning = file.read(1 << 20)
        return round(beginning.count(b"\n") * source.stat().st_size / max(len(beginning), 1))
    except (pa.ArrowException, OSError):  # what reads it will say so
        return 0
