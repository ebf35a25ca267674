"""What bins do not keep of a column: how many values differ, in which steps they go, and on what a gap depends."""

import numpy as np
import pandas as pd
import pytest

from player.profile.columns import DRAWN, describe_column, describe_shape, group_of, largest_step, missing_by

ROWS = 4000


def described(table: pd.DataFrame) -> dict[str, dict[str, object]]:
    """Return what is kept of each column."""
    kinds = {name: "number" if column.dtype.kind == "f" else "category" for name, column in table.items()}
    return {str(name): describe_column(table[name], kind) for name, kind in kinds.items()}


@pytest.mark.parametrize("values", [np.arange(300.0), np.repeat([1.0, 2.0], 50), np.array([*range(40), *[0] * 360])])
def test_so_many_values_differ_among_the_drawn_rows(values: np.ndarray) -> None:
    """As many as a draw with replacement finds on average."""
    rng = np.random.default_rng(0)
    drawn = [len(np.unique(rng.choice(values, DRAWN))) for _ in range(200)]

    assert np.mean(drawn) == pytest.approx(describe_shape(values)["distinct"], abs=1.0)


def test_quantiles_are_values_of_the_column_from_low_to_high() -> None:
    """Half of them lie below the middle one; a value that is common is kept with its share."""
    found = describe_shape(np.array([*[7.0] * 500, *np.linspace(100, 200, 500)]))

    assert sorted(found["quantiles"]) == found["quantiles"]
    assert 0.5 == np.mean(np.array(found["quantiles"]) == 7.0)
    assert [[7.0, 0.5]] == found["common"]
    assert {} == describe_shape(np.array([]))


def test_the_largest_step_is_kept_though_a_few_values_are_off_it() -> None:
    """Two in a thousand are mistakes of somebody; more are not, and zero is a multiple of everything."""
    values = np.array([*range(0, 5000, 50)] * 10, dtype="float64")

    assert 50.0 == largest_step(values)
    assert 50.0 == largest_step(np.array([*values, 51.5]))
    assert 0.5 == largest_step(np.array([*values, *[51.5] * 20]))
    assert 0.0 == largest_step(np.zeros(5))


@pytest.fixture(name="people", scope="module")
def _people() -> pd.DataFrame:
    """Two columns that know nothing of each other, and two of which the gaps depend on one of them."""
    rng = np.random.default_rng(0)
    age, kind = rng.uniform(0, 100, ROWS), rng.choice(["a", "b"], ROWS)
    return pd.DataFrame({
        "age": age,
        "kind": kind,
        "of age": np.where((age > 60) & (rng.random(ROWS) < 0.7), np.nan, rng.normal(size=ROWS)),
        "of kind": np.where((kind == "a") & (rng.random(ROWS) < 0.5), np.nan, rng.normal(size=ROWS)),
        "by chance": np.where(rng.random(ROWS) < 0.3, np.nan, rng.normal(size=ROWS)),
    })  # fmt: skip


def test_a_gap_is_explained_by_the_feature_it_depends_on(people: pd.DataFrame) -> None:
    """With the share that is missing in each of its groups."""
    features = described(people)
    age, kind = (missing_by(name, people, features)["missing_by"] for name in ("of age", "of kind"))

    assert ("age", "kind") == (age["feature"], kind["feature"])
    assert {"a": pytest.approx(0.5, abs=0.05), "b": 0.0} == kind["shares"]
    assert [0.0, 0.0, 0.7] == pytest.approx([age["shares"][group] for group in ("0", "4", "9")], abs=0.1)


@pytest.mark.parametrize("name", ["by chance", "age"])
def test_what_is_missing_by_chance_or_never_is_explained_by_nothing(people: pd.DataFrame, name: str) -> None:
    """A feature does not explain itself either."""
    assert {} == missing_by(name, people, described(people))


@pytest.mark.parametrize("present", [0.005, 0.995])
def test_a_gap_that_is_too_rare_or_nearly_all_is_left_alone(people: pd.DataFrame, present: float) -> None:
    """So few rows say nothing, also when they fit."""
    table = people.assign(rare=np.where(people["age"] < people["age"].quantile(present), 1.0, np.nan))

    assert {} == missing_by("rare", table, described(table))


def test_a_group_is_a_bin_a_category_or_a_gap() -> None:
    """A value on an edge belongs above it."""
    number = group_of(pd.Series([0.0, 1.0, 5.0, np.nan]), {"kind": "number", "edges": [1.0, 2.0]})
    category = group_of(pd.Series(["a", None], dtype="object"), {"kind": "category"})

    assert (["0", "1", "2", "(missing)"], ["a", "(missing)"]) == (number.tolist(), category.tolist())
