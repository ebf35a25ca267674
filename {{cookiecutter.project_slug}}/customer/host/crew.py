"""The workers of a tournament, as its host sees them: it hands out blocks, and follows what comes back.

What was asked is known from the database alone: neither a worker's death nor the host's loses or repeats anything.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from procrastinate import App
from procrastinate.exceptions import ConnectorException

from customer.host.block import Block
from customer.host.ledger import RETRY_SECONDS, Ledger
from customer.host.queue import BEAT_SECONDS, DEAD_SECONDS, QUEUE, TASK
from customer.host.roster import LEFT
from customer.host.seat import Seat
from customer.referee import Verdict

log = logging.getLogger(__name__)
LOOK_SECONDS = 0.5
T = TypeVar("T")


class Crew:
    """All workers, wherever they are."""

    def __init__(self, jobs: App, ledger: Ledger) -> None:
        self.jobs, self.ledger = jobs, ledger
        self.trouble = ""
        self.task = jobs.configure_task(TASK, queue=QUEUE)

    async def play(self, block: Block, seats: Sequence[Seat], done: set[tuple[int, int]], wait: float) -> None:
        """Have players asked what of a block is not *done*, from in *wait* seconds on; returns when all is over."""
        owing = [seat for seat in seats if owes(seat, block, done)]
        await self.insist(lambda: self.hand_out(block, owing, wait))
        by_id, reasons = {seat.row.id: seat for seat in seats}, self.ledger.store.book.reasons
        # Who has left once is not waited for any more, also when it comes back: its worker has let it go.
        while owing := [seat for seat in owing if owes(seat, block, done)]:
            await asyncio.sleep(LOOK_SECONDS)
            for player_id, number, request_id, reason in await self.ledger.fetch(reasons, block.id):
                if player_id in by_id and (player_id, number) not in done:
                    done.add((player_id, number))
                    by_id[player_id].learn(request_id, Verdict(reason))

    async def hand_out(self, block: Block, seats: Sequence[Seat], wait: float) -> None:
        """Put into the queue what is not there already: after a restart of the host, some of it is."""
        start = await self.ledger.fetch(self.ledger.store.now) + wait
        there = {
            job.task_kwargs["player"]
            for job in await self.jobs.job_manager.list_jobs_async(queue=QUEUE)
            if job.task_kwargs["block"] == block.id and job.status in ("todo", "doing")
        }
        new: list[Any] = [
            {"player": seat.row.id, "block": block.id, "start": start} for seat in seats if seat.row.id not in there
        ]
        if new:
            await self.task.batch_defer_async(*new)

    async def watch(self) -> None:
        """Give what a dead worker had begun to another one, and know when none is there; until cancelled."""
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            await self.insist(self.look)

    async def look(self) -> None:
        """Do it once."""
        manager = self.jobs.job_manager
        for job in await manager.get_stalled_jobs(queue=QUEUE, seconds_since_heartbeat=DEAD_SECONDS):
            log.warning("a worker is gone: player %(player)s is asked block %(block)s by another one", job.task_kwargs)
            await manager.retry_job(job)
        now = await self.ledger.fetch(self.ledger.store.now)
        waiting = await manager.list_jobs_async(queue=QUEUE, status="todo")
        overdue = sum(float(str(job.task_kwargs["start"])) < now - DEAD_SECONDS for job in waiting)
        self.trouble = f"{overdue} players wait for a worker; start one: customer worker" if overdue else ""

    async def insist(self, act: Callable[[], Awaitable[T]]) -> T:
        """Return `await act()`, tried again while the database is away."""
        while True:
            try:
                return await act()
            except ConnectorException as error:
                log.warning("the queue is away: %s", error)
            except Exception:  # without this watch nobody would be asked on after a worker's death
                log.exception("the queue failed")
            await asyncio.sleep(RETRY_SECONDS)


def owes(seat: Seat, block: Block, done: set[tuple[int, int]]) -> bool:
    """Tell whether a player is still to be asked something of a block."""
    return seat.state != LEFT and any(block.left(seat.row.id, number, done) for number in block.cases)
