"""What the host can want of a running tournament; the page and the command line both come here."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from customer.errors import CustomerError
from customer.host.plan import Plan
from customer.host.roster import LEFT
from customer.host.seat import Seat
from customer.host.store import ENDED
from customer.host.tournament import Tournament

Words = Mapping[str, str]


class Control:
    """The host's levers. Each takes the words it was given and returns a sentence that says what happens now."""

    def __init__(self, tournament: Tournament, board: Callable[[], Any]) -> None:
        self.tournament, self.board = tournament, board
        self.levers: dict[str, Callable[[Words], Awaitable[str]]] = {
            "next": self.next,
            "repeat": self.repeat,
            "stop": self.stop,
            "pause": self.pause,
            "resume": self.resume,
            "freeze": self.freeze,
            "thaw": self.thaw,
            "void": self.void,
            "test": self.test,
            "remove": self.remove,
            "end": self.end,
        }

    async def do(self, name: str, words: Words) -> str:
        """Pull one lever; raises CustomerError when there is none of this name, or it cannot be pulled now."""
        if name not in self.levers:
            raise CustomerError(f"There is no {name!r}; there are {', '.join(self.levers)}.")
        return await self.levers[name](words)

    async def next(self, words: Words) -> str:
        """Begin the timetable's next round; one that is being played ends with this block."""
        played = await self.must_go_on()
        plan = self.tournament.coming(played)
        if plan is None:
            raise CustomerError("The timetable has no more rounds: repeat one, or end the tournament.")
        return self.order(plan)

    async def repeat(self, words: Words) -> str:
        """Play the round before once more, with new cases; the last round with the same ones."""
        played = await self.must_go_on()
        if not played:
            raise CustomerError("Nothing was played yet; begin with next.")
        return self.order(played[-1].plan)

    async def must_go_on(self) -> Any:
        """Return the rounds played; raises CustomerError when no further one can be ordered."""
        if self.tournament.phase == ENDED:
            raise CustomerError("The tournament is over.")
        if not self.tournament.orders.empty():
            raise CustomerError("A round is ordered already; it begins when this block of cases is over.")
        return await self.tournament.ledger.read(self.tournament.store.book.plays)

    def order(self, plan: Plan) -> str:
        """Let a round be played as soon as the present one has ended."""
        self.tournament.stopping = self.tournament.current is not None
        self.tournament.orders.put_nowait(plan)
        return f"{plan.name} begins{' when this block of cases is over' if self.tournament.stopping else ''}."

    async def stop(self, words: Words) -> str:
        """End the round that is being played with this block of cases."""
        if self.tournament.current is None:
            raise CustomerError("No round is being played.")
        self.tournament.stopping = True
        return f"Round {self.tournament.current.id} ends when this block of cases is over."

    async def end(self, words: Words) -> str:
        """End the tournament, after the block that is being played."""
        if self.tournament.phase == ENDED:
            raise CustomerError("The tournament is over already.")
        self.tournament.stopping = True
        self.tournament.orders.put_nowait(None)
        await self.resume({})
        return "The tournament ends; the pages stay until the host is stopped."

    async def pause(self, words: Words) -> str:
        """Let nobody be asked until it goes on."""
        self.tournament.clock.pause()
        await self.note(paused=True)
        return "Paused: nobody is asked; what is on its way is still counted."

    async def resume(self, words: Words) -> str:
        """Go on after a pause."""
        await self.note(paused=False)
        self.tournament.clock.resume()
        return "It goes on."

    async def freeze(self, words: Words) -> str:
        """Let the public board stand still."""
        self.tournament.frozen = json.dumps(self.board())
        await self.note(frozen=self.tournament.frozen)
        return "The board stands still until it is thawed; the game goes on."

    async def thaw(self, words: Words) -> str:
        """Let the public board move again."""
        self.tournament.frozen = None
        await self.note(frozen=None)
        return "The board moves again."

    async def void(self, words: Words) -> str:
        """Let a round not count, for a reason that everybody sees; one that is being played ends."""
        why = " ".join(words.get("why", "").split())[:200]
        if not why:
            raise CustomerError("Say why the round does not count: everybody will read it.")
        play_id = number(words.get("round", ""))
        await self.tournament.ledger.write(self.tournament.store.book.void, play_id, why)
        if self.tournament.current and self.tournament.current.id == play_id:
            self.tournament.stopping = True
        await self.tournament.count_again()
        return f"Round {play_id} does not count: {why}"

    async def test(self, words: Words) -> str:
        """Test a player's plumbing, free of points."""
        seat = self.find(words)
        finding = await self.tournament.places.prober.look(seat)
        return f"{seat.row.name}: {finding.advice}"

    async def remove(self, words: Words) -> str:
        """Take a player out of the game; its points stay."""
        seat = self.find(words)
        await self.tournament.places.change(seat, LEFT, "taken out by the host")
        return f"{seat.row.name} is not asked any more."

    def find(self, words: Words) -> Seat:
        """Return the seat of a player named by number or by name."""
        wanted = words.get("player", "")
        for seat in self.tournament.places.seats.values():
            if wanted in (str(seat.row.id), seat.row.name):
                return seat
        raise CustomerError(f"There is no player {wanted!r}.")

    async def note(self, **values: Any) -> None:
        """Write a change of the tournament down."""
        await self.tournament.ledger.write(self.tournament.store.set_tournament, **values)
        self.tournament.changed.set()


def number(text: str) -> int:
    """Return a round's number; raises CustomerError when it is none."""
    if not text.isascii() or not text.isdecimal() or len(text) > 9:
        raise CustomerError(f"{text!r} is no number of a round.")
    return int(text)
