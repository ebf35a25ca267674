"""Holds the true labels back until they would be known, then brings them to one player in batches.

The game does not wait for a batch on its way: a player that hangs on labels is asked as fast as any other.
"""

import asyncio
from collections import deque
from typing import Any

from customer.referee import TIMEOUTS, Referee

BATCH = 100


class Postman:
    """The labels of one player: waiting, brought, or lost."""

    def __init__(self, referee: Referee) -> None:
        self.referee = referee
        self.asked = 0
        self.sent = 0
        self.trouble = ""
        self.not_before = 0
        self.waiting: deque[tuple[int, str, Any]] = deque()
        self.on_its_way: asyncio.Task[bool] | None = None

    def keep(self, request_id: str, label: Any, delay: int) -> None:
        """Take the label of a request that has been answered; it is due after *delay* more requests."""
        self.waiting.append((self.asked + delay, request_id, label))

    def tick(self) -> None:
        """Note that one more request is over, and send a batch off when a whole one is due."""
        self.asked += 1
        is_due = len(self.waiting) >= BATCH and self.waiting[BATCH - 1][0] <= self.asked
        if is_due and self.asked >= self.not_before and (self.on_its_way is None or self.on_its_way.done()):
            self.on_its_way = asyncio.create_task(self.bring())

    async def flush(self) -> None:
        """Bring everything that is left; stops when a batch does not arrive twice in a row, or hangs once."""
        if self.on_its_way:
            await self.on_its_way
        while self.waiting and self.trouble not in TIMEOUTS:
            if not await self.bring() and (self.trouble in TIMEOUTS or not await self.bring()):
                return

    async def bring(self) -> bool:
        """Bring the oldest batch; what does not arrive is kept for another time."""
        batch = [self.waiting.popleft() for _ in range(min(BATCH, len(self.waiting)))]
        self.trouble = await self.referee.send_labels([(request_id, label) for _, request_id, label in batch])
        if self.trouble:
            self.waiting.extendleft(reversed(batch))
            self.not_before = self.asked + BATCH  # a player in trouble is left alone for a while
        else:
            self.sent += len(batch)
        return not self.trouble
