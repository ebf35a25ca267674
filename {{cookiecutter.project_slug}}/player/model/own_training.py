"""A model is learned by the project's own `training.py`, which may be older than the rest: what is promised holds."""

from dataclasses import replace

import pandas as pd

from player import training
from player.config import Settings
from player.features import clean_table
from player.learning import fitting
from player.profile import describe_column
from player.reading.columns import bounds
from player.training import Trained


def learn(table: pd.DataFrame, settings: Settings) -> Trained:
    """Return what the project's own `train` makes of *table*; raises PlayerError, in one sentence, when it cannot."""
    with fitting.told_in_a_sentence():
        trained = training.train(table, settings)
    return without_ends(trained, table, settings.data.fewest_rows)


def without_ends(trained: Trained, table: pd.DataFrame, fewest_rows: int) -> Trained:
    """Return *trained* with no end of a range in schema and profile that fewer than *fewest_rows* of *table* reach.

    A `training.py` from before `[data].fewest_rows` tells the lowest and the highest value of each number.
    """
    if fewest_rows == 1:
        return trained
    rows = clean_table(table, trained.schema)
    features, described = [], dict(trained.profile["features"])
    for feature in trained.schema.features:
        column = rows[feature.name]
        if feature.kind == "number":
            low, high = bounds(column.dropna().to_numpy(), fewest_rows)
            known = described[feature.name]
            if known["low"] < low or known["high"] > high:
                described[feature.name] = known | describe_column(column, feature.kind, fewest_rows)
            features.append(replace(feature, low=max(low, feature.low), high=min(high, feature.high)))
        else:
            features.append(feature)
    schema = replace(trained.schema, features=tuple(features))
    profile = {**trained.profile, "features": described, "schema": schema.to_dict()}
    return replace(trained, schema=schema, profile=profile)
