"""What a world is: a population whose truth is known, and what can happen to it; which one this project plays.

Each world is a file in `customer/worlds/`. Nothing else, here or in the player, knows a column of it.
"""

import importlib
import json
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from customer import worlds
from customer.contract import CONFIG, read_config
from customer.errors import CustomerError

PROBABILITY = "probability"  # a column beside the label: the true chance that it is 1

AS_TRAINED = "as trained"
ANOTHER_POPULATION = "another population"
GATHERED_DIFFERENTLY = "data gathered differently"
ANOTHER_NATURE = "another nature"
SHIFTS = (AS_TRAINED, ANOTHER_POPULATION, GATHERED_DIFFERENTLY, ANOTHER_NATURE)

FIRST_DAY, DAYS = "2024-01-01", 730
FIRST_ID = 100_001

DEFAULT = "loans"  # of a project made before there was a choice, or where there is no project
DESCRIPTION = (
    "# What the columns of data/train_data.csv mean. `customer data` writes both. [data] in base.toml goes over it.",
    '# label: the column to predict. id: names a row, says nothing about it ("" = none). time: sorts the rows, oldest',
    '# first ("" = no order). not_at_request_time: only known afterwards, never a feature.',
)


@dataclass(frozen=True)
class World:
    """A population, its truth, and what the columns of its training data are called. The label is 0 or 1."""

    label: str
    id: str
    time: str
    afterwards: str  # known only when the label is: in the training data, never in a request
    draw: Callable[[np.random.Generator, int, bool], pd.DataFrame]  # n rows of features; True: another population
    chance: Callable[[pd.DataFrame, bool], Any]  # the true probability that the label is 1; True: another nature
    gather_differently: Callable[[pd.DataFrame], pd.DataFrame]  # the same rows, as a new form would send them
    tell_afterwards: Callable[[np.random.Generator, Any], Any]  # the values of `afterwards`, from the labels

    def sample(self, rng: np.random.Generator, n: int, shift: str = AS_TRAINED) -> pd.DataFrame:
        """Return *n* rows as they are sent, with the columns `probability` (true, of label 1) and the label."""
        if shift not in SHIFTS:
            raise ValueError(f"Unknown shift {shift!r}; valid are {', '.join(SHIFTS)}.")
        rows = self.draw(rng, n, shift == ANOTHER_POPULATION)
        probability = self.chance(rows, shift == ANOTHER_NATURE)
        label = (rng.random(n) < probability).astype("int64")
        if shift == GATHERED_DIFFERENTLY:  # only what is sent changes, not what comes true
            rows = self.gather_differently(rows)
        return rows.assign(**{PROBABILITY: probability, self.label: label})

    def training_table(self, rows: int, seed: int) -> pd.DataFrame:
        """Return the players' training data, oldest row first, with the column only known afterwards."""
        rng = np.random.default_rng(seed)
        table = self.sample(rng, rows).drop(columns=PROBABILITY)
        label = table.pop(self.label).to_numpy()
        days = pd.to_timedelta(np.arange(rows) * DAYS // max(rows, 1), unit="D")
        table.insert(0, self.id, np.arange(FIRST_ID, FIRST_ID + rows))
        table.insert(1, self.time, (pd.Timestamp(FIRST_DAY) + days).strftime("%Y-%m-%d"))
        table[self.afterwards], table[self.label] = self.tell_afterwards(rng, label), label
        return table

    def describe(self) -> str:
        """Return what the columns of the training data mean, as the player's settings want it."""
        names = {"label": self.label, "id": self.id, "time": self.time, "not_at_request_time": [self.afterwards]}
        lines = [f"{setting} = {json.dumps(column)}" for setting, column in names.items()]
        return "\n".join([*DESCRIPTION, "", "[data]", *lines, ""])


def names() -> list[str]:
    """Return the names of the worlds there are."""
    return sorted(module.name for module in pkgutil.iter_modules(worlds.__path__))


def load(name: str) -> World:
    """Return a world by its name; raises CustomerError when there is none."""
    if name not in names():
        raise CustomerError(f"There is no world {name!r} in customer/worlds; there are {', '.join(names())}.")
    world: World = importlib.import_module(f"{worlds.__name__}.{name}").WORLD
    return world


def chosen(path: Path = CONFIG) -> World:
    """Return the world that the file at *path* names; raises CustomerError when it names none that is there."""
    table = read_config(path).get("customer", {})
    return load(str(table.get("world", DEFAULT)) if isinstance(table, dict) else "")
