"""Two clocks: the game's, which stands still in a pause, and the heart, which knows when the host itself was late.

Both count seconds that no change of the machine's time of day can move.
"""

import asyncio
import time
from collections import deque

from customer.referee import NO_NETWORK, TIMEOUTS, Verdict

BEAT, BEATS = 0.02, 3000
OWN_SHARE, LAST_SHARE = 0.1, 0.5  # of the deadline: when the host slept longer, the timeout is its own


class GameClock:
    """Seconds of play: stands still while the game is paused."""

    def __init__(self) -> None:
        self.lost, self.paused_at = 0.0, 0.0
        self.going = asyncio.Event()
        self.going.set()

    def now(self) -> float:
        """Return the seconds of play."""
        return (self.paused_at if not self.going.is_set() else time.monotonic()) - self.lost

    def pause(self) -> None:
        """Stop the clock."""
        if self.going.is_set():
            self.paused_at = time.monotonic()
            self.going.clear()

    def resume(self) -> None:
        """Let the clock go on where it stopped."""
        if not self.going.is_set():
            self.lost += time.monotonic() - self.paused_at
            self.going.set()

    async def until(self, moment: float) -> None:
        """Return at *moment*, and never while the clock stands still."""
        await self.going.wait()
        while (left := moment - self.now()) > 0:
            await asyncio.sleep(left)
            await self.going.wait()


class Heart:
    """Beats fifty times a second; a beat that comes late means that the host was busy, and was so for everybody."""

    def __init__(self) -> None:
        self.late: deque[tuple[float, float]] = deque(maxlen=BEATS)

    async def beat(self) -> None:
        """Beat until cancelled."""
        while True:
            due = time.monotonic() + BEAT
            await asyncio.sleep(BEAT)
            self.late.append((due, time.monotonic() - due))

    def worst(self, since: float) -> float:
        """Return the longest delay of a beat that was due after *since*, in seconds."""
        worst = 0.0
        for due, late in reversed(tuple(self.late)):  # a page asks from its own thread
            if due + late < since:
                break
            worst = max(worst, late)
        return worst

    def at_fault(self, verdict: Verdict, since: float, deadline: float, last: bool = False) -> bool:
        """Tell whether a failure may be the host's own: it could not send, or slept while it should have listened.

        At the *last* try only a long sleep is an excuse: who hangs every time is to blame, however busy the host.
        """
        if verdict.reason == NO_NETWORK:
            return True
        share = LAST_SHARE if last else OWN_SHARE
        return verdict.reason in TIMEOUTS and self.worst(since) > share * deadline
