"""Before a plan is used it answers the rows that it could get wrong, and must say what the pipeline says."""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from player.features import Schema, to_table
from player.learning.asking import ask
from player.model.fast.plan import Member, Plan, Shortcut, make_plan, make_shortcut
from player.model.fast.preparation import UNSEEN_CATEGORY
from player.model.fast.splits import beside_splits, same_splits
from player.model.fast.steps import NotMeasured, prepare
from player.model.fast.trees import Forest
from player.reading.cells import with_codes
from player.repair import LARGEST, Feature, Value

LARGEST_DIFFERENCE = 1e-12
PROBE_ROWS = 500
PlanOrShortcut = TypeVar("PlanOrShortcut", Plan, Shortcut)
FEW_ROWS = 40
PROBE_VECTORS = 10_000  # two for each split: those of 100 boosted trees, and of some trees of a large forest


def rehearsed_plan(
    pipeline: Any, schema: Schema, examples: Sequence[Mapping[str, Value]], classes: Sequence[Any]
) -> tuple[Plan | Shortcut | None, str]:
    """Return the fastest plan of *pipeline*, which names *classes*, that may be used, and why it is no faster one.

    None where there is no plan. *examples* are clean rows, at least one.
    """
    plan, why = rehearsed(make_plan, pipeline, schema, examples, classes)
    if plan is not None:
        return plan, ""
    shortcut, why_none = rehearsed(make_shortcut, pipeline, schema, examples, classes)
    return shortcut, "; ".join(dict.fromkeys(filter(None, (why, why_none))))


def rehearsed(
    make: Callable[..., PlanOrShortcut],
    pipeline: Any,
    schema: Schema,
    examples: Sequence[Mapping[str, Value]],
    classes: Sequence[Any],
) -> tuple[PlanOrShortcut | None, str]:
    """Return what *make* makes of *pipeline*, or None, and why, when it cannot or it must not be used."""
    try:
        plan = make(pipeline, schema, examples[0])
        trouble = differs(plan, pipeline, schema, examples, classes)
    except NotMeasured as reason:
        return None, str(reason)
    except Exception as error:  # whatever a library makes of a model; its text may hold values
        return None, f"{type(error).__name__} while it was measured"
    return (None, f"its {plan.kind} is not used: {trouble}") if trouble else (plan, "")


def differs(
    plan: Plan | Shortcut,
    pipeline: Any,
    schema: Schema,
    examples: Sequence[Mapping[str, Value]],
    classes: Sequence[Any],
) -> str:
    """Return how *plan* differs from *pipeline*, which names *classes*, on rows of the training data and odd ones.

    "" when it does not: the same class for each row, each probability within 1e-12, and the same of each part.
    """
    rows = [*examples, *odd_rows(schema, PROBE_ROWS), *one_of_each(schema)]
    table = to_table(rows, schema)
    for preparation, steps in plan.prepared:
        columns = prepare(steps, table)
        made = [np.stack([preparation.vector(row) for row in rows])]
        if not plan.quick:  # the others are never asked for a whole table
            made.append(preparation.matrix(with_codes(table)))
        if not all(np.array_equal(each, columns, equal_nan=True) for each in made):
            return "the steps before it make other columns"
    # A classifier that is asked itself says the same of the same columns: then a few rows are enough.
    rows, table = (rows, table) if plan.quick else (rows[:FEW_ROWS], table.head(FEW_ROWS))
    chosen, proba = ask(pipeline, table, classes)
    answers = [plan.ask(row) for row in rows]
    difference = largest_difference(proba, [said for _, said in answers])
    if difference:
        return difference
    others = int((chosen != [place for place, _ in answers]).sum())
    if others:
        return f"{others} of {len(rows)} rows get another class"
    return next(filter(None, (forest_differs(forest, member, rows[0]) for forest, member in plan.forests)), "")


def forest_differs(forest: Forest, member: Member, row: Mapping[str, Value]) -> str:
    """Return how *forest*, the trees of *member*, differs at one of its splits; *row* is any clean one."""
    if not same_splits(forest, member.classifier):
        return "a split is another one"
    beside = beside_splits(forest, forest.preparation.vector(row), PROBE_VECTORS)
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


def odd_rows(schema: Schema, count: int) -> list[dict[str, Value]]:
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


def one_of_each(schema: Schema) -> list[dict[str, Value]]:
    """Return odd rows in which each category comes once: five hundred need not bring the rare one of many."""
    pairs = [(feature.name, value) for feature in schema.features for value in (*feature.categories, None)]
    return [{**row, name: value} for row, (name, value) in zip(odd_rows(schema, len(pairs)), pairs, strict=True)]
