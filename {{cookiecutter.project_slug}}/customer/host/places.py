"""Who sits at the table: players come, are tested, move, are set aside, come back and leave."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import aiohttp

from customer.contract import Contract
from customer.errors import CustomerError
from customer.host import keys, names
from customer.host.addresses import Guard
from customer.host.ledger import Ledger
from customer.host.plan import Plan
from customer.host.plumbing import Finding
from customer.host.prober import Prober
from customer.host.roster import LEFT, NEW, PLAYING, PlayerRow
from customer.host.seat import Seat, Table
from customer.referee import DEADLINE_SECONDS, Player, Referee
from customer.rounds import Case, Population

LONGEST_KEY = 200
MOST_PLAYERS = 1000


@dataclass(frozen=True)
class Rules:
    """What is played: cases, contract, rounds, the deadline; *automatic*: rounds follow each other unasked."""

    population: Population
    contract: Contract
    plans: Sequence[Plan]
    deadline: float = DEADLINE_SECONDS
    automatic: bool = False


@dataclass(frozen=True)
class Terms:
    """What has to be known to ask a player and to judge its answers."""

    contract: Contract
    labels: tuple[Any, ...]
    deadline: float


def make_referee(
    session: aiohttp.ClientSession, row: PlayerRow, terms: Terms, secret: str, peek: bool = False
) -> Referee:
    """Return what asks a player; what it sends is signed with the player's key."""
    sign = keys.signer(keys.player_key(secret, row.id, row.name))
    return Referee(session, Player(row.url, row.label_key), terms.contract, terms.labels, terms.deadline, sign, peek)


class Places:
    """The seats, by the players' numbers."""

    def __init__(self, rules: Rules, table: Table, session: aiohttp.ClientSession, guard: Guard, case: Case) -> None:
        self.rules, self.table, self.session, self.guard = rules, table, session, guard
        self.ledger: Ledger = table.ledger
        self.roster = self.ledger.store.roster
        self.prober = Prober(case, self.probing_referee, self.change)
        self.seats: dict[int, Seat] = {}
        self.changed = asyncio.Event()
        self.open = True

    async def take_all(self) -> None:
        """Give everybody who is registered a seat."""
        for row in await self.ledger.read(self.roster.players):
            if row.id not in self.seats:
                self.take(row)

    def take(self, row: PlayerRow) -> Seat:
        """Give a player its seat, and test it where that is still to be done."""
        seat = self.seats[row.id] = Seat(row, self.make_referee(row), self.table)
        if seat.state not in (PLAYING, LEFT) and self.open:
            self.prober.watch(seat)
        return seat

    def make_referee(self, row: PlayerRow, peek: bool = False) -> Referee:
        """Return what asks a player."""
        terms = Terms(self.rules.contract, self.rules.population.labels, self.rules.deadline)
        return make_referee(self.session, row, terms, self.table.secret, peek)

    def probing_referee(self, seat: Seat) -> Referee:
        """Return what tests the player on this seat."""
        return self.make_referee(seat.row, peek=True)

    async def change(self, seat: Seat, state: str, why: str) -> None:
        """Let a player stand otherwise, and write it down."""
        first = await self.ledger.write(self.roster.set_state, seat.row.id, state, why)
        seat.row = replace(seat.row, state=state, why=why, first_block=first)
        seat.state, seat.why, seat.fails = state, why, 0
        self.changed.set()

    async def join(self, name: str, url: str, label_key: str = "", look: bool = True) -> tuple[Seat, Finding | None]:
        """Register a player and, with *look*, test it once; raises CustomerError when that cannot be."""
        if not self.open:
            raise CustomerError("The tournament is over; nobody can join any more.")
        shown, name_key = names.clean(name)
        check_key(label_key)
        address, url_key = await self.guard.check(url)
        row = await self.ledger.write(self.roster.add, shown, name_key, address, url_key, label_key)
        seat = self.take(row)
        self.changed.set()
        return seat, await self.prober.look(seat) if look else None

    async def move(self, seat: Seat, url: str, label_key: str) -> Finding:
        """Let a player answer from another address from now on, and test it there."""
        check_key(label_key)
        address, url_key = await self.guard.check(url)
        await self.ledger.write(self.roster.move, seat.row.id, address, url_key, label_key)
        seat.row = replace(seat.row, url=address, label_key=label_key)
        seat.referee = self.make_referee(seat.row)
        if seat.state == LEFT:
            await self.change(seat, NEW, "not tested yet")
        if seat.state != PLAYING:
            self.prober.watch(seat)
        return await self.prober.look(seat)

    def of(self, key: str) -> Seat | None:
        """Return the seat whose player has this key."""
        number = key.partition("-")[0]
        seat = self.seats.get(int(number)) if number.isascii() and number.isdecimal() and len(number) < 9 else None
        wanted = keys.player_key(self.table.secret, seat.row.id, seat.row.name) if seat else "nobody"
        return seat if keys.is_key(key, wanted) and seat else None

    def key_of(self, seat: Seat) -> str:
        """Return the key of the player on a seat."""
        return keys.player_key(self.table.secret, seat.row.id, seat.row.name)


def check_key(key: str) -> None:
    """Raise CustomerError when a player's key for labels cannot travel in a header."""
    if not (key.isascii() and key.isprintable() and len(key) <= LONGEST_KEY):
        raise CustomerError(f"The key for labels must be at most {LONGEST_KEY} plain characters, without line breaks.")
