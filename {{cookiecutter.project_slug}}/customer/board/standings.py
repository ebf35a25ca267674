"""Who stands where: adds up what everybody earned, and ranks it. Pure arithmetic, no clock and no database.

The game counts in one thread while a page reads in another: both take the lock.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

CORRECT, WRONG = "correct", "wrong"
KEPT, ANOTHER_ANSWER = "kept", "another answer"  # in the last round, which asks again
ANSWERED = (CORRECT, WRONG, KEPT, ANOTHER_ANSWER)
NOT_COUNTED = "host's fault"

Outcome = tuple[int, str, int, float, bool]  # player, reason, points, milliseconds, could have been right


@dataclass
class Tally:
    """What one player has earned so far. `history` holds the points after each block of cases."""

    points: int = 0
    best: int = 0
    asked: int = 0
    again: int = 0  # how much of that came again in the last round
    streak: int = 0
    milliseconds: float | None = None  # the middle one of the last block's answers
    reasons: Counter[str] = field(default_factory=Counter)
    history: list[int] = field(default_factory=list)

    @property
    def failed(self) -> int:
        """How many requests got no prediction."""
        return sum(count for reason, count in self.reasons.items() if reason not in (*ANSWERED, NOT_COUNTED))

    def add(self, reason: str, points: int, best: bool, again: bool = False) -> None:
        """Count one request, new or *again*."""
        self.reasons[reason] += 1
        if reason == NOT_COUNTED:
            return
        self.asked += 1
        self.again += again
        self.points += points
        self.best += best
        self.streak = self.streak + 1 if reason in (CORRECT, KEPT) else 0


class Standings:
    """The tallies of all players, block after block."""

    def __init__(self) -> None:
        self.tallies: dict[int, Tally] = {}
        self.blocks = 0
        self.play_id = 0
        self.lock = Lock()
        self.before: dict[int, int] = {}  # the points when this round began

    def tally(self, player_id: int) -> Tally:
        """Return the tally of a player, who may be new."""
        return self.tallies.setdefault(player_id, Tally(history=[0] * self.blocks))

    def add_block(self, play_id: int, outcomes: Iterable[Outcome], again: bool = False) -> None:
        """Count a block that everybody has answered, new or *again*."""
        with self.lock:
            self._add_block(play_id, outcomes, again)

    def _add_block(self, play_id: int, outcomes: Iterable[Outcome], again: bool) -> None:
        """Count a block, with the lock held."""
        if play_id != self.play_id:
            self.play_id = play_id
            self.before = {player_id: each.points for player_id, each in self.tallies.items()} if self.blocks else {}
        times: dict[int, list[float]] = {}
        for player_id, reason, points, milliseconds, best in outcomes:
            self.tally(player_id).add(reason, points, best, again)
            if reason in ANSWERED:
                times.setdefault(player_id, []).append(milliseconds)
        self.blocks += 1
        for player_id, tally in self.tallies.items():
            tally.history.append(tally.points)
            if taken := sorted(times.get(player_id, [])):
                tally.milliseconds = taken[len(taken) // 2]

    def lines(self, people: Iterable[tuple[int, str, str]]) -> list[dict[str, Any]]:
        """Return a line of the board for each of *people* (number, name, state), the best first."""
        with self.lock:
            return self._lines(list(people))

    def _lines(self, people: list[tuple[int, str, str]]) -> list[dict[str, Any]]:
        """Return the lines, with the lock held."""
        now = ranks({number: self.tally(number).points for number, _, _ in people})
        then = ranks({number: self.before.get(number, 0) for number, _, _ in people})
        lines = [
            line(self.tally(number), name=name, state=state, number=number, rank=now[number],
                 moved=then[number] - now[number] if self.before else 0)
            for number, name, state in people
        ]  # fmt: skip
        return sorted(lines, key=lambda each: (each["rank"], each["name"].casefold()))


def line(tally: Tally, **about: Any) -> dict[str, Any]:
    """Return one line of the board as plain values."""
    return about | {
        "points": tally.points,
        "best": tally.best,
        "share": round(tally.points / tally.best, 4) if tally.best else None,
        "asked": tally.asked,
        "correct": tally.reasons[CORRECT] + tally.reasons[KEPT],
        "wrong": tally.reasons[WRONG] + tally.reasons[ANOTHER_ANSWER],
        "failed": tally.failed,
        "kept": tally.reasons[KEPT],
        "again": tally.again,
        "streak": tally.streak,
        "ms": tally.milliseconds,
        "history": thin(tally.history),
    }


def ranks(points: dict[int, int]) -> dict[int, int]:
    """Return the rank of each player; the same points are the same rank.

    >>> ranks({1: 10, 2: 30, 3: 10})
    {1: 2, 2: 1, 3: 2}
    """
    in_order = sorted(points.values(), reverse=True)
    first = {value: in_order.index(value) + 1 for value in set(in_order)}
    return {player: first[value] for player, value in points.items()}


def thin(history: list[int], most: int = 60) -> list[int]:
    """Return at most *most* of the values, evenly spread, the last one among them."""
    step = max(1, -(-len(history) // most))
    return history[::-1][::step][::-1]


def movers(lines: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the line that has won the most places in this round, or None when nobody has."""
    best = max(lines, key=lambda each: (each["moved"], -each["rank"]), default=None)
    return best if best and best["moved"] > 0 else None
