"""Whole columns are read as cells are, one by one."""

import json
from dataclasses import asdict
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

from player.features import clean
from player.reading.cells import as_arrow, clean_column, unique
from player.repair import Feature, repair

INCOME = Feature("income", "number", low=8_000, high=90_000, missing=("na", "-"))
HOME = Feature("home", "category", categories=("NA", "Rent"), missing=("na", "-"))


@pytest.mark.parametrize("feature", [INCOME, HOME])
@pytest.mark.parametrize(
    "cells",
    [
        ["27,600", "NA", "-", "rent ", "Rent", "", None, "yes", "1e400", "9" * 300],
        [True, False, None],
        [1.5, None, float("inf"), -0.0],
        [10**17, 3, -1],
        [Decimal("27600.50"), None],
        [[1.0], [2.0, 3.0], None],
        [b"\xff", b"42"],
    ],
)
def test_a_column_is_read_as_its_cells_are(feature: Feature, cells: list[Any]) -> None:
    """Values and warnings are those of `repair`."""
    column = as_arrow(pd.Series(cells, dtype="object"))

    values, codes, warnings = clean_column(column, feature)

    one_by_one = [repair(cell, feature) for cell in column.to_pylist()]
    assert [None if pd.isna(value) else value for value in values] == [value for value, _ in one_by_one]
    assert ["", *warnings] == sorted({"", *(warning for _, warning in one_by_one)})
    assert [["", *warnings][code] for code in codes] == [warning for _, warning in one_by_one]


def test_a_decimal_type_is_a_number() -> None:
    """A database's exact decimals do not become categories."""
    values, _, warnings = clean_column(as_arrow(pd.Series([Decimal("27600.50")])), INCOME)

    assert (27_600.5, []) == (values[0], warnings)


def test_what_is_of_several_kinds_becomes_text() -> None:
    """A column with a word among numbers is read cell by cell."""
    assert ["1", "x", None, "2"] == as_arrow(pd.Series([1, "x", None, 2.0], dtype="object")).to_pylist()


def test_the_different_values_come_once() -> None:
    """Also a missing one has a place."""
    values, places = unique(as_arrow(pd.Series(["a", None, "a"])))

    assert (["a", None], [0, 1, 0]) == (values, places.tolist())


def test_an_ambiguous_number_is_the_one_in_the_range_seen_in_training() -> None:
    """27,600 is 27600 where incomes are 8,000 to 90,000, and the warning names the conversion."""
    assert ({"income": 27_600.0}, ["income: number given as text (27,600 is 27600)"]) == clean(
        {"income": "27,600"}, schema_of(INCOME)
    )


def test_an_ambiguous_number_that_may_be_both_is_missing() -> None:
    """Where both readings lie in the range nobody guesses."""
    both = Feature("income", "number", low=0, high=90_000)
    row, warnings = clean({"income": "27,600"}, schema_of(both))

    assert row == {"income": None}
    assert "could be two numbers (27600 or 27.6), taken as missing" in warnings[0]


def test_a_feature_read_from_json_is_the_one_that_was_written() -> None:
    """Whoever makes it: an older `features.py` hands over its lists as they come."""
    home = Feature("home", "category", categories=("owner", "rent"))
    plain = json.loads(json.dumps(asdict(home)))

    assert home == Feature.from_dict(plain) == Feature(**plain)
    assert 1 == len({home, Feature(**plain)})


def schema_of(feature: Feature) -> Any:
    """Return a schema of one feature."""
    from player.features import Schema

    return Schema((feature,), label="y")
