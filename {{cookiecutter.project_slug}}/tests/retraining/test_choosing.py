"""Which recipe is chosen, and by what score."""

import numpy as np
import pandas as pd
from sklearn.dummy import DummyClassifier

from player.features import clean_table
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
