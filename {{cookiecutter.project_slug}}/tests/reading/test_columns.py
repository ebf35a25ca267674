"""What a column is, is decided over the whole of it, and what does not fit is counted and shown."""

import pandas as pd
import pytest
from conftest import PROJECT

from player.reading.columns import find_comma, read_column
from player.reading.files import read_table
from player.repair import DECIMAL, THOUSANDS

CASES = PROJECT / "tests" / "cases"
WORDS = ("na", "n/a", "-", "null", "none")


def column(cells: list[object], **more: bool) -> object:
    """Return what `read_column` finds in *cells*."""
    return read_column("x", pd.Series(cells, dtype="object"), WORDS, **more)


def test_one_text_among_numbers_makes_no_categories() -> None:
    """`unknown` among 240 incomes: a number, and the one cell is named with its row."""
    found = read_column("income", read_table(CASES / "one-text.csv")["income"], WORDS)

    assert ("number", 1, "unknown", (18,)) == (found.feature.kind, found.odd, found.example, found.rows)
    assert (18_000, 64_500) == (found.feature.low, found.feature.high)


@pytest.mark.parametrize(("texts", "kind"), [(0, "number"), (5, "number"), (6, "category"), (99, "category")])
def test_nearly_all_cells_must_be_numbers(texts: int, kind: str) -> None:
    """At least 95 in 100 of those that are there; empty ones and words for it do not count."""
    cells = [*(str(number) for number in range(100 - texts)), *(f"text {number}" for number in range(texts))]

    assert kind == column([*cells, *["", None, "NA"] * 50]).feature.kind


def test_namibia_is_a_category() -> None:
    """`NA` among texts is kept, and the note says so; only an empty cell is missing."""
    found = read_column("country", read_table(CASES / "country-na.csv")["country"], WORDS)

    assert "NA" in found.feature.categories
    assert "NA: kept as a category" in found.notes[0]
    assert 0 == found.missing


def test_a_word_among_numbers_is_missing() -> None:
    """`NA`, `n/a` and an empty cell are missing numbers, not odd ones."""
    found = column(["1", "2", "NA", "n/a", "", None, *"34567"] * 4)

    assert ("number", 16, 0) == (found.feature.kind, found.missing, found.odd)


def test_thousands_are_thousands() -> None:
    """27,600 is 27600 in a column where every comma stands before three digits."""
    found = read_column("income", read_table(CASES / "thousands.csv")["income"], WORDS)

    assert (THOUSANDS, 18_000, 64_500) == (found.feature.comma, found.feature.low, found.feature.high)


@pytest.mark.parametrize(
    ("texts", "comma"),
    [
        (["27,600", "8,100"], THOUSANDS),
        (["27,600", "8,1"], DECIMAL),
        (["1.234,5", "2,500"], DECIMAL),
        (["1,234.5", "2,500"], THOUSANDS),
        (["0,125"], DECIMAL),
        (["1,234,567"], THOUSANDS),
        (["1,5", "1,234,567"], ""),
        (["27.6"], ""),
    ],
)
def test_what_a_comma_is_is_decided_over_the_whole_column(texts: list[str], comma: str) -> None:
    """One cell that allows a single reading decides for all; two that contradict each other decide nothing."""
    assert comma == find_comma(texts)


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        ([None] * 30, "it is empty"),
        ([7] * 30, "it is constant"),
        (["a"] * 30, "it is constant"),
        (list(range(30)), "it numbers the rows"),
        ([f"K{i}" for i in range(60)], "nearly every text is another one (60 in 60 rows)"),
        ([[1], [2]] * 15, "it holds no single values (list<item: int64>)"),
    ],
)
def test_what_says_nothing_is_left_out_with_the_reason(cells: list[object], why: str) -> None:
    """Empty, constant, a number or a name of the row, nested."""
    assert why == column(cells).left_out


@pytest.mark.parametrize("cells", [[7] * 30, list(range(30)), [f"K{i}" for i in range(60)]])
def test_a_column_that_was_asked_for_is_kept(cells: list[object]) -> None:
    """`[data].keep` is stronger than every rule."""
    assert "" == column(cells, keep=True).left_out


@pytest.mark.parametrize("cells", [[7, 7, 7, None] * 10, [*range(29), 40], [0, 1] * 15])
def test_what_may_say_something_is_kept(cells: list[object]) -> None:
    """A constant with gaps, whole numbers with a jump, two values."""
    assert "" == column(cells).left_out


def test_codes_of_digits_are_numbers_with_their_range() -> None:
    """2.50 and 007 are read like any number."""
    found = column(["2.50", "007"] * 20)

    assert ("number", 2.5, 7.0) == (found.feature.kind, found.feature.low, found.feature.high)
