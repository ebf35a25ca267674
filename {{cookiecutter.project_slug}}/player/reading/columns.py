"""What a column of a table is: a number with its range, a category with its values, or nothing to learn from."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from player.config import DataSettings
from player.reading.cells import as_arrow, as_numbers, clean_column, is_number, is_text, unique
from player.repair import DECIMAL, LARGEST, MAX_TEXT, MISSING, NO, THOUSANDS, YES, Feature, as_text, readings, shorten

MOSTLY = 0.95  # of the cells that are there; a column with so many numbers is one, and the rest is missing
FEWEST_ROWS = 20  # fewer do not show that a column says nothing
NEARLY_UNIQUE, MANY = 0.5, 50  # texts of which so large a share, and so many, differ name a row
EXAMPLES = 5


@dataclass(frozen=True)
class Column:
    """What was found in one column: the *feature*, or why it is *left_out*; and what is odd about it.

    *missing* cells are blank or a word for it, *odd* ones could not be read and are taken as missing. *rows* are
    the first row numbers, counted from 1, and *example* the first of the odd cells.
    """

    name: str
    feature: Feature
    cells: int
    distinct: int
    missing: int = 0
    odd: int = 0
    rows: tuple[int, ...] = ()
    example: str = ""
    notes: tuple[str, ...] = ()
    left_out: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {**asdict(self), "feature": asdict(self.feature) if not self.left_out else None}


def read_columns(table: pd.DataFrame, data: DataSettings) -> list[Column]:
    """Return what stands in each column of the training *table* that is not label, id, time or known afterwards."""
    unavailable = (data.label, data.id, data.time, *data.not_at_request_time)
    return [
        read_column(str(name), table[name], data.missing, name in data.keep, data.fewest_rows)
        for name in table.columns
        if name not in unavailable
    ]


def read_column(name: str, given: pd.Series, words: Iterable[str], keep: bool = False, fewest_rows: int = 1) -> Column:
    """Return what the training column *given* is; *words*, in any case, mean a missing number.

    In a column of texts such a word is a category like any other: NA may be Namibia. With *keep* a column is not
    left out because it is constant, names the rows or numbers them. The range of a number is what at least
    *fewest_rows* reach.
    """
    column = with_numbers(as_arrow(given))
    if pa.types.is_nested(column.type):
        return Column(
            name, Feature(name, "category"), len(column), 0, left_out=f"it holds no single values ({column.type})"
        )
    values, places = unique(column)
    counts = np.bincount(places, minlength=len(values))
    missing_words = tuple(word.strip().lower() for word in words) or MISSING
    if is_number(column):
        found = read_numbers(name, values, counts, missing_words)
    else:
        texts = [None if value is None else as_text(value)[:MAX_TEXT] for value in values]
        found = read_texts(name, texts, counts, places, missing_words)
    reason = "" if keep or len(column) < FEWEST_ROWS else nothing_to_learn(found)
    if found.feature.kind == "number" and fewest_rows > 1:
        read = clean_column(column, found.feature, written=True)[0]
        low, high = bounds(read[~np.isnan(read)], fewest_rows)
        found = replace(found, feature=replace(found.feature, low=low, high=high))
    return replace(found, left_out=reason)


def bounds(values: np.ndarray, fewest_rows: int) -> tuple[float, float]:
    """Return the lowest and highest of *values* that at least *fewest_rows* of them reach; of few values the middle.

    >>> bounds(np.array([5.0, 1.0, 2.0, 9.0, 3.0]), 1), bounds(np.array([5.0, 1.0, 2.0, 9.0, 3.0]), 2)
    ((1.0, 9.0), (2.0, 5.0))
    """
    if len(values) == 0:
        return 0.0, 0.0
    place = min(fewest_rows, (len(values) + 1) // 2)
    ordered = np.sort(values)
    return float(ordered[place - 1]), float(ordered[-place])


def with_numbers(column: pa.Array) -> pa.Array:
    """Return a *column* of texts that are all plain numbers as these numbers, any other one as it is."""
    if not is_text(column) or column.null_count == len(column):
        return column
    numbers = as_numbers(column, written=True)
    plain = np.count_nonzero(np.abs(numbers) <= LARGEST) == len(column) - column.null_count
    return pa.array(numbers, from_pandas=True) if plain else column


def read_numbers(name: str, values: Sequence[Any], counts: np.ndarray, words: tuple[str, ...]) -> Column:
    """Return a column whose type is numeric."""
    numbers = np.array([np.nan if value is None else float(value) for value in values])
    fine = np.abs(numbers) <= LARGEST
    low, high = (float(numbers[fine].min()), float(numbers[fine].max())) if fine.any() else (0.0, 0.0)
    feature = Feature(name, "number", low=low, high=high, missing=words)
    return Column(name, feature, int(counts.sum()), int(fine.sum()), int(counts[~fine].sum()))


def read_texts(
    name: str, texts: Sequence[str | None], counts: np.ndarray, places: np.ndarray, words: tuple[str, ...]
) -> Column:
    """Return a column of texts: a number when nearly every cell reads as one, else a category."""
    blank = np.array([text is None or not text.strip() for text in texts], dtype=bool)
    word = np.array([text is not None and text.strip().lower() in words for text in texts], dtype=bool)
    comma = find_comma([text for text in texts if text is not None])
    numbers = np.array([np.nan if gap else number_in(str(text), comma) for text, gap in zip(texts, blank, strict=True)])
    fine = ~np.isnan(numbers)
    there = counts[~blank & ~word].sum()
    cells = int(counts.sum())
    if fine.any() and counts[fine].sum() >= MOSTLY * there:
        odd = ~fine & ~blank & ~word
        feature = Feature(name, "number", low=float(numbers[fine].min()), high=float(numbers[fine].max()),
                          missing=words, comma=comma)  # fmt: skip
        rows = tuple(int(row) + 1 for row in np.flatnonzero(odd[places])[:EXAMPLES])
        example = shorten(texts[places[rows[0] - 1]]) if rows else ""
        notes = (f"a comma is taken as {comma} mark",) if comma else ()
        return Column(name, feature, cells, int(fine.sum()), int(counts[blank | word & ~fine].sum()),
                      int(counts[odd].sum()), rows, example, notes)  # fmt: skip
    categories = tuple(sorted({str(text) for text, gap in zip(texts, blank, strict=True) if not gap}))
    likely = sorted({str(text) for text, is_word in zip(texts, word, strict=True) if is_word})
    kept = f"{', '.join(likely)}: kept as a category; empty cells alone are missing"
    return Column(name, Feature(name, "category", categories=categories, missing=words), cells, len(categories),
                  int(counts[blank].sum()), notes=(kept,) if likely else ())  # fmt: skip


def number_in(text: str, comma: str) -> float:
    """Return the number that *text* means in a column with such commas; NaN for yes, no and all else."""
    if text.strip().lower() in YES + NO:
        return np.nan
    found = readings(text, comma)
    return found[0] if found and abs(found[0]) <= LARGEST else np.nan


def find_comma(texts: Iterable[str]) -> str:
    """Return what a comma is in the numbers among *texts*: decided over the whole column.

    >>> find_comma(["27,600", "8,100"]), find_comma(["27,6", "8,100"]), find_comma(["27.6"])
    ('thousands', 'decimal', '')
    """
    numbers = [text.strip() for text in texts if "," in text and readings(text)]
    decimal = any(len(n.rpartition(",")[2]) != 3 or n.startswith("0,") or "." in n.partition(",")[0] for n in numbers
                  if n.count(",") == 1 and "." not in n.partition(",")[2])  # fmt: skip
    thousands = any(n.count(",") > 1 or "." in n.partition(",")[2] for n in numbers)
    if decimal:
        return "" if thousands else DECIMAL
    return THOUSANDS if numbers else ""


def nothing_to_learn(column: Column) -> str:
    """Return why *column* is nothing to learn from, or ""."""
    if column.distinct == 0:
        return "it is empty"
    if column.distinct == 1 and not column.missing + column.odd:
        return "it is constant"
    feature = column.feature
    if feature.kind == "category":
        many = column.distinct > MANY and column.distinct > NEARLY_UNIQUE * (column.cells - column.missing)
        return f"nearly every text is another one ({column.distinct:,} in {column.cells:,} rows)" if many else ""
    whole = column.distinct == column.cells and feature.low == int(feature.low) and feature.high == int(feature.high)
    return "it numbers the rows" if whole and feature.high - feature.low == column.cells - 1 else ""


def as_text_column(given: pd.Series) -> pa.Array:
    """Return a pandas column as Arrow text, missing cells as null."""
    column = as_arrow(given)
    if is_text(column):
        return column
    return pa.array([None if cell is None else as_text(cell) for cell in column.to_pylist()], pa.string())
