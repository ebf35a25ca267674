"""Which recipe is chosen, and by what score."""

import numpy as np
import pandas as pd
from sklearn.dummy import DummyClassifier

from player.features import Schema, clean_table
from player.retraining import choosing
from player.retraining.choosing import Lessons
from player.retraining.recipes import Recipe, boosted_trees
from player.training import Trained, as_classes


def test_the_recipe_with_the_best_probabilities_is_chosen(trained: Trained, table: pd.DataFrame) -> None:
    """A model that learned something beats one that only knows how frequent the classes are, in whatever order."""
    lessons = Lessons(clean_table(table, trained.schema), as_classes(table["repaid"]), trained.schema)
    learned, ignorant = Recipe("trees", boosted_trees), Recipe("ignorant", lambda _: DummyClassifier(strategy="prior"))

    for candidates in ([learned, ignorant], [ignorant, learned]):
        chosen, scores = choosing.choose(lessons, candidates, 500)

        assert learned == chosen
        assert 0 < dict(scores)[learned.name] < dict(scores)[ignorant.name] < 0.5


def test_the_brier_score_is_the_mean_squared_error_of_all_probabilities() -> None:
    """Who is undecided between two classes gets 0.5; who is sure, 0 for a right row and 2 for a wrong one."""
    table, truth = pd.DataFrame({"x": [0, 0]}), np.array([0, 1])
    undecided = DummyClassifier(strategy="prior").fit(table, truth)
    sure = DummyClassifier(strategy="most_frequent").fit(table, truth)

    assert (0.5, 1.0) == (choosing.brier(undecided, table, truth), choosing.brier(sure, table, truth))
    assert 0.0 == choosing.brier(sure, table[:1], truth[:1])


def test_no_recipe_has_seen_a_row_it_is_chosen_or_judged_on() -> None:
    """Of 100 rows 20 judge and 10 before them choose: recipes learn from 70, and the chosen one again from 80."""
    learned: list[list[float]] = []

    class Watched(DummyClassifier):  # type: ignore[misc]
        """Remembers what it learned from."""

        def fit(self, table: pd.DataFrame, truth: np.ndarray) -> "Watched":
            """Remember it."""
            learned.append(table["x"].tolist())
            super().fit(table, truth)
            return self

    truth = np.arange(100) % 4 > 0
    lessons = Lessons(pd.DataFrame({"x": np.arange(100.0)}), truth, Schema((), "y"))
    champion_right = np.array([True] * 80 + [False] * 20)
    recipe = Recipe("always", lambda _: Watched(strategy="most_frequent"))

    contest = choosing.hold(lessons, champion_right, [recipe], 20)

    assert [list(range(70)), list(range(80))] == learned
    assert (20, 0, 15, 10) == (
        contest.comparison.rows,
        contest.comparison.champion,
        contest.comparison.challenger,
        contest.chosen_on,
    )
    assert (recipe, 0.75) == (contest.recipe, contest.metrics["accuracy"])
    assert [("always: training data and all that was collected", 0.4)] == contest.scores


def test_a_recipe_that_cannot_learn_is_not_tried() -> None:
    """Its window lacks a class; scores are of the others."""
    lessons = Lessons(pd.DataFrame({"x": np.arange(40.0)}), np.array([0] * 20 + [1] * 20), Schema((), "y"))
    able, unable = (Recipe("", lambda _: DummyClassifier(strategy="prior"), window) for window in (None, 5))

    chosen, scores = choosing.choose(lessons, [unable, able], 10)

    assert (able, 1) == (chosen, len(scores))
