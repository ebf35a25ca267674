"""What is played: the rounds of a tournament, how many cases, how fast; built in, or from a timetable in TOML."""

import tomllib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from customer import rounds, world
from customer.errors import CustomerError, reason
from customer.rounds import Population, Round

RATE, RUSH_RATE = 1.0, 10.0
BLOCK = 20  # cases; the labels of a block come when everybody has answered it
LIMITS: dict[str, tuple[float, float]] = {
    "minutes": (0.0, 600.0),
    "rate": (0.01, 100.0),
    "block": (2, 1000),
    "pause": (0.0, 600.0),
}
EXAMPLE = 'it looks like: [[round]] name = "as trained", minutes = 10, rate = 1.0, pause = 3'


@dataclass(frozen=True)
class Plan:
    """One round as it is planned: so many *minutes* at *rate* cases a second, *pause* minutes before the next."""

    name: str
    minutes: float = 10.0
    rate: float = RATE
    block: int = BLOCK
    pause: float = 3.0
    position: int = 0  # in the timetable; a round that is repeated keeps it
    again: int = 0  # the number of the round whose requests come again; 0: none, new ones are asked

    @property
    def requests(self) -> int:
        """How many cases come."""
        return max(1, round(60 * self.minutes * self.rate))

    @property
    def window(self) -> float:
        """How many seconds a whole block takes."""
        return self.block / self.rate

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


TWO_HOURS = [
    Plan(world.AS_TRAINED, 12),
    Plan(rounds.ODD_VALUES, 10),
    Plan(world.ANOTHER_POPULATION, 12),
    Plan(world.GATHERED_DIFFERENTLY, 12),
    Plan(world.ANOTHER_NATURE, 15),
    Plan(rounds.RUSH_HOUR, 1, rate=RUSH_RATE, block=50),
]
LAST_ROUND = Plan(rounds.LAST_ROUND, 1, rate=RUSH_RATE, block=50)  # as fast as the rush hour it comes after


def timetable(path: Path | None, population: Population) -> list[Plan]:
    """Return the plans in the file at *path*, or those of the built-in two hours that *population* allows."""
    known = [part.name for part in rounds.standard_game(population, 1)]
    if path is None:
        return [plan for plan in TWO_HOURS if plan.name in known]
    known.append(LAST_ROUND.name)
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8")).get("round")
    except (OSError, ValueError) as error:
        raise CustomerError(f"{path} cannot be read as a timetable: {reason(error)}.") from None
    if not isinstance(entries, list) or not entries:
        raise CustomerError(f"{path} has no rounds; {EXAMPLE}.")
    return [read_plan(entry, known, path) for entry in entries]


def read_plan(entry: Any, known: list[str], path: Path) -> Plan:
    """Return one round of a timetable; raises CustomerError with what is wrong."""
    names = ["name", *LIMITS]
    if not isinstance(entry, dict) or entry.get("name") not in known:
        given = entry.get("name") if isinstance(entry, dict) else entry
        raise CustomerError(f"{path}: there is no round {given!r}; there are {', '.join(known)}.")
    if unknown := [name for name in entry if name not in names]:
        raise CustomerError(f"{path}: {entry['name']!r} has {', '.join(unknown)}; it may have {', '.join(names)}.")
    in_a_hurry = entry["name"] in (rounds.RUSH_HOUR, rounds.LAST_ROUND)
    plan = Plan(entry["name"], rate=RUSH_RATE if in_a_hurry else RATE)
    figures: dict[str, Any] = {}
    for name, (low, high) in LIMITS.items():
        value = entry.get(name, getattr(plan, name))
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise CustomerError(f"{path}: {name} of {plan.name!r} is {value!r}; it must be {low:g} to {high:g}.")
        figures[name] = int(value) if name == "block" else value
    return replace(plan, **figures)


def choose(
    plans: list[Plan],
    names: str | None = None,
    minutes: float | None = None,
    rate: float | None = None,
    block: int | None = None,
) -> list[Plan]:
    """Return the plans with these *names* (all: None), each with what is given instead of its own figures."""
    wanted = [plan.name for plan in plans] if names is None else [name.strip() for name in names.split(",")]
    by_name = {plan.name: plan for plan in plans}
    by_name.setdefault(LAST_ROUND.name, LAST_ROUND)  # in no timetable that does not name it
    if unknown := [name for name in wanted if name not in by_name]:
        raise CustomerError(f"There is no round {', '.join(unknown)!r}; there are {', '.join(by_name)}.")
    given = {"minutes": minutes, "rate": rate, "block": block}
    changed: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    return [replace(by_name[name], **changed) for name in wanted]


def to_round(plan: Plan, population: Population) -> Round:
    """Return the round of the game that a plan means."""
    by_name = {part.name: part for part in rounds.standard_game(population, plan.requests)}
    if plan.name not in by_name:
        raise CustomerError(f"There is no round {plan.name!r} for this table; there are {', '.join(by_name)}.")
    return by_name[plan.name]
