"""A file whose columns are called a little differently is named before it is scored."""

from pathlib import Path

import pytest

from player.batch.headings import check_headings, nearest
from player.errors import DataError

SOURCE = Path("in.csv")


def test_another_spelling_is_named_with_the_right_one() -> None:
    """Nothing is scored: all rows would lack a value that is there."""
    with pytest.raises(DataError, match=r"in\.csv lacks 2 of the model's columns; rename 'Age' to 'age', or leave"):
        check_headings(SOURCE, ["Age", "home"], ["age", "income", "home"])


def test_a_file_of_another_kind_is_refused() -> None:
    """Every row would get the same answer."""
    with pytest.raises(DataError, match=r"has none of the model's columns \(age, home\); its own are x, y\."):
        check_headings(SOURCE, ["x", "y"], ["age", "home"])


def test_a_column_that_is_not_there_is_missing_in_every_row(caplog: pytest.LogCaptureFixture) -> None:
    """One line says so; a file with all columns needs none, whatever else it has."""
    check_headings(SOURCE, ["age", "home", "ages"], ["age", "home"])
    assert not caplog.messages

    check_headings(SOURCE, ["age"], ["age", "home"])
    assert ["in.csv has no column home: taken as missing in every row"] == caplog.messages


def test_a_heading_that_is_a_feature_itself_is_no_misspelling() -> None:
    """`incomes` is asked for under its own name."""
    check_headings(SOURCE, ["incomes"], ["income", "incomes"])


@pytest.mark.parametrize(
    ("name", "others", "found"),
    [
        ("loan_amount", ["x", "loanamuont", "y"], "loanamuont"),
        ("loan_amount", ["loan_amounts", "LOAN-AMOUNT"], "LOAN-AMOUNT"),
        ("age", ["x"], ""),
        ("age", [], ""),
    ],
)
def test_the_nearest_spelling_is_found(name: str, others: list[str], found: str) -> None:
    """The same letters and digits first, then those that nearly are."""
    assert found == nearest(name, others)
