"""A process that asks for a host elsewhere: it takes blocks from the queue, asks, and writes down what became of it."""

import asyncio
import json
import logging
import time
from contextlib import AsyncExitStack, suppress
from dataclasses import replace

import aiohttp
from procrastinate import App, RetryStrategy
from procrastinate.exceptions import ConnectorException

from customer.contract import Contract
from customer.errors import CustomerError
from customer.host.addresses import CheckedResolver, Guard
from customer.host.block import Block, read_block
from customer.host.clock import GameClock, Heart
from customer.host.ledger import RETRY_SECONDS, Ledger
from customer.host.places import MOST_PLAYERS, Terms, make_referee
from customer.host.queue import BEAT_SECONDS, DEAD_SECONDS, QUEUE, TASK, open_queue
from customer.host.roster import PlayerRow
from customer.host.seat import Seat, Table
from customer.host.start import Say, listen_for_stop, more_files, until_stopped
from customer.host.store import ENDED, Store, first_line
from customer.referee import open_session

log = logging.getLogger(__name__)
LOOK_SECONDS = 0.25
TOO_LATE = 1.0  # seconds: who is taken later than this begins now, instead of being asked in a burst


class Worker:
    """What a worker knows of its tournament."""

    def __init__(self, store: Store, session: aiohttp.ClientSession) -> None:
        self.store, self.session = store, session
        about = store.about()
        settings = json.loads(about["settings"])
        self.terms = Terms(Contract(**settings["contract"]), tuple(settings["labels"]), settings["deadline"])
        self.clock, self.heart, self.ledger = GameClock(), Heart(), Ledger(store)
        # Who fails is seen, and tested, by the host.
        self.table = Table(self.clock, self.heart, self.ledger, str(about["secret"]), lambda seat: None)
        self.seats: dict[int, Seat] = {}
        self.blocks: dict[int, asyncio.Task[Block]] = {}
        self.ahead = 0.0  # the database's clock, less this process's own

    async def ask(self, player: int, block: int, start: float) -> None:
        """Ask a player a block from *start* on, a time of the database's clock; returns when it is written down."""
        if player not in self.seats:
            await self.look()
        if block not in self.blocks:
            self.blocks[block] = asyncio.create_task(self.ledger.fetch(read_block, self.store.book, block))
        found = await self.blocks[block]
        done = await self.ledger.fetch(self.store.book.asked, block, player)
        late = time.monotonic() + self.ahead - start
        begins = self.clock.now() - (late if late < TOO_LATE else 0)
        await self.seats[player].play(replace(found, start=begins), done)
        await self.ledger.settled()

    async def follow(self) -> None:
        """Do as the host decides, until the tournament is over."""
        while await self.look():
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> bool:
        """Take over what the host has decided: pause, go on, who came, left or moved; returns whether it goes on."""
        about = await self.ledger.fetch(self.store.about)
        self.ahead = await self.ledger.fetch(self.store.now) - time.monotonic()
        if about["paused"]:
            self.clock.pause()
        else:
            self.clock.resume()
        for row in await self.ledger.fetch(self.store.roster.players):
            self.take(row)
        return bool(about["phase"] != ENDED)

    def take(self, row: PlayerRow) -> None:
        """Let a player stand as the database says."""
        seat = self.seats.get(row.id)
        if seat is None or (seat.row.url, seat.row.label_key) != (row.url, row.label_key):
            referee = make_referee(self.session, row, self.terms, self.table.secret)
            seat = self.seats[row.id] = seat or Seat(row, referee, self.table)
            seat.referee = referee
        seat.row, seat.state, seat.why = row, row.state, row.why


def run(address: str, say: Say) -> None:
    """Be a worker of the tournament in the database at *address*; raises CustomerError when there is none."""
    more_files()
    store = Store(address)
    try:
        store.check_there()
        asyncio.run(work(store, say))
    except ConnectorException as error:
        raise CustomerError(f"{store.address} cannot be used: {first_line(error.__cause__ or error)}") from None
    finally:
        store.close()


async def work(store: Store, say: Say) -> None:
    """Ask until the tournament is over, or the process is asked to stop: then what it has begun is finished first."""
    queue = open_queue(store.engine)
    async with AsyncExitStack() as stack:
        guard = Guard(**json.loads(store.about()["settings"])["guard"])
        session = await stack.enter_async_context(open_session(CheckedResolver(guard)))
        worker = Worker(store, session)
        stack.callback(worker.ledger.close)
        queue.task(name=TASK, queue=QUEUE, retry=RetryStrategy(wait=1))(worker.ask)
        await stack.enter_async_context(queue.open_async())
        await worker.look()
        helping = [asyncio.create_task(each) for each in (worker.heart.beat(), worker.ledger.run())]
        taking, following = asyncio.create_task(take_jobs(queue)), asyncio.create_task(worker.follow())
        say(f"Asks for the tournament in {store.address}, until that is over. Ctrl-C: after the blocks it has begun.")
        await until_stopped(listen_for_stop(), following)
        for task in (following, taking, *helping):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def take_jobs(queue: App) -> None:
    """Take jobs until cancelled, then finish those that are begun; while the database is away, wait for it."""
    while True:
        try:
            await queue.run_worker_async(
                queues=[QUEUE], concurrency=MOST_PLAYERS, delete_jobs="always", fetch_job_polling_interval=LOOK_SECONDS,
                update_heartbeat_interval=BEAT_SECONDS, stalled_worker_timeout=DEAD_SECONDS,
                install_signal_handlers=False,
            )  # fmt: skip
        except ConnectorException as error:
            log.warning("the queue is away: %s", error)
        except Exception:  # a worker that takes nothing any more would look as if it lived
            log.exception("the queue failed")
        await asyncio.sleep(RETRY_SECONDS)
