"""What the database collected, as rows to learn from: cleaned like a request, in time order, leaks left out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa
from sqlalchemy import Engine

from player import evaluation, training
from player.config import DataSettings, Settings
from player.errors import DataError
from player.features import Schema, clean, clean_table, read_schema, to_table
from player.learning import fitting
from player.learning.belonging import is_of_table
from player.reading.columns import bounds
from player.reading.files import read_own_table
from player.reading.labels import Labels
from player.retraining.choosing import Lessons
from player.storage import queries
from player.storage.tables import TRUTH, Label, Prediction

MOST_ROWS = 20_000  # of what was collected; the newest
FEWEST_REQUESTS = 50  # fewer say nothing about which columns a request has
REPEATED_BY_NATURE = 0.2  # share of training rows with the values of another one
SEEN_OFTEN = 10  # a new category that came less often is a mistake of the sender, not a category


def read_labelled(engine: Engine) -> pd.DataFrame:
    """Return the newest labelled predictions, in the order they became known (`known_at`)."""
    return as_known(queries.labelled(engine, since_when(engine)))


def read_last_labelled(engine: Engine, count: int) -> pd.DataFrame:
    """Return those of the newest *count* labels, as `read_labelled` does; costs the same however many are kept."""
    return as_known(queries.last_labelled(engine, count))


def as_known(rows: pd.DataFrame) -> pd.DataFrame:
    """Return labelled *rows* in the order they became known."""
    rows = rows[rows["features"].map(lambda features: isinstance(features, dict)).astype(bool)]
    rows = rows.assign(known_at=rows[["label_at", "received_at"]].max(axis=1))  # a label may come first
    return rows.sort_values("known_at", kind="stable", ignore_index=True)


def since_when(engine: Engine) -> datetime | None:
    """Return when the oldest of the predictions came that are read to learn from, None when all are."""
    newest = sa.select(Prediction.received_at).order_by(Prediction.received_at.desc()).offset(MOST_ROWS).limit(1)
    with engine.connect() as connection:
        found: datetime | None = connection.execute(newest).scalar_one_or_none()
    return found


def read_senders(engine: Engine) -> dict[str, str]:
    """Return who sent the first label of each of these requests that can be the truth, keyed by request id."""
    query = sa.select(Label.received_at, Label.id, Label.request_id, Label.sender).where(Label.status.in_(TRUTH))
    since = since_when(engine)
    if since is not None:
        query = query.join(Prediction, Prediction.request_id == Label.request_id).where(Prediction.received_at >= since)
    with engine.connect() as connection:
        rows = connection.execute(query).fetchall()
    # Sorted here: a database that sorts would read all labels by their time, though few are wanted.
    return {request_id: sender for _, _, request_id, sender in sorted(rows, reverse=True)}


@dataclass(frozen=True)
class Past:
    """The training table in time order: feature columns as they are, classes, and what may be used of it."""

    table: pd.DataFrame
    truth: np.ndarray
    schema: Schema
    refused: dict[str, str]  # column -> why it may not be learned from


def read_past(settings: Settings, requests: Sequence[dict[str, Any]], champion: Schema) -> Past:
    """Return the training table without the columns that *requests* (features as received) show to be leaks.

    Raises DataError when it is another table than that of the *champion*.
    """
    table = read_own_table(settings)
    with fitting.told_in_a_sentence():
        table = training.in_time_order(table, settings.data)
        labels = training.read_labels(table, settings.data)
        table, truth = table[labels.notna()], training.as_classes(labels[labels.notna()])
        refused = find_leaks(table, truth, requests, settings.data)
        schema = read_schema(table.drop(columns=list(refused)), settings.data)
    if not set(schema.names) & set(champion.names):
        raise DataError(
            f"{settings.data.train} is another table than the one the model learned from, with none of its columns "
            f"({', '.join(champion.names[:5])}); name that one and its label in [data]."
        )
    return Past(table[schema.names], truth, schema, refused)


def find_leaks(
    table: pd.DataFrame, truth: np.ndarray, requests: Sequence[dict[str, Any]], data: DataSettings
) -> dict[str, str]:
    """Return the columns only known afterwards, each with the reason: never requested, or knowing the answer alone."""
    schema = read_schema(table, data)
    refused = {}
    if len(requests) >= FEWEST_REQUESTS:
        asked = set().union(*requests)
        refused = {name: f"none of {len(requests):,} requests had it" for name in schema.names if name not in asked}
    for name in evaluation.leaking_features(table[schema.names], truth):
        refused.setdefault(name, "it alone predicts the label, which is too good to be true")
    if len(refused) == len(schema.names):
        raise DataError("No column of the training table was ever in a request; are [data] and the requests the same?")
    return refused


def usable(rows: pd.DataFrame, classes: Sequence[Any]) -> pd.DataFrame:
    """Return the labelled *rows* whose label is one of *classes*, with the label as it stands there."""
    labels = Labels(training.plain(name) for name in classes).read_all(rows["label"])
    return rows.assign(label=labels)[labels.notna()].reset_index(drop=True)


def of_this_table(rows: pd.DataFrame, schema: Schema) -> tuple[pd.DataFrame, str]:
    """Return the collected *rows* of the table that *schema* describes, and a sentence about those of another one."""
    own = rows["features"].map(partial(is_of_table, schema=schema)).astype(bool)
    if own.all():
        return rows, ""
    sentence = f"{(~own).sum():,} of {len(rows):,} labelled rows are of another table than the model's; left out."
    return rows[own].reset_index(drop=True), sentence


def clean_all(features: pd.Series, schema: Schema) -> pd.DataFrame:
    """Return features as received as the table a pipeline with *schema* takes."""
    return to_table([clean(each, schema)[0] for each in features], schema)


def unseen(past: Past, rows: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return the collected *rows* whose values no earlier row has, and a sentence about the others.

    A row that comes again is no news: a model that has learned it knows the answer, and would be judged by its
    memory. So is one with all values but one, as when a unit changes. Where values repeat by nature, as with a few
    categories, every row counts.
    """
    known = clean_table(past.table, past.schema)
    values = clean_all(rows["features"], past.schema)
    again = np.zeros(len(rows), dtype=bool)
    for learned, own in zip(marks(known), marks(values), strict=True):
        if repeats(learned).mean() <= REPEATED_BY_NATURE:
            again |= repeats(np.concatenate([learned, own]))[len(known) :]
    if not again.any():
        return rows, ""
    sentence = (
        f"{again.sum():,} of {len(rows):,} labelled rows came before, in training or as requests; each counts once."
    )
    return rows[~again].reset_index(drop=True), sentence


