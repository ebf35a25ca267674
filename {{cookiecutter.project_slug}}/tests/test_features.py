"""Any JSON object becomes one clean row, and every repair is named."""

import math
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from player.config import DataSettings
from player.errors import DataError
from player.features import Schema, clean, clean_table, read_schema, to_table
from player.repair import Feature, repair

AGE = Feature("age", "number", low=18, high=90)
HOME = Feature("home", "category", categories=("owner", "rent"))
SCHEMA = Schema((AGE, HOME), label="repaid", unavailable=("repaid", "months_in_arrears"))
DATA = DataSettings(train="", label="repaid", id="id", time="day", not_at_request_time=("months_in_arrears",))


def test_the_schema_is_read_from_the_table() -> None:
    """Numbers get their range, texts their categories; label, id, time and what is known afterwards stay out."""
    table = pd.DataFrame({
        "id": [1, 2], "day": ["a", "b"], "age": [18, 90], "home": ["rent", "owner"],
        "months_in_arrears": [0, 3], "repaid": [1, 0],
    })  # fmt: skip

    schema = read_schema(table, DATA)

    assert schema.features == (AGE, HOME)
    assert schema == Schema.from_dict(schema.to_dict())


def test_a_table_without_features_is_refused() -> None:
    """A table that holds nothing but the label cannot be learned from."""
    with pytest.raises(DataError, match="no feature columns"):
        read_schema(pd.DataFrame({"repaid": [1, 0]}), DATA)


def test_a_good_request_needs_no_repair() -> None:
    """Values as in training pass unchanged, whatever their order."""
    assert clean({"home": "rent", "age": 42}, SCHEMA) == ({"age": 42.0, "home": "rent"}, [])


@pytest.mark.parametrize(
    ("value", "number", "warned"),
    [
        ("42", 42.0, "number given as text"),
        (" 42,5 ", 42.5, "number given as text"),
        ("1.234,5", 1234.5, "outside the range"),
        (True, 1.0, "outside the range"),
        ("yes", 1.0, "outside the range"),
        ([42], 42.0, "taken out of a list"),
        (120, 120.0, "outside the range"),
        (None, None, "missing"),
        (math.nan, None, "not a finite"),
        (math.inf, None, "not a finite"),
        (10**400, None, "not a finite"),
        ("abc", None, "not a number"),
        ("", None, "missing"),
        (" Null ", None, "no value (Null), taken as missing"),
        ("\ud800", None, "not a number"),
        ("9" * 1_000_000, None, "not a finite"),
        ([1, 2], None, "not a single value"),
        ({"a": 1}, None, "not a single value"),
    ],
)
def test_an_odd_number_is_repaired_and_named(value: Any, number: float | None, warned: str) -> None:
    """An odd value becomes a number or missing, and the warning says which feature and why."""
    row, warnings = clean({"age": value, "home": "rent"}, SCHEMA)

    assert number == row["age"]
    assert len(warnings) == 1
    assert warnings[0].startswith("age: ")
    assert warned in warnings[0]


def test_a_number_as_text_is_a_repair_unless_all_is_text() -> None:
    """In a request it is worth a word; in a CSV file or a query it cannot be otherwise."""
    age = Feature("age", "number", 18, 100)

    assert (42.0, "number given as text") == repair("42", age)
    assert (42.0, "") == repair("42", age, written=True)
    assert ({"age": 42, "home": None}, ["home: missing"]) == clean({"age": "42"}, SCHEMA, written=True)
    assert "age: number given as text" in clean({"age": "42"}, SCHEMA)[1]


@pytest.mark.parametrize(
    ("value", "category", "warned"),
    [
        (" Rent ", "rent", "spelling repaired"),
        ("castle", "castle", "unseen category (castle)"),
        ("x\n\x1b" * 100_000, ("x\n\x1b" * 100_000)[:200], "unseen category"),
        (7, "7", "unseen category (7)"),
        ("\ud800", "?", "unseen category"),
        ("", None, "missing"),
        ("none", None, "no value (none), taken as missing"),
        (math.nan, None, "missing"),
        (None, None, "missing"),
    ],
)
def test_an_odd_category_is_repaired_and_named(value: Any, category: str | None, warned: str) -> None:
    """An odd category becomes a known one, stays as unseen, or is missing; the warning is one printable line."""
    row, warnings = clean({"age": 42, "home": value}, SCHEMA)

    assert category == row["home"]
    assert warned in warnings[0]
    assert warnings[0].isprintable()


def test_missing_and_extra_columns_are_named() -> None:
    """What is missing is missing, what nobody knows is ignored, both are said; the label is no news."""
    row, warnings = clean({"months_in_arrears": 3, "colour": "red"}, SCHEMA)

    assert row == {"age": None, "home": None}
    assert warnings == ["age: missing", "home: missing", "ignored: colour"]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.fixed_dictionaries({}, optional={"age": anything, "home": anything, "other": anything}))
def test_any_object_becomes_a_row_a_pipeline_can_take(raw: dict[str, Any]) -> None:
    """Whatever JSON holds, the row has each feature once, as a finite number, a text or missing."""
    row, _ = clean(raw, SCHEMA)
    table = to_table([row], SCHEMA)

    assert list(table.columns) == ["age", "home"]
    assert str(table["age"].dtype) == "float64"
    assert not math.isinf(table["age"].iloc[0])
    assert isinstance(table["home"].iloc[0], str) or math.isnan(table["home"].iloc[0])


def test_a_table_is_cleaned_like_its_rows() -> None:
    """A whole table and its rows one by one give the same clean table, so training and serving cannot differ."""
    raw = pd.DataFrame({"home": ["rent", None, " OWNER", 7], "age": ["42", 30, None, math.inf], "extra": [1, 2, 3, 4]})

    one_by_one = to_table([clean(row, SCHEMA)[0] for row in raw.to_dict("records")], SCHEMA)

    pd.testing.assert_frame_equal(one_by_one, clean_table(raw, SCHEMA))
