"""Brings the true labels to the players when everybody has answered; a player that takes none holds up nobody.

They leave one after another, not all in the same instant, so that no request waits behind a burst of labels.
"""

import asyncio
from collections import deque
from typing import Any

from customer.host.ledger import Ledger
from customer.host.roster import ASIDE
from customer.host.seat import Seat

BATCH = 100
WAITS = (1.0, 2.0, 5.0, 10.0, 30.0)  # seconds before labels that did not arrive are brought again
Pairs = list[tuple[str, Any]]


class LabelPost:
    """The labels that are on their way, in the order they became known."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.bags: dict[int, deque[tuple[int, Pairs]]] = {}
        self.ways: dict[int, asyncio.Task[None]] = {}
        self.trouble: dict[int, str] = {}

    def bring(self, seat: Seat, block_id: int, pairs: Pairs, spread: float = 0.0) -> None:
        """Take the labels of one block for one player; they leave within *spread* seconds."""
        self.bags.setdefault(seat.row.id, deque()).append((block_id, pairs))
        way = self.ways.get(seat.row.id)
        if way is None or way.done():
            self.ways[seat.row.id] = asyncio.create_task(self.go(seat, spread * seat.offset))

    async def go(self, seat: Seat, wait: float) -> None:
        """Bring everything that waits for a player; what does not arrive is brought again, later and later."""
        await asyncio.sleep(wait)
        bag, tries = self.bags[seat.row.id], 0
        while bag:
            block_id, pairs = bag[0]
            trouble = "set aside" if seat.state == ASIDE else await self.hand_over(seat, pairs)
            self.trouble[seat.row.id] = trouble
            if trouble:
                await asyncio.sleep(WAITS[min(tries, len(WAITS) - 1)])
                tries += 1
                continue
            bag.popleft()
            tries = 0
            await self.ledger.write(self.ledger.store.book.delivered, block_id, seat.row.id, len(pairs))

    async def hand_over(self, seat: Seat, pairs: Pairs) -> str:
        """Bring labels once; return "" or why they did not arrive."""
        for first in range(0, len(pairs), BATCH):
            if trouble := await seat.referee.send_labels(pairs[first : first + BATCH]):
                return trouble
        return ""

    def waiting(self, player_id: int) -> int:
        """Return how many labels a player has not got; a page asks from its own thread."""
        return sum(len(pairs) for _, pairs in tuple(self.bags.get(player_id, ())))

    async def finish(self, seconds: float) -> None:
        """Let the ways end by themselves for some *seconds*, then end them."""
        if self.ways:
            await asyncio.wait(self.ways.values(), timeout=seconds)
        self.stop()

    def stop(self) -> None:
        """End all ways; what was not brought is brought after the next start."""
        for way in self.ways.values():
            way.cancel()
