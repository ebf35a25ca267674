"""What the tests of the tournament share: one played in this process, against simulated players."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import select

from customer.contract import Contract
from customer.host.addresses import CheckedResolver, Guard
from customer.host.control import Control
from customer.host.places import Rules
from customer.host.plan import Plan
from customer.host.store import Store
from customer.host.tables import asks
from customer.host.tournament import Tournament
from customer.referee import open_session
from customer.rounds import the_world
from tests.customer.rivals import Rival, serving

SHORT = Plan("as trained", minutes=20 / 60 / 50, rate=50, block=5)


def rules(*plans: Plan, deadline: float = 20.0, automatic: bool = False) -> Rules:
    """Return the rules of a short game."""
    return Rules(the_world(), Contract(), plans or (SHORT,), deadline, automatic)


@asynccontextmanager
async def a_table(
    database: Path | str, rivals: Sequence[Rival] = (), rule: Rules | None = None, seed: int | None = 7
) -> AsyncIterator[tuple[Tournament, Control]]:
    """Set the table: a running tournament in which the *rivals* serve and are registered."""
    store = Store(f"sqlite:///{database}" if isinstance(database, Path) else database)
    store.begin(seed, {})
    async with AsyncExitStack() as stack:
        await serving(stack, rivals)
        guard = Guard()
        session = await stack.enter_async_context(open_session(CheckedResolver(guard)))
        tournament = Tournament(rule or rules(), store, session, guard)
        await tournament.prepare()
        running = asyncio.create_task(tournament.run())
        known = {row.name for row in store.roster.players()}
        for rival in rivals:
            if rival.name not in known:
                await tournament.places.join(rival.name, rival.url)
        yield tournament, Control(tournament, lambda: {"frozen": True})
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        tournament.ledger.close()
        store.close()


async def until(condition: Callable[[], Any], seconds: float = 240.0) -> None:
    """Wait until something holds; fails when it does not come."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


async def play_out(tournament: Tournament, control: Control, rounds: int = 1) -> None:
    """Play some rounds by hand, to the end."""
    for _ in range(rounds):
        done = len([play for play in tournament.store.book.plays() if play.state == "done"])
        await control.do("next", {})
        await until(lambda done=done: [p.state for p in tournament.store.book.plays()].count("done") > done)  # type: ignore[misc]
        await until(lambda: tournament.current is None)


async def everybody_plays(tournament: Tournament) -> None:
    """Wait until every player's plumbing works."""
    await until(lambda: all(seat.state == "playing" for seat in tournament.places.seats.values()))


def rows(store: Store) -> list[Any]:
    """Return every request in the database."""
    with store.engine.connect() as connection:
        return list(connection.execute(select(asks).order_by(asks.c.asked_at)))


def points(store: Store) -> dict[str, int]:
    """Return what everybody has in the database, by name."""
    names = {row.id: row.name for row in store.roster.players()}
    total = dict.fromkeys(names.values(), 0)
    for row in rows(store):
        total[names[row.player_id]] += row.points
    return total
