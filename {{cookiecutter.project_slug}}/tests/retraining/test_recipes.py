"""Which rows a recipe learns from, how much they weigh, and which recipes are tried."""

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline

from player import training
from player.features import Schema
from player.repair import Feature
from player.retraining.recipes import Recipe, boosted_trees, recipes, takes_weights

SCHEMA = Schema((Feature("x", "number"), Feature("home", "category", categories=("own", "rent"))), "y")


class Recorder(DummyClassifier):  # type: ignore[misc]
    """A classifier that remembers what it was to learn from."""

    def fit(self, table: pd.DataFrame, truth: np.ndarray, sample_weight: np.ndarray | None = None) -> "Recorder":
        """Remember it."""
        self.rows, self.truth = table["x"].tolist(), truth.tolist()
        self.weights = None if sample_weight is None else sample_weight.tolist()
        super().fit(table, truth)
        return self


def learn(window: int | None, past: float) -> Recorder:
    """Return what a recipe does with eight rows."""
    table = pd.DataFrame({"x": range(8)})
    make = Recipe("", lambda _: Pipeline([("classifier", Recorder())]), window, past)
    recorder: Recorder = make.fit(table, table["x"].to_numpy() % 2, SCHEMA).steps[-1][1]
    return recorder


def test_a_recipe_says_what_it_does() -> None:
    """Its name stands in the report and in the note of the model."""
    assert "trees: training data and all that was collected" == Recipe("trees", boosted_trees).name
    assert "trees: newest 1,500 rows only" == Recipe("trees", boosted_trees, 1500).name
    newest = "trees: newest 150 rows, all older ones weigh 10% of them"
    assert newest == Recipe("trees", boosted_trees, 150, 0.1).name


@pytest.mark.parametrize(("window", "weights"), [(None, [1, 1, 1, 1]), (4, [1, 1, 1, 1]), (9, [1, 1, 1, 1])])
def test_a_window_that_is_not_shorter_than_the_past_leaves_all_rows_equal(
    window: int | None, weights: list[float]
) -> None:
    """Nothing is older than the window."""
    assert weights == Recipe("", boosted_trees, window, 0.5).weights(4).tolist()


def test_older_rows_share_their_weight() -> None:
    """Eight rows, the newest two are recent: the six older ones weigh half of these two together."""
    assert [1 / 6] * 6 + [1, 1] == pytest.approx(Recipe("", boosted_trees, 2, 0.5).weights(8))


def test_what_weighs_nothing_is_not_learned_from() -> None:
    """Without a past a recipe sees its window alone, and no weights, which not every pipeline takes."""
    found = learn(3, 0.0)

    assert ([5, 6, 7], [1, 0, 1], None) == (found.rows, found.truth, found.weights)


def test_older_rows_are_learned_from_with_their_weight() -> None:
    """The last step of the pipeline is told, row by row."""
    found = learn(4, 0.5)

    assert list(range(8)) == found.rows
    assert [0.5] * 4 + [1] * 4 == found.weights


def test_a_recipe_needs_five_rows_of_each_class() -> None:
    """They count only where the recipe looks: a class that is not in its window cannot be learned."""
    four, five = np.array([0] * 5 + [1] * 4), np.array([0] * 5 + [1] * 5)

    assert [False, True] == [Recipe("", boosted_trees).can_learn(truth) for truth in (four, five)]
    assert not Recipe("", boosted_trees, 5).can_learn(five)
    assert Recipe("", boosted_trees, 5, 0.1).can_learn(five)


@pytest.mark.parametrize(
    ("collected", "windows"), [(0, {150}), (499, {150}), (500, {150, 500}), (2000, {150, 500, 1500})]
)
def test_the_windows_grow_with_what_was_collected(collected: int, windows: set[int]) -> None:
    """The shortest is always tried."""
    assert windows == {recipe.window for recipe in recipes(SCHEMA, collected) if recipe.window}


def test_with_selective_labels_the_training_data_stays_in() -> None:
    """Only training data has rows of every kind; otherwise each window is tried with a little of the past and alone."""
    assert {0.1, 0.0} == {recipe.past for recipe in recipes(SCHEMA, 150) if recipe.window}
    assert {0.1} == {recipe.past for recipe in recipes(SCHEMA, 150, selective=True) if recipe.window}


def test_without_weights_no_recipe_keeps_a_little_of_the_past(monkeypatch: pytest.MonkeyPatch) -> None:
    """A classifier that cannot let some rows count less learns from the window alone."""
    neighbours = Pipeline([("classifier", KNeighborsClassifier())])
    monkeypatch.setattr(training, "build_pipeline", lambda _: neighbours)

    assert not takes_weights(neighbours)
    assert not takes_weights(DummyClassifier())
    assert takes_weights(Pipeline([("classifier", DummyClassifier())]))
    assert {0.0} == {recipe.past for recipe in recipes(SCHEMA, 150)}


def test_boosted_trees_take_missing_values_and_unknown_categories() -> None:
    """Rare spellings are learned as one, and a new one is answered like those."""
    table = pd.DataFrame({"x": [1.0, np.nan] * 100, "home": (["rent"] * 90 + ["own"] * 9 + ["ship"]) * 2})
    fitted = boosted_trees(SCHEMA).fit(table, (table["home"] == "rent").to_numpy())

    asked = pd.DataFrame({"x": [np.nan] * 3, "home": ["tent", "rent", "own"]})
    assert [False, True, False] == fitted.predict(asked).tolist()
