"""Tests players until their plumbing works, sets aside who keeps failing, and brings back who answers again."""

import asyncio
from collections.abc import Awaitable, Callable

from customer.host.plumbing import Finding, probe
from customer.host.roster import ASIDE, LEFT, NEW, PLAYING
from customer.host.seat import Seat
from customer.referee import Referee
from customer.rounds import Case

BAD_PROBES, GOOD_PROBES = 3, 2  # to be set aside, and to come back
EVERY_SECONDS, QUICK_SECONDS = 2.0, 0.5

Change = Callable[[Seat, str, str], Awaitable[None]]


class Prober:
    """One test at a time for each player that needs it; *change* is told when a player stands otherwise."""

    def __init__(self, case: Case, make_referee: Callable[[Seat], Referee], change: Change) -> None:
        self.case, self.make_referee, self.change = case, make_referee, change
        self.tests: dict[int, asyncio.Task[None]] = {}
        self.findings: dict[int, Finding] = {}

    def watch(self, seat: Seat) -> None:
        """Test a player until it is clear how it stands."""
        running = self.tests.get(seat.row.id)
        if running is None or running.done():
            self.tests[seat.row.id] = asyncio.create_task(self.test(seat))

    async def look(self, seat: Seat) -> Finding:
        """Test a player once."""
        finding = await probe(self.make_referee(seat), self.case)
        self.findings[seat.row.id] = finding
        return finding

    async def test(self, seat: Seat) -> None:
        """Test a new player until it works, one that fails until it is set aside or not, one aside until it is back."""
        if seat.state == PLAYING and not await self.fails_again(seat):
            seat.fails = 0
            return
        if seat.state == PLAYING:
            await self.change(seat, ASIDE, self.findings[seat.row.id].advice)
        good = 0
        while seat.state in (NEW, ASIDE):
            finding = await self.look(seat)
            good = good + 1 if finding.works else 0
            if good >= (GOOD_PROBES if seat.state == ASIDE else 1):
                await self.change(seat, PLAYING, "")
                return
            if not finding.works and finding.advice != seat.why:
                await self.change(seat, seat.state, finding.advice)
            await asyncio.sleep(QUICK_SECONDS if finding.works else EVERY_SECONDS)

    async def fails_again(self, seat: Seat) -> bool:
        """Tell whether three tests in a row fail."""
        for _ in range(BAD_PROBES):
            if (await self.look(seat)).works or seat.state == LEFT:
                return False
            await asyncio.sleep(QUICK_SECONDS)
        return True

    def stop(self) -> None:
        """End all tests."""
        for task in self.tests.values():
            task.cancel()
