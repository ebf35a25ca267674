"""One function maps a label to a class; what it cannot map is no class, and touches no other label."""

from typing import Any

import pandas as pd
import pytest
from conftest import PROJECT

from player.errors import DataError
from player.reading.files import read_table
from player.reading.labels import Labels, check_classes, known_labels, read_label_column, same_label
from player.training import as_classes

CASES = PROJECT / "tests" / "cases"


@pytest.mark.parametrize("label", [1, 1.0, "1", "1.0", " 1 ", True, "true", "True"])
def test_one_class_has_many_spellings(label: Any) -> None:
    """Whatever sender, type or file a label comes from, it is the class 1."""
    assert 1 == Labels([0, 1]).read(label)


@pytest.mark.parametrize("label", ["yes", 2, "01", None, "", [1], {"a": 1}, 0.5, float("nan"), 10**400])
def test_what_is_no_class_is_none(label: Any) -> None:
    """No guess: the label is unknown."""
    assert Labels([0, 1]).read(label) is None


def test_truth_values_are_read_from_numbers() -> None:
    """Classes True and False take 1 and 0."""
    assert [True, False, None] == [Labels([False, True]).read(label) for label in (1, "0.0", 2)]


def test_truth_is_no_number_among_three_classes() -> None:
    """Only where the classes are 0 and 1 is true the 1."""
    assert Labels([0, 1, 2]).read(True) is None


def test_a_foreign_label_never_touches_the_others() -> None:
    """One "yes" among 0 and 1 leaves every other label the class it is; before, 1 became 1.0 and matched nothing."""
    labels = pd.Series([0, 1, "yes", 1, None, 1.0], dtype="object")

    assert [0, 1, None, 1, None, 1] == Labels([0, 1]).read_all(labels).tolist()


def test_what_counts_nowhere_is_named_with_count_and_example() -> None:
    """The sentence for the dashboard and `player monitor`."""
    rows, sentence = known_labels(pd.DataFrame({"label": pd.Series([1, "yes", None, "no"], dtype="object")}), [0, 1])

    assert [1, None, None, None] == rows["label"].tolist()
    assert "2 labels are no class of the model (0, 1), for example no; they count nowhere." == sentence


@pytest.mark.parametrize(
    ("name", "classes"),
    [
        ("labels-01-02", {"01", "02"}),
        ("none-is-a-class", {"None", "paid"}),
        ("float-label", {0, 1}),
        ("bool-label-with-gap", {True, False}),
    ],
)
def test_a_label_is_taken_as_it_is_written(name: str, classes: set[Any]) -> None:
    """01 is not 1, None is a word, 1.0 is 1, and a gap is no class."""
    labels = read_label_column(read_table(CASES / f"{name}.csv"), "repaid")
    known = labels[labels.notna()]

    assert classes == set(known)
    assert {type(one) for one in classes} == {type(one) for one in as_classes(known).tolist()}


def test_halves_are_refused_with_the_remedy() -> None:
    """2.5, 3.0 and 3.5 may be classes or a number to predict: the sentence says what to do."""
    with pytest.raises(DataError, match=r"numbers with fractions \(2.5, 3, 3.5\).*write them as words"):
        read_label_column(read_table(CASES / "half-labels.csv"), "repaid")


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([1] * 9, "only the value 1"),
        ([None] * 9, "no value"),
        (list(range(101)) * 5, "holds 101 values"),
        ([0, 1] * 9 + [2], "The class 2 of 'y' has 1 rows; 5 are needed"),
    ],
)
def test_classes_that_cannot_be_learned_are_named(labels: list[Any], said: str) -> None:
    """Too few classes, too many, or one with too few rows."""
    with pytest.raises(DataError, match=said):
        check_classes(pd.Series(labels, dtype="object"), "y")


def test_lists_are_no_labels() -> None:
    """Nested labels of a Parquet file are refused."""
    with pytest.raises(DataError, match="holds no single values"):
        read_label_column(pd.DataFrame({"y": [[0], [1]]}), "y")


def test_two_labels_are_the_same_whatever_their_type() -> None:
    """As an answer and a truth are compared."""
    assert same_label("1.0", 1)
    assert not same_label("01", 1)
