"""How the features go together, and what a model gets wrong already in training."""

import numpy as np
import pandas as pd
import pytest

from player.features import Schema
from player.profile import Honest, describe
from player.profile.columns import describe_column
from player.profile.together import (
    RARE,
    calibration_line,
    corrected,
    describe_together,
    encode,
    logit,
    normal_scores,
    number_columns,
    scale,
    unexplained,
)
from player.repair import Feature

ROWS = 6000


@pytest.fixture(name="table", scope="module")
def _table() -> pd.DataFrame:
    """A number, a number that follows it, a number with gaps, and a category with a rare value."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=ROWS)
    return pd.DataFrame({
        "x": x,
        "like x": x + 0.3 * rng.normal(size=ROWS),
        "gaps": np.where(rng.random(ROWS) < 0.2, np.nan, rng.normal(size=ROWS)),
        "kind": rng.choice(["a", "b", "rare"], ROWS, p=[0.6, 0.395, 0.005]),
    })  # fmt: skip


@pytest.fixture(name="profile", scope="module")
def _profile(table: pd.DataFrame) -> dict[str, object]:
    """What is kept of that table; the model is honest."""
    kinds = {"x": "number", "like x": "number", "gaps": "number", "kind": "category"}
    features = {name: describe_column(table[name], kind) for name, kind in kinds.items()}
    return {"features": features, "together": describe_together(table, features), "calibration": {"line": [0.0, 1.0]}}


def draw(chance: np.ndarray, seed: int = 2) -> np.ndarray:
    """Return what came true with that *chance*."""
    return (np.random.default_rng(seed).random(len(chance)) < chance).astype("float64")


def test_a_number_becomes_its_normal_score_and_its_thirds(table: pd.DataFrame, profile: dict[str, object]) -> None:
    """A gap is in no third and has the score of the middle; only where there are gaps they have a column."""
    columns, names = encode(table, profile["features"])
    at = {name: columns[:, place] for place, name in enumerate(names)}

    assert (0.0, 1.0) == pytest.approx((at["x", ""].mean(), at["x", ""].std()), abs=0.02)
    assert 0.99 < np.corrcoef(at["x", ""], table["x"])[0, 1]
    assert [1 / 3] * 2 == pytest.approx([at["x", part].mean() for part in ("low", "high")], abs=0.01)
    assert at["x", "low"][table["x"].argmin()] == at["x", "high"][table["x"].argmax()] == 1.0
    gone = table["gaps"].isna()
    assert gone.tolist() == at["gaps", "missing"].astype(bool).tolist()
    assert not np.any([at["gaps", part][gone] for part in ("", "low", "high")])
    assert ("x", "missing") not in at


def test_a_category_has_a_column_for_each_value_that_is_not_rare(
    table: pd.DataFrame, profile: dict[str, object]
) -> None:
    """Where a row has it, 1."""
    columns, names = encode(table, profile["features"])

    assert [("kind", "a"), ("kind", "b")] == [name for name in names if name[0] == "kind"]
    assert (table["kind"] == "a").tolist() == columns[:, names.index(("kind", "a"))].astype(bool).tolist()
    assert 0.005 < RARE


def test_equal_values_have_the_middle_of_their_ranks() -> None:
    """The scores are those of the normal distribution; what lies outside has the last one."""
    known = {"quantiles": [1.0, 2.0, 2.0, 3.0], "edges": [], "missing": 0.0}
    [(_, scores)] = number_columns(pd.Series([0.0, 1.0, 2.0, 3.0, 9.0]), known, thirds=False)

    assert [-1.15, -1.15, 0.0, 1.15, 1.15] == pytest.approx(scores.tolist(), abs=0.01)
    assert normal_scores(4).tolist() == pytest.approx((-normal_scores(4)[::-1]).tolist())


def test_a_number_that_hardly_varies_or_has_no_value_says_nothing() -> None:
    """It has no column, or one in which a new value is nothing special."""
    values = pd.Series([5.0] * 99 + [6.0])
    assert [] == number_columns(values, describe_column(values, "number"), thirds=True)

    empty = describe_column(pd.Series([np.nan] * 3, dtype="float64"), "number")
    columns = dict(number_columns(pd.Series([np.nan, 0.0]), empty, thirds=True))
    assert [0.0, 0.0] == columns[""].tolist()
    assert [1.0, 0.0] == columns["missing"].tolist()


def test_what_goes_together_is_kept_as_a_correlation(table: pd.DataFrame, profile: dict[str, object]) -> None:
    """Of each column with itself 1; and columns are scaled by what training was."""
    together = profile["together"]
    names = [tuple(name) for name in together["columns"]]
    correlation = np.array(together["correlation"])
    x, like, gaps = (names.index((name, "")) for name in ("x", "like x", "gaps"))

    assert 1.0 == pytest.approx(correlation[x, x], abs=1e-4)
    assert 0.9 < correlation[x, like] < 1.0
    assert abs(correlation[x, gaps]) < 0.05
    scaled = scale(table, profile)
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=0.01)
    np.testing.assert_allclose(scaled.std(axis=0), 1, atol=0.05)


def test_an_honest_model_leaves_nothing_unexplained(table: pd.DataFrame, profile: dict[str, object]) -> None:
    """What chance alone brings is taken off; so few rows that only chance is left say nothing."""
    proba = np.clip(corrected(np.full(ROWS, 0.5), [0.0, 1.0]) + 0.1 * np.tanh(table["x"].to_numpy()), 0, 1)

    assert max(np.abs(unexplained(table, profile, proba, draw(proba)))) < 0.02
    often = [np.any(unexplained(table, profile, proba, draw(proba, seed))) for seed in range(10)]
    assert 0 < sum(often) < 10  # chance brings more than it should half of the time, and less the other half
    wide = len(profile["together"]["columns"])
    assert [0.0] * wide == unexplained(table[:10], profile, proba[:10], draw(proba)[:10])
    assert [0.0] * wide == unexplained(table, profile, np.zeros(ROWS), np.full(ROWS, 0.0))


@pytest.mark.parametrize("size", [0.3, -0.3])
def test_what_a_model_misses_is_found_where_it_misses_it(
    table: pd.DataFrame, profile: dict[str, object], size: float
) -> None:
    """For those of kind a more (or less) came true than was promised: so much do the columns of each row add up to."""
    is_a = (table["kind"] == "a").to_numpy()
    found = scale(table, profile) @ unexplained(table, profile, np.full(ROWS, 0.5), draw(0.5 + size * is_a))

    assert size == pytest.approx(found[is_a].mean() - found[~is_a].mean(), rel=0.1)
    assert 0.95 < abs(np.corrcoef(found, is_a)[0, 1])


@pytest.mark.parametrize(("intercept", "slope"), [(0.0, 1.0), (0.5, 1.0), (0.0, 0.5), (-0.5, 1.5)])
def test_the_line_of_calibration_is_found_again(intercept: float, slope: float) -> None:
    """Within what it says of its own uncertainty; corrected by it, probabilities are honest."""
    proba = np.random.default_rng(3).uniform(0.05, 0.95, ROWS)
    came = draw(corrected(proba, [intercept, slope]))
    found = calibration_line(proba, came)
    error = np.array(found["line"]) - [intercept, slope]

    assert float(error @ np.linalg.inv(found["covariance"]) @ error) < 13.8  # one in a thousand by chance
    assert came.mean() == pytest.approx(corrected(proba, found["line"]).mean(), abs=0.002)
    assert 0.0 < np.sqrt(found["covariance"][1][1]) < 0.1


def test_the_line_knows_how_uncertain_it_is() -> None:
    """Drawn again and again it lies as far apart as it says; without a row it is honest, each part to about a half."""
    proba = np.random.default_rng(4).uniform(0.05, 0.95, 600)
    found = [calibration_line(proba, draw(proba, seed)) for seed in range(100, 200)]
    said = np.sqrt(np.diag(np.mean([each["covariance"] for each in found], axis=0)))

    assert np.std([each["line"] for each in found], axis=0).tolist() == pytest.approx(said.tolist(), rel=0.25)
    nothing = calibration_line(np.array([]), np.array([]))
    assert [0.0, 1.0] == pytest.approx(nothing["line"])
    assert [[0.25, 0.0], [0.0, 0.25]] == nothing["covariance"]


def test_certain_answers_have_a_finite_line() -> None:
    """Also of a few rows that were all right, and of 0 and 1."""
    found = calibration_line(np.array([0.0, 1.0, 1.0]), np.array([0.0, 1.0, 1.0]))

    assert np.all(np.isfinite([*found["line"], *found["covariance"][0]]))
    assert [0.0] == pytest.approx(logit(np.array([0.5])).tolist())
    assert logit(np.array([0.0]))[0] == pytest.approx(-logit(np.array([1.0]))[0])


@pytest.mark.parametrize(("classes", "right"), [(2, 0.8), (3, 0.4)])
def test_a_profile_says_how_often_the_model_was_right(classes: int, right: float) -> None:
    """Of two classes when it stood on the right side of a half; of more when what it named came true."""
    schema = Schema((Feature("x", "number"),), "y")
    came = np.array([1.0, 0.0, 0.0, 1.0, 0.0])
    honest = Honest(np.arange(5), np.array([0.9, 0.1, 0.2, 0.2, 0.3]), came)
    labels = np.arange(5) % classes
    found = describe(pd.DataFrame({"x": np.arange(5.0)}), schema, labels, honest.proba, honest)

    assert right == pytest.approx(found["calibration"]["accuracy"])
    assert 5 == found["calibration"]["rows"]
    assert len(found["together"]["columns"]) == len(found["unexplained"])


def test_without_features_there_are_no_columns() -> None:
    """The table has rows all the same."""
    columns, names = encode(pd.DataFrame(index=range(3)), {})

    assert ((3, 0), []) == (columns.shape, names)
