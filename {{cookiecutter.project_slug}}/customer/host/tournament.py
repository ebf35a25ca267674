"""The tournament itself: plays the rounds, counts what everybody answered, and goes on where a crash has cut it short.

Everything that matters is in the database before it counts.
"""

import asyncio
import logging
import math
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import aiohttp

from customer.board.standings import Standings
from customer.errors import CustomerError
from customer.host.addresses import Guard
from customer.host.block import Block, read_block
from customer.host.book import RUNNING, Play
from customer.host.clock import GameClock, Heart
from customer.host.crew import Crew
from customer.host.draw import draw, draw_again, warm_up
from customer.host.labels import LabelPost
from customer.host.ledger import Ledger
from customer.host.places import Places, Rules
from customer.host.plan import LAST_ROUND, Plan
from customer.host.roster import LEFT
from customer.host.seat import Seat, Table
from customer.host.store import ENDED, Store

log = logging.getLogger(__name__)
LEAD_SECONDS = 0.5  # before its first request a block is made ready
CREW_LEAD_SECONDS = 2.0  # where workers have to take it first
SPREAD = 0.5  # of a block's time, in which its labels leave
LAST_LABELS_SECONDS = 20.0


class Tournament:
    """One tournament, from the first registration to the end."""

    def __init__(self, rules: Rules, store: Store, session: aiohttp.ClientSession, guard: Guard) -> None:
        self.rules, self.store = rules, store
        self.plans = [replace(plan, position=number) for number, plan in enumerate(rules.plans, 1)]
        about = store.about()
        self.seed, self.secret = int(about["seed"]), str(about["secret"])
        self.phase, self.frozen = str(about["phase"]), about["frozen"]
        self.clock, self.heart, self.ledger = GameClock(), Heart(), Ledger(store)
        if about["paused"]:
            self.clock.pause()
        table = Table(self.clock, self.heart, self.ledger, self.secret, self.suspect)
        self.places = Places(rules, table, session, guard, warm_up(rules.population, self.seed))
        self.places.open = self.phase != ENDED
        self.changed = self.places.changed
        self.post = LabelPost(self.ledger)
        self.crew: Crew | None = None  # who asks; nobody: this process does
        self.standings, self.counting = Standings(), asyncio.Lock()
        self.current: Play | None = None
        self.blocks_begun = 0  # of the present round
        self.stopping = False
        self.trouble = ""  # why a round could not begin
        self.next_at = 0.0  # when the next round begins by itself, on the clock of the wall; 0: when the host says so
        self.orders: asyncio.Queue[Plan | None] = asyncio.Queue()

    def suspect(self, seat: Seat) -> None:
        """Test a player that has failed several times in a row."""
        self.places.prober.watch(seat)

    async def prepare(self) -> None:
        """Give everybody who is registered a seat, and count what was answered before."""
        await self.places.take_all()
        await self.count_again()

    async def run(self) -> None:
        """Play until the host ends it, once prepared; what was begun before a crash goes on first."""
        background = [asyncio.create_task(self.heart.beat()), asyncio.create_task(self.ledger.run())]
        background += [asyncio.create_task(self.crew.watch())] if self.crew else []
        try:
            for block_id in await self.ledger.fetch(self.store.book.undelivered):
                await self.bring_labels(block_id)
            await self.play_rounds()
            await self.post.finish(LAST_LABELS_SECONDS)
        finally:
            self.places.prober.stop()
            self.post.stop()
            for task in background:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            if self.ledger.waiting:
                await self.ledger.flush()

    async def play_rounds(self) -> None:
        """Play the round a crash has cut short, then one after another as they are ordered."""
        for play in await self.ledger.fetch(self.store.book.plays):
            if play.state == RUNNING:
                await self.play_round(play)
        while self.phase != ENDED:
            plan = await self.next_order()
            if plan is None:
                await self.finish()
                return
            try:
                play = await self.begin(plan)
            except CustomerError as error:  # a table without enough rows: the host chooses another round
                self.trouble = str(error)
                self.changed.set()
            else:
                self.trouble = ""
                await self.play_round(play)

    async def next_order(self) -> Plan | None:
        """Return the round the host has ordered, or the timetable's next when rounds follow by themselves."""
        played = await self.ledger.fetch(self.store.book.plays)
        if not (self.rules.automatic and played) or self.trouble:
            return await self.orders.get()
        pause = 60 * played[-1].plan.pause
        self.next_at = time.time() + pause if self.coming(played) else 0.0
        with suppress(TimeoutError):
            return await asyncio.wait_for(self.orders.get(), pause)
        return self.coming(played)

    def coming(self, played: Sequence[Play]) -> Plan | None:
        """Return the timetable's next round, or None when there is none."""
        last = max((play.plan.position for play in played), default=0)
        return next((plan for plan in self.plans if plan.position > last), None)

    async def begin(self, plan: Plan) -> Play:
        """Draw the cases of a round, or take those of the round before, and write them down."""
        book = self.store.book
        if plan.name == LAST_ROUND.name:
            plan, drawn = await self.ledger.fetch(draw_again, book, plan)
        else:
            number = len(await self.ledger.fetch(book.plays)) + 1
            drawn = await self.ledger.fetch(draw, book, plan, self.rules.population, self.seed, number)
        return await self.ledger.write(book.start_play, plan, drawn)

    async def play_round(self, play: Play) -> None:
        """Ask everybody everything of a round that is not asked yet, block after block."""
        self.current, self.stopping, self.next_at = play, not self.orders.empty(), 0.0
        self.changed.set()
        book, lead = self.store.book, CREW_LEAD_SECONDS if self.crew else LEAD_SECONDS
        start, closings = self.clock.now() + lead, []
        for number in range(math.ceil(len(await self.ledger.fetch(book.cases, play.id)) / play.plan.block)):
            if self.stopping:
                break
            await self.clock.until(start - lead)
            block_id, closed = await self.ledger.write(book.open_block, play.id, number)
            self.blocks_begun = number
            if closed:
                continue
            block = replace(await self.ledger.fetch(read_block, book, block_id), start=start)
            closings.append(await self.ask_block(block))
            start = max(start + block.window, self.clock.now())
        await asyncio.gather(*closings)
        await self.ledger.write(book.end_play, play.id)
        self.current = None
        self.changed.set()

    async def ask_block(self, block: Block) -> "asyncio.Task[None]":
        """Let everybody be asked a block; the task it returns ends when all have answered."""
        done = await self.ledger.fetch(self.store.book.asked, block.id)
        seats = [seat for seat in self.places.seats.values() if seat.plays(block.id)]
        if self.crew:
            playing = [asyncio.create_task(self.crew.play(block, seats, done, block.start - self.clock.now()))]
        else:
            playing = [asyncio.create_task(seat.play(block, done)) for seat in seats]
        return asyncio.create_task(self.close(block, playing))

    async def close(self, block: Block, playing: Sequence["asyncio.Task[None]"]) -> None:
        """Wait until everybody has answered and it is written down; then count, and bring the labels."""
        for result in await asyncio.gather(*playing, return_exceptions=True):
            if isinstance(result, BaseException):
                log.error("a seat broke down", exc_info=result)
        await self.ledger.settled()
        async with self.counting:
            await self.ledger.write(self.store.book.close_block, block.id)
            outcomes = await self.ledger.fetch(self.store.book.outcomes, block.id)
            if (await self.ledger.fetch(self.store.book.play, block.play_id)).void is None:
                await self.ledger.fetch(self.standings.add_block, block.play_id, outcomes, bool(block.again))
        self.changed.set()
        await self.bring_labels(block.id, SPREAD * block.window)

    async def bring_labels(self, block_id: int, spread: float = 0.0) -> None:
        """Bring the labels of a block to all who have not got them, within *spread* seconds."""
        for player_id, pairs in (await self.ledger.fetch(self.store.book.labels, block_id)).items():
            seat = self.places.seats[player_id]
            if seat.state != LEFT:
                self.post.bring(seat, block_id, pairs, spread)

    async def count_again(self) -> None:
        """Count everything from the database: after a start, and when a round was made void."""
        standings, book = Standings(), self.store.book
        async with self.counting:
            again = {play.id for play in await self.ledger.fetch(book.plays) if play.plan.again}
            for play_id, block_id in await self.ledger.fetch(book.counted_blocks):
                outcomes = await self.ledger.fetch(book.outcomes, block_id)
                standings.add_block(play_id, outcomes, play_id in again)
            self.standings = standings
        self.changed.set()

    async def finish(self) -> None:
        """End the tournament."""
        self.phase, self.places.open = ENDED, False
        await self.ledger.write(self.store.set_tournament, phase=ENDED)
        self.changed.set()
