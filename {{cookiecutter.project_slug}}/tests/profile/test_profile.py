"""What the training data looked like is kept in figures."""

import numpy as np
import pandas as pd
import pytest

from player.features import Schema
from player.profile import describe, describe_column, describe_numbers
from player.repair import Feature


def test_numbers_are_described_by_ten_equal_parts() -> None:
    """Of 0 to 99 nine edges, a tenth between each two, and both ends."""
    found = describe_numbers(np.arange(100.0))

    assert [9.9, 19.8, 89.1] == pytest.approx([*found["edges"][:2], found["edges"][-1]])
    assert [0.1] * 10 == pytest.approx(found["shares"])
    assert (9, 0.0, 99.0) == (len(found["edges"]), found["low"], found["high"])


def test_a_value_on_an_edge_belongs_above_it() -> None:
    """Where one value is frequent, edges fall together and there are fewer bins; the lowest may be empty."""
    assert {"edges": [5.0], "shares": [0.0, 1.0], "low": 5.0, "high": 5.0} == describe_numbers(np.full(4, 5.0))
    assert {"edges": [0.0], "shares": [0.0, 1.0], "low": 0.0, "high": 1.0} == describe_numbers(
        np.array([0.0] * 19 + [1])
    )


def test_no_value_at_all_is_one_bin() -> None:
    """Then nothing can drift."""
    assert {"edges": [], "shares": [1.0], "low": 0.0, "high": 0.0} == describe_numbers(np.array([]))


def test_a_category_is_described_by_its_shares_of_what_is_there() -> None:
    """Missing values are counted apart."""
    found = describe_column(pd.Series(["a", "a", "a", "b", None], dtype="object"), "category")

    assert {"kind": "category", "missing": pytest.approx(0.2), "shares": {"a": 0.75, "b": 0.25}} == found


def test_a_number_is_described_by_its_bins_and_what_is_missing() -> None:
    """A quarter has no value here."""
    found = describe_column(pd.Series([1.0, 1.0, 1.0, np.nan]), "number")

    assert ("number", 0.25, 1.0, 1.0) == (found["kind"], found["missing"], found["low"], found["high"])


def test_the_profile_has_features_label_and_probability() -> None:
    """Shares of the labels are keyed by their text."""
    schema = Schema((Feature("x", "number"),), "y")
    found = describe(pd.DataFrame({"x": [1.0, 2.0]}), schema, np.array([1, 0]), np.array([0.25, 0.75]))

    assert ({"0": 0.5, "1": 0.5}, 2, ["x"]) == (found["label"], found["rows"], list(found["features"]))
    assert (0.25, 0.75) == (found["proba"]["low"], found["proba"]["high"])
    assert schema == Schema.from_dict(found["schema"])
