"""Champion against challenger: the best recipe is chosen on newer rows, and judged on the newest."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from player import evaluation
from player.features import Schema
from player.model.champion_challenger import Comparison, compare
from player.retraining.recipes import Recipe

LOOKS = (150, 600)  # how many of the newest rows judge: few show a sudden change soon, many a small difference
CHOOSING = 0.5  # rows to choose on, for each row to judge on
FEWEST_TO_JUDGE = 50


@dataclass(frozen=True)
class Lessons:
    """What can be learned from, oldest first: *table* (rows, features) cleaned, *truth* (rows,)."""

    table: pd.DataFrame
    truth: np.ndarray
    schema: Schema

    def first(self, rows: int) -> "Lessons":
        """Return the oldest *rows*."""
        return Lessons(self.table.iloc[:rows], self.truth[:rows], self.schema)


@dataclass(frozen=True)
class Contest:
    """The winner among the recipes, how it did against the champion, and what all recipes scored."""

    recipe: Recipe
    comparison: Comparison
    metrics: dict[str, float]
    scores: list[tuple[str, float]]  # recipe, mean squared error of its probabilities on the rows to choose on
    chosen_on: int


def look_sizes(fresh: int) -> list[int]:
    """Return with how many of the newest rows to judge, when *fresh* rows were never trained on.

    >>> look_sizes(90), look_sizes(400), look_sizes(5000)
    ([], [150], [150, 600])
    """
    sizes = [look for look in LOOKS if fresh >= 2 * look]
    if not sizes and fresh >= 2 * FEWEST_TO_JUDGE:
        sizes = [fresh // 2]
    return sizes


def hold(lessons: Lessons, champion_right: np.ndarray, candidates: Sequence[Recipe], judging: int) -> Contest:
    """Return the contest on the newest *judging* rows; *champion_right* (judging,) says where the champion is right.

    No recipe has seen a row it is chosen or judged on.
    """
    known = len(lessons.truth) - judging
    choosing = round(judging * CHOOSING)
    recipe, scores = choose(lessons.first(known), candidates, choosing)
    before = lessons.first(known)
    fitted = recipe.fit(before.table, before.truth, lessons.schema)
    table, truth = lessons.table.iloc[known:], lessons.truth[known:]
    right = fitted.predict(table) == truth
    metrics = evaluation.measure(fitted, table, truth)
    return Contest(recipe, compare(champion_right[-judging:], right), metrics, scores, choosing)


def choose(lessons: Lessons, candidates: Sequence[Recipe], choosing: int) -> tuple[Recipe, list[tuple[str, float]]]:
    """Return the recipe whose probabilities are best on the newest *choosing* rows of *lessons*, and all scores.

    The Brier score decides: it sees more in few rows than the number of right answers does.
    """
    known = lessons.first(len(lessons.truth) - choosing)
    table, truth = lessons.table.iloc[len(known.truth) :], lessons.truth[len(known.truth) :]
    able = [recipe for recipe in candidates if recipe.can_learn(known.truth)]
    scores = []
    for recipe in able:
        fitted = recipe.fit(known.table, known.truth, lessons.schema)
        scores.append(brier(fitted, table, truth))
    best = int(np.argmin(scores))
    return able[best], [(each.name, round(score, 4)) for each, score in zip(able, scores, strict=True)]


def brier(fitted: Any, table: pd.DataFrame, truth: np.ndarray) -> float:
    """Return the mean squared error of all class probabilities (Brier 1950), 0 to 2; smaller is better."""
    proba = fitted.predict_proba(table)
    return float(np.mean(np.sum((proba - (truth[:, None] == fitted.classes_[None, :])) ** 2, axis=1)))
