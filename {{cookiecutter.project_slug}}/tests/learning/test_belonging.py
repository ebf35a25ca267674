"""A row of another table is told apart by the names in it."""

from types import SimpleNamespace
from typing import Any

import pytest
from older import LEAVES_OUT

from player.features import Schema
from player.learning.belonging import is_of_table
from player.repair import Feature

SCHEMA = Schema((Feature("age", "number"), Feature("home", "category")), "repaid", ("repaid", "months_in_arrears"))
COLOR = {"left_out": {"color": "constant"}}
WITH_LEFT_OUT: Any = (
    Schema(**vars(SCHEMA) | COLOR) if LEAVES_OUT else SimpleNamespace(**vars(SCHEMA) | COLOR, names=SCHEMA.names)
)


@pytest.mark.parametrize(
    ("names", "fits"),
    [
        ("age", True),
        ("age more odd ones", True),
        ("other", False),
        ("months_in_arrears other", True),
        ("months_in_arrears two others", False),
        ("color other", True),
        ("", True),
    ],
)
def test_it_has_half_of_the_features_or_half_of_its_own_are_known(names: str, fits: bool) -> None:
    """As unavailable, or as left out."""
    assert is_of_table(dict.fromkeys(names.split()), WITH_LEFT_OUT) is fits


@pytest.mark.parametrize("raw", [None, [], "age", 3, ["age"]])
def test_what_is_no_row_is_none_of_this_table(raw: Any) -> None:
    """An erased request has no features any more."""
    assert not is_of_table(raw, SCHEMA)


def test_a_schema_of_the_first_projects_leaves_nothing_out() -> None:
    """Their own features.py stays when the rest is updated."""
    old: Any = SimpleNamespace(features=SCHEMA.features, names=SCHEMA.names, unavailable=SCHEMA.unavailable)

    assert (True, False) == (is_of_table({"age": 1}, old), is_of_table({"other": 1, "color": 2}, old))
