"""Some cases of a round that everybody is asked together, and when."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from customer.host.book import Book
from customer.rounds import Case


@dataclass(frozen=True)
class Block:
    """Some cases of a round, and when they are asked: from *start* on, in *window* seconds of play.

    In the last round they were asked before, in the round *again*: *first* has for (player, case) what was said then.
    """

    id: int
    play_id: int
    cases: dict[int, Case]
    start: float
    window: float
    again: int = 0
    first: Mapping[tuple[int, int], str] = field(default_factory=dict)

    def left(self, player_id: int, number: int, done: set[tuple[int, int]]) -> bool:
        """Tell whether a player is still to be asked about a case: once, and again only what it was asked before."""
        this = (player_id, number)
        return this not in done and (not self.again or this in self.first)


def read_block(book: Book, block_id: int) -> Block:
    """Return a block as the database has it; when it starts is for who asks."""
    play_id, number = book.place_of(block_id)
    plan = book.play(play_id).plan
    first = number * plan.block
    cases = dict(enumerate(book.cases(play_id)[first : first + plan.block], first))
    said = book.said(plan.again, list(cases)) if plan.again else {}
    return Block(block_id, play_id, cases, 0.0, len(cases) / plan.rate, plan.again, said)
