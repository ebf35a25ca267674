"""Draws the cases of a round: fixed by the seed and the round's number, and none of them played before."""

import hashlib
from dataclasses import replace

from customer.errors import CustomerError
from customer.host.book import Book
from customer.host.plan import Plan, to_round
from customer.rounds import Case, Population, draw_cases

ATTEMPTS = 20


def draw(book: Book, plan: Plan, population: Population, seed: int, play_number: int) -> list[Case]:
    """Return the cases of the round; raises CustomerError when a table has not enough rows left."""
    part = to_round(plan, population)
    chosen: dict[str, Case] = {}
    for attempt in range(ATTEMPTS):
        drawn = {case.row: case for case in draw_cases(part, seed_of(seed, play_number, attempt))}
        known = book.seen(drawn)
        chosen |= {row: case for row, case in drawn.items() if row not in known and row not in chosen}
        if len(chosen) >= part.requests:
            return list(chosen.values())[: part.requests]
    raise CustomerError(
        f"The table has only {len(chosen)} rows left for {plan.name!r}, and it needs {part.requests}: no row comes "
        "twice. Choose a shorter round, or a larger table."
    )


def draw_again(book: Book, plan: Plan) -> tuple[Plan, list[Case]]:
    """Return the last round as it is played, and its cases: what the newest round that counts has asked, once more.

    Who has kept every answer earns every point. Raises CustomerError when nothing was asked before.
    """
    for play in reversed(book.plays()):
        asked = [] if play.plan.again or play.void else book.asked_cases(play.id)[: plan.requests]
        if asked:
            minutes = len(asked) / plan.rate / 60
            return replace(plan, minutes=minutes, again=play.id), [replace(case, best=True) for case in asked]
    raise CustomerError(
        "The last round asks again what the round before it has asked, and there is none: begin another one first."
    )


def warm_up(population: Population, seed: int) -> Case:
    """Return the one case that everybody is tested with."""
    return draw_cases(to_round(Plan(population.shifts[0], minutes=0.02), population), seed_of(seed, 0, 0))[0]


def seed_of(*parts: int) -> int:
    """Return one number that is different for different *parts*."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:6], "big")
