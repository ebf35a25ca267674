"""A file whose headings are not the model's gets no column of equal answers."""

import logging
from pathlib import Path

import pytest
from conftest import PROJECT

from player.batch.headings import check_headings, nearest
from player.errors import DataError
from player.reading.files import read_batches

WANTED = ["age", "income", "country"]
SOURCE = Path("in.csv")


def test_headings_in_capitals_are_refused_with_the_names_to_change() -> None:
    """All rows would have the same answer, with exit code 0 and a summary like that of a perfect file."""
    upper = PROJECT / "tests" / "cases" / "upper-headings.csv"

    with pytest.raises(DataError, match="lacks 3 of the model's columns; rename 'AGE' to 'age', 'INCOME' to 'income'"):
        check_headings(upper, next(read_batches(upper)).schema.names, WANTED)


def test_a_file_with_none_of_the_columns_is_refused() -> None:
    """Both lists of names are shown."""
    with pytest.raises(DataError, match=r"none of the model's columns \(age, income, country\); its own are x, y"):
        check_headings(SOURCE, ["x", "y"], WANTED)


def test_of_many_columns_the_first_eight_are_named() -> None:
    """A sentence, not a page."""
    with pytest.raises(DataError) as refused:
        check_headings(SOURCE, [f"x{number}" for number in range(10)], [f"y{number}" for number in range(10)])

    names = str(refused.value).replace(")", ",").replace(".", ",")
    assert all(f"{kind}7," in names and f"{kind}8," not in names for kind in "xy")


def test_an_absent_column_is_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    """It is not said for each row alone."""
    with caplog.at_level(logging.WARNING):
        check_headings(SOURCE, ["age", "income", "id"], WANTED)

    assert ["in.csv has no column country: taken as missing in every row"] == [one.message for one in caplog.records]


def test_the_same_headings_are_no_news(caplog: pytest.LogCaptureFixture) -> None:
    """Columns beside them are nobody's business here."""
    check_headings(SOURCE, [*WANTED, "id"], WANTED)

    assert [] == caplog.records


@pytest.mark.parametrize(("name", "other", "found"), [("age", "Age ", True), ("loan_amount", "loan-amount", True),
                                                      ("income", "incone", False), ("age", "wage", False)])  # fmt: skip
def test_only_another_spelling_is_near(name: str, other: str, found: bool) -> None:
    """A short name one letter off may be another column."""
    assert (other if found else "") == nearest(name, [other])


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
def test_the_nearest_of_several_is_found(name: str, others: list[str], found: str) -> None:
    """The same letters and digits first, then those that nearly are."""
    assert found == nearest(name, others)