def marks(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return checksums of the rows of *table*: one of all values, and one each of all values but one.

    Shapes (rows, 1) and (rows, features), uint64. A value counts for its column: each has its own factor.
    """
    factors = range(3, 2 * len(table.columns) + 3, 2)
    cells = np.column_stack([pd.util.hash_array(table[name].to_numpy()) * np.uint64(factor)
                             for name, factor in zip(table, factors, strict=True)])  # fmt: skip
    whole = cells.sum(axis=1, dtype="uint64", keepdims=True)
    return whole, whole - cells


def repeats(found: np.ndarray) -> np.ndarray:
    """Return which rows of the checksums *found* (rows, checksums) have one that an earlier row has: bool (rows,)."""
    again: np.ndarray = np.any([pd.Series(column).duplicated().to_numpy() for column in found.T], axis=0)
    return again


def lessons(past: Past, rows: pd.DataFrame, fewest_rows: int = 1) -> Lessons:
    """Return training data and collected *rows* as one table, oldest first, under one schema (see `widened`)."""
    new = clean_all(rows["features"], past.schema)
    for feature in past.schema.features:
        if feature.kind == "category":
            often = new[feature.name].value_counts()
            known = {*feature.categories, *often[often >= SEEN_OFTEN].index}
            new[feature.name] = new[feature.name].where(new[feature.name].isin(known), math.nan)
    both = pd.concat([clean_table(past.table, past.schema), new], ignore_index=True)
    truth = np.concatenate([past.truth, rows["label"].to_numpy(dtype=past.truth.dtype)])
    return Lessons(both, truth, widened(past.schema, both, fewest_rows))


def widened(schema: Schema, table: pd.DataFrame, fewest_rows: int = 1) -> Schema:
    """Return *schema* with the ranges, those that *fewest_rows* reach, and categories of a *table* (rows, features)."""
    features = []
    for feature in schema.features:
        present = table[feature.name].dropna()
        if feature.kind == "category":
            features.append(replace(feature, categories=tuple(sorted(present.unique()))))
        elif len(present):
            low, high = bounds(present.to_numpy(dtype="float64"), fewest_rows)
            features.append(replace(feature, low=low, high=high))
        else:
            features.append(feature)
    return replace(schema, features=tuple(features))
