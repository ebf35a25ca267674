"""Before a plan is used it answers the rows that it could get wrong, and must say what the pipeline says."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from player.features import Row, Schema, to_table
from player.learning.asking import ask
from player.model.plan import Member, Plan, as_matrix, make_plan, run
from player.model.preparation import UNSEEN_CATEGORY, NotMeasured
from player.model.trees import Forest, beside_splits, same_splits
from player.repair import LARGEST, Feature, Value

LARGEST_DIFFERENCE = 1e-12
PROBE_ROWS = 500
PROBE_VECTORS = 10_000  # two for each split: those of 100 boosted trees, and of some trees of a large forest


def rehearsed_plan(
    pipeline: Any, schema: Schema, examples: Sequence[Mapping[str, Value]], classes: Sequence[Any]
) -> tuple[Plan | None, str]:
    """Return the plan of *pipeline*, which names *classes*, or None and why it has none that may be used.

    *examples* are clean rows, at least one.
    """
    try:
        plan = make_plan(pipeline, schema, examples[0])
    except NotMeasured as reason:
        return None, str(reason)
    trouble = differs(plan, pipeline, schema, examples, classes)
    return (None, f"its {plan.kind} is not used: {trouble}") if trouble else (plan, "")


def differs(
    plan: Plan, pipeline: Any, schema: Schema, examples: Sequence[Mapping[str, Value]], classes: Sequence[Any]
) -> str:
    """Return how *plan* differs from *pipeline*, which names *classes*, on rows of the training data and odd ones.

    "" when it does not: the same class for each row, each probability within 1e-12, and the same of each part.
    """
    rows = [*examples, *odd_rows(schema, PROBE_ROWS), *one_of_each(schema)]
    table = to_table(rows, schema)
    chosen, proba = ask(pipeline, table, classes)
    answers = [plan.ask(row) for row in rows]
    difference = largest_difference(proba, [said for _, said in answers])
    if difference:
        return difference
    others = int((chosen != [place for place, _ in answers]).sum())
    if others:
        return f"{others} of {len(rows)} rows get another class"
    forests = [(member, member.source) for member in plan.members if isinstance(member.source, Forest)]
    return next(filter(None, (forest_differs(member, forest, rows, table) for member, forest in forests)), "")


def forest_differs(member: Member, forest: Forest, rows: Sequence[Mapping[str, Value]], table: pd.DataFrame) -> str:
    """Return how *forest*, the trees of *member*, differs: in the columns of *rows*, or at one of its splits."""
    vectors = np.stack([forest.preparation.vector(row) for row in rows])
    if not np.array_equal(vectors, as_matrix(run(member.steps, table)), equal_nan=True):
        return "the steps before the trees make other columns"
    if not same_splits(forest, member.classifier):
        return "a split is another one"
    beside = beside_splits(forest, vectors[0], PROBE_VECTORS)
    if not len(beside):
        return ""
    names = getattr(member.classifier, "feature_names_in_", None)
    proba = member.classifier.predict_proba(beside if names is None else pd.DataFrame(beside, columns=names))
    trouble = largest_difference(proba, [member.plainly(said) for said in forest.walk(beside).tolist()])
    return f"beside a split {trouble}" if trouble else ""


def largest_difference(expected: np.ndarray, said: list[list[float]]) -> str:
    """Return how much *said* differs from the *expected* probabilities, "" when it does not."""
    difference = float(np.abs(expected - said).max())
    # NaN is not below it either
    return "" if difference <= LARGEST_DIFFERENCE else f"a probability differs by {difference:.1g}"


def odd_rows(schema: Schema, count: int) -> list[Row]:
    """Return clean rows that a request may bring: within the ranges and far beyond, unknown, missing."""
    dice = random.Random(2026)  # noqa: S311 - the same rows each time, nothing secret
    return [{feature.name: odd_value(feature, dice) for feature in schema.features} for _ in range(count)]


def odd_value(feature: Feature, dice: random.Random) -> Value:
    """Return any value of *feature*."""
    if dice.random() < 0.1:
        return None
    if feature.kind == "category":
        place = dice.randrange(len(feature.categories) + 1)
        return feature.categories[place - 1] if place else UNSEEN_CATEGORY
    span = feature.high - feature.low
    if dice.random() < 0.1:
        return dice.choice([0.0, -1.0, feature.low - 100 * span, feature.high + 100 * span, LARGEST, -LARGEST])
    value = dice.uniform(feature.low - span, feature.high + span)
    return dice.choice([value, float(round(value))])  # a whole number may be a category to the pipeline


def one_of_each(schema: Schema) -> list[Row]:
    """Return odd rows in which each category comes once: five hundred need not bring the rare one of many."""
    pairs = [(feature.name, value) for feature in schema.features for value in (*feature.categories, None)]
    return [{**row, name: value} for row, (name, value) in zip(odd_rows(schema, len(pairs)), pairs, strict=True)]
