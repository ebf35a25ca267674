"""What a game consists of: its rounds, and the cases of each, fixed by the seed."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from customer import oddities, table, world

ODD_VALUES = "odd values"
RUSH_HOUR = "rush hour"
LAST_ROUND = "last round"  # asks again what the round before it asked; part of no game that does not name it
LABEL_DELAY = 50  # a label is known when this many more cases have been asked
PARALLEL, BURST = 8, 64  # requests on their way at once


@dataclass(frozen=True)
class Case:
    """One case: what is sent, the true label, and whether a player who knows the truth would be right.

    `row` is a checksum of the row as it was drawn, by which it is known again however odd it was made.
    """

    features: dict[str, Any]
    label: Any
    best: bool
    row: str = ""


@dataclass(frozen=True)
class Population:
    """Where cases come from: a world, or the rows of a labelled CSV."""

    draw: Callable[..., pd.DataFrame]  # (random numbers, how many, which shift) -> rows with their label
    label: str
    labels: tuple[Any, ...]
    shifts: tuple[str, ...] = world.SHIFTS
    truth_known: bool = True
    rows: pd.DataFrame | None = None  # of a table: they end, so each round gets its own

    def part(self, place: int, rounds: int) -> "Population":
        """Return the population of the round at *place*, which repeats no row of another one where that can be."""
        return self if self.rows is None else replace(self, draw=partial(self.draw, place=place, rounds=rounds))


@dataclass(frozen=True)
class Round:
    """A part of the game: how many cases, from where, and how they come."""

    name: str
    requests: int
    population: Population
    shift: str = world.AS_TRAINED
    odd: bool = False
    label_delay: int = LABEL_DELAY
    parallel: int = PARALLEL
    rate: float = 0.0  # cases a second; 0: as fast as they are answered
    again: bool = False  # what the round before has asked comes once more


def the_world() -> Population:
    """Return the world this project plays; its truth is known."""
    played = world.chosen()
    return Population(played.sample, played.label, (0, 1))


def from_csv(path: Path, label: str, drop: tuple[str, ...] = ()) -> Population:
    """Return the rows of a labelled CSV as a population; its truth is not known, only its labels."""
    rows = table.read(path, label, drop)
    draw = partial(table.sample, rows, label)
    labels = tuple(sorted(rows[label].astype(object).unique().tolist(), key=str))
    return Population(draw, label, labels, table.shifts(rows, label), truth_known=False, rows=rows)


def standard_game(population: Population, requests: int, parallel: int = PARALLEL, rate: float = 0.0) -> list[Round]:
    """Return the rounds that *population* allows, in the order of play, with *requests* cases each.

    They come at *rate* a second (0: as fast as they are answered), only in the rush hour all at once.
    """
    make = partial(Round, requests=requests, population=population, parallel=parallel)
    calm = [make(shift, shift=shift, rate=rate) for shift in population.shifts]
    odd, rush = make(ODD_VALUES, odd=True, rate=rate), make(RUSH_HOUR, parallel=max(parallel, BURST))
    game = [calm[0], odd, *calm[1:], rush]
    return [replace(each, population=population.part(place, len(game))) for place, each in enumerate(game)]


def last_round(before: Round) -> Round:
    """Return the round in which everything comes again that the round *before* it has asked."""
    return replace(before, name=LAST_ROUND, again=True)


def draw_cases(part: Round, seed: int) -> list[Case]:
    """Return the cases of a round; the same *seed* gives the same ones, whichever other rounds are played."""
    rng = np.random.default_rng([seed, zlib.crc32(part.name.encode())])
    drawn = part.population.draw(rng, part.requests, part.shift)
    marks = [f"{mark:016x}" for mark in pd.util.hash_pandas_object(drawn, index=False).tolist()]
    labels = drawn.pop(part.population.label).astype(object).tolist()
    best = [True] * len(labels)
    if part.population.truth_known:
        best = ((drawn.pop(world.PROBABILITY) > 0.5) == labels).tolist()
    rows = drawn.astype(object).where(drawn.notna(), None).to_dict("records")
    features = [{str(name): value for name, value in row.items()} for row in rows]
    if part.odd:
        features = [oddities.make_odd(rng, row) for row in features]
    return [Case(*each) for each in zip(features, labels, best, marks, strict=True)]
