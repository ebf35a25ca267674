"""Brings what happened into the database, many requests in one transaction, without holding up the game.

A database that is away costs nobody anything: what happened waits here, and when much waits no more is asked.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from sqlalchemy.exc import OperationalError, SQLAlchemyError

from customer.host.book import Ask
from customer.host.store import Store, first_line

log = logging.getLogger(__name__)
EVERY_SECONDS, RETRY_SECONDS = 0.1, 1.0
MOST_WAITING = 20_000

P = ParamSpec("P")
T = TypeVar("T")


class Ledger:
    """The requests that are not yet written down, and the threads that talk to the database."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.waiting: list[Ask] = []
        self.trouble = ""
        self.written = asyncio.Condition()
        self.writer = ThreadPoolExecutor(1, "ledger")
        self.readers = ThreadPoolExecutor(2, "reader")

    def put(self, row: Ask) -> None:
        """Take a request that is over."""
        self.waiting.append(row)

    async def write(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Change the database, after every change before this one; when it is away, as soon as it is back."""
        return await self.insist(self.writer, lambda: function(*args, **kwargs))

    async def fetch(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Read what the game needs to go on; when the database is away, as soon as it is back."""
        return await self.insist(self.readers, lambda: function(*args, **kwargs))

    async def read(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Read from the database once, for a page."""
        return await asyncio.get_running_loop().run_in_executor(self.readers, lambda: function(*args, **kwargs))

    async def insist(self, threads: ThreadPoolExecutor, function: Callable[[], T]) -> T:
        """Return `function()`, tried again while the database is away."""
        while True:
            try:
                return await asyncio.get_running_loop().run_in_executor(threads, function)
            except OperationalError as error:
                self.note_trouble(error)
                await asyncio.sleep(RETRY_SECONDS)

    def note_trouble(self, error: SQLAlchemyError) -> None:
        """Remember, and log once, that the database is away."""
        if not self.trouble:
            log.error("the database is away, %d requests wait: %s", len(self.waiting), first_line(error))
        self.trouble = f"since {time.strftime('%H:%M:%S')}: {first_line(error)}"

    async def room(self) -> None:
        """Return when there is room for more requests."""
        if len(self.waiting) > MOST_WAITING:
            async with self.written:
                await self.written.wait_for(lambda: len(self.waiting) <= MOST_WAITING)

    async def settled(self) -> None:
        """Return when everything that was put in is in the database."""
        last = self.waiting[-1] if self.waiting else None
        if last is not None:
            async with self.written:
                await self.written.wait_for(lambda: not any(row is last for row in self.waiting))

    async def run(self) -> None:
        """Write until cancelled; what cannot be written is tried again."""
        while True:
            await asyncio.sleep(RETRY_SECONDS if self.trouble else EVERY_SECONDS)
            if self.waiting:
                await self.flush()

    async def flush(self) -> None:
        """Write what waits."""
        batch = list(self.waiting)
        try:
            await asyncio.get_running_loop().run_in_executor(self.writer, self.store.book.save, batch)
        except SQLAlchemyError as error:
            self.note_trouble(error)
            return
        self.trouble = ""
        async with self.written:
            del self.waiting[: len(batch)]
            self.written.notify_all()

    def close(self) -> None:
        """End the threads."""
        self.writer.shutdown()
        self.readers.shutdown()
