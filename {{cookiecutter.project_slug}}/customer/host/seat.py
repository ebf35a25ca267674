"""One player in the tournament: asks it a block of cases on time, whatever the others do.

The pace follows the player: who answers is asked faster, up to twice, who fails slower; everybody is asked the same.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from customer.host import keys
from customer.host.block import Block
from customer.host.book import Ask
from customer.host.clock import GameClock, Heart
from customer.host.ledger import Ledger
from customer.host.roster import ASIDE, LEFT, PLAYING, PlayerRow
from customer.referee import Referee, Verdict, asked_again
from customer.rounds import Case

SET_ASIDE, HOSTS_FAULT = "set aside", "host's fault"
FAIR_TRIES = 3
START_PACE, FASTEST, SLOWEST = 1.25, 2.0, 1.0  # times the slowest that still asks a whole block in its time
FASTER, SLOWER = 1.02, 0.9
FAILS_IN_A_ROW = 3  # then the player is tested


def points(verdict: Verdict) -> int:
    """Return what a request earns: +1, 0 or -1; what the host spoilt costs nothing."""
    return 0 if verdict.reason == HOSTS_FAULT else verdict.points


@dataclass(frozen=True)
class Table:
    """What all seats share."""

    clock: GameClock
    heart: Heart
    ledger: Ledger
    secret: str
    suspect: Callable[["Seat"], None]  # called when a player has failed several times in a row


class Seat:
    """One player's place at the table."""

    def __init__(self, row: PlayerRow, referee: Referee, table: Table) -> None:
        self.row, self.referee, self.table = row, referee, table
        self.state, self.why = row.state, row.why
        self.pace = START_PACE
        self.fails = 0
        self.last: tuple[str, Verdict] | None = None
        self.offset = keys.share(table.secret, row.id)

    def plays(self, block_id: int) -> bool:
        """Tell whether this player is asked the block."""
        first = self.row.first_block
        return self.state in (PLAYING, ASIDE) and first is not None and first <= block_id

    async def play(self, block: Block, done: set[tuple[int, int]]) -> None:
        """Ask everything of a block that is not *done*; returns when all of it is over."""
        step = block.window / len(block.cases)
        moment = block.start + self.offset * step
        async with asyncio.TaskGroup() as asking:
            for number in keys.order(self.table.secret, block.id, self.row.id, list(block.cases)):
                if not block.left(self.row.id, number, done):
                    continue
                await self.table.clock.until(moment)
                await self.table.ledger.room()
                if self.state == LEFT:
                    return
                asking.create_task(self.ask(block, number, moment))
                moment += step / self.pace

    async def ask(self, block: Block, number: int, planned: float) -> None:
        """Ask about one case and write down what became of it."""
        request_id = keys.request_id(self.table.secret, block.again or block.play_id, self.row.id, number)
        late, at = self.table.clock.now() - planned, time.time()
        verdict = Verdict(SET_ASIDE)
        if self.state == PLAYING:
            verdict = await self.ask_fairly(request_id, block.cases[number])
        if block.again:
            verdict = asked_again(verdict, block.first[self.row.id, number])
        self.table.ledger.put(
            Ask(
                block_id=block.id,
                player_id=self.row.id,
                number=number,
                play_id=block.play_id,
                request_id=request_id,
                reason=verdict.reason,
                points=points(verdict),
                ms=verdict.milliseconds,
                late_ms=round(1000 * late, 2),
                asked_at=at,
                answer=verdict.answer.replace("\0", "\ufffd"),  # PostgreSQL holds no NUL
                said=verdict.said,
            )
        )
        self.learn(request_id, verdict)

    async def ask_fairly(self, request_id: str, case: Case) -> Verdict:
        """Ask; ask again under the same id when a failure may be the host's own."""
        for number in range(FAIR_TRIES):
            since = time.monotonic()
            verdict = await self.referee.ask(request_id, case.features, case.label, self.told())
            if not self.table.heart.at_fault(verdict, since, self.referee.deadline, last=number == FAIR_TRIES - 1):
                return verdict
        return Verdict(HOSTS_FAULT)

    def told(self) -> dict[str, str]:
        """Return the headers that tell the player what became of its last request, but not whether it was right."""
        if self.last is None:
            return {}
        request_id, verdict = self.last
        return {
            "X-Last-Request": request_id,
            "X-Last-Verdict": seen_by_player(verdict.reason, closed=False),
            "X-Last-Latency-Ms": f"{verdict.milliseconds:.0f}",
        }

    def learn(self, request_id: str, verdict: Verdict) -> None:
        """Follow the player with the pace, and call for a test when it keeps failing."""
        self.last = (request_id, verdict)
        if verdict.answered or verdict.reason == HOSTS_FAULT:
            self.fails, self.pace = 0, min(FASTEST, self.pace * FASTER)
            return
        self.fails, self.pace = self.fails + 1, max(SLOWEST, self.pace * SLOWER)
        if self.fails >= FAILS_IN_A_ROW and self.state == PLAYING:
            self.table.suspect(self)


def seen_by_player(reason: str, closed: bool) -> str:
    """Return a reason as the player may see it: right or wrong only when everybody has answered."""
    return reason if closed or reason not in ("correct", "wrong") else "answered"
