"""Plays the rounds against a player: asks everything once, brings the labels late, keeps every result."""

import asyncio
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from customer.contract import Contract
from customer.errors import NoPlayer
from customer.postman import Postman
from customer.referee import DEADLINE_SECONDS, REFUSED, Player, Referee, Verdict, asked_again, open_session
from customer.rounds import Case, Round, draw_cases
from customer.score import GameResult, Result, RoundScore, score

WARM_UP = "warm-up"
WARM_UP_TRIES = 10
WARM_UP_PAUSE_SECONDS = 0.5

Watcher = Callable[[Result], None]


@dataclass(frozen=True)
class Question:
    """What is asked under an id; in the last round with what was said when it came *first*."""

    request_id: str
    case: Case
    first: str | None = None


def ignore(result: Result) -> None:
    """Watch a game without doing anything."""


async def play(
    player: Player,
    rounds: list[Round],
    seed: int,
    contract: Contract,
    *,
    deadline: float = DEADLINE_SECONDS,
    watch: Watcher = ignore,
    pause: float = WARM_UP_PAUSE_SECONDS,
    kill: Callable[[], None] | None = None,
) -> GameResult:
    """Play *rounds* against *player* and return the result; *watch* sees each result as it comes.

    The cases and their order depend on *seed* alone; the ids of the requests are new in every game, so that no
    player can answer from memory. *kill* kills the player and starts it again, before a round that asks again what the
    round before it has asked. Raises NoPlayer when the warm-up ends without a prediction.
    """
    begun = Beginning(player.url, seed, rounds[0].population.truth_known)
    async with open_session() as session:
        referee = Referee(session, player, contract, rounds[0].population.labels, deadline)
        seat = Seat(referee, uuid.uuid4(), watch)
        case = draw_cases(rounds[0], seed)[0]
        try:
            warm_up_asked = await seat.warm_up(case, pause)
        except NoPlayer as error:
            asked = [score(WARM_UP, seat.results, [case.best] * len(seat.results))]
            error.result = begun.result(seat, asked, len(seat.results))
            raise
        scores = []
        for part in rounds:
            if part.again and kill:
                await asyncio.to_thread(kill)
            scores.append(await seat.play_round(part, seed))
        seconds = begun.seconds()  # what labels take after the last request is no playing time
        await seat.postman.flush()
    return begun.result(seat, scores, warm_up_asked, seconds)


class Beginning:
    """What is known when a game begins, and makes its result when it has ended."""

    def __init__(self, url: str, seed: int, truth_known: bool) -> None:
        self.url, self.seed, self.truth_known = url, seed, truth_known
        self.started_at, self.started = datetime.now(UTC), time.perf_counter()

    def seconds(self) -> float:
        """Return how long the game has taken so far."""
        return round(time.perf_counter() - self.started, 2)

    def result(
        self, seat: "Seat", scores: list[RoundScore], warm_up_asked: int, seconds: float | None = None
    ) -> GameResult:
        """Return the result: what was asked on *seat*, and what became of the labels."""
        return GameResult(
            url=self.url,
            seed=self.seed,
            started_at=self.started_at.isoformat(timespec="seconds"),
            seconds=self.seconds() if seconds is None else seconds,
            truth_known=self.truth_known,
            rounds=scores,
            results=seat.results,
            warm_up_asked=warm_up_asked,
            labels_sent=seat.postman.sent,
            labels_lost=len(seat.postman.waiting),
            labels_trouble=seat.postman.trouble,
        )


class Seat:
    """One player's seat in one game: its referee, its postman and its results so far."""

    def __init__(self, referee: Referee, game_id: uuid.UUID, watch: Watcher) -> None:
        self.referee, self.game_id, self.watch = referee, game_id, watch
        self.postman = Postman(referee)
        self.results: list[Result] = []
        self.asked: list[Question] = []  # in the round before

    async def warm_up(self, case: Case, pause: float) -> int:
        """Ask about the same case until there is a prediction; return how often that was. No points."""
        verdict, asked = Verdict(REFUSED), list[Result]()
        for number in range(WARM_UP_TRIES):
            asked.append(await self.ask(WARM_UP, self.question(WARM_UP, number, case)))
            verdict = asked[-1].verdict
            if verdict.answered:
                return number + 1
            await asyncio.sleep(pause)
        self.results = asked
        url = self.referee.player.url
        hint = "start it with `player serve`" if verdict.reason == REFUSED else "its log says more"
        raise NoPlayer(f"No prediction from {url} in {WARM_UP_TRIES} attempts (last: {verdict.reason}); {hint}.")

    async def play_round(self, part: Round, seed: int) -> RoundScore:
        """Ask about every case of a round, some at the same time, and return its figures."""
        asked = self.again(seed) if part.again else self.new(part, seed)
        numbers = iter(range(len(asked)))
        results: dict[int, Result] = {}
        started = time.monotonic()

        async def work() -> None:
            for number in numbers:
                if part.rate:
                    await asyncio.sleep(started + number / part.rate - time.monotonic())
                results[number] = await self.ask(part.name, asked[number])
                self.watch(results[number])
                if results[number].verdict.answered and not part.again:
                    self.postman.keep(results[number].request_id, asked[number].case.label, part.label_delay)
                self.postman.tick()

        async with asyncio.TaskGroup() as workers:
            for _ in range(part.parallel):
                workers.create_task(work())
        in_order = [results[number] for number in range(len(asked))]
        self.results += in_order
        self.asked = asked
        return score(part.name, in_order, [part.again or each.case.best for each in asked])

    def new(self, part: Round, seed: int) -> list[Question]:
        """Return the questions of a round."""
        return [self.question(part.name, number, case) for number, case in enumerate(draw_cases(part, seed))]

    def again(self, seed: int) -> list[Question]:
        """Return the questions of the round before in another order, with what was said then."""
        said = {each.request_id: each.verdict.said for each in self.results}
        order = np.random.default_rng(seed).permutation(len(self.asked)).tolist()
        return [replace(self.asked[number], first=said[self.asked[number].request_id]) for number in order]

    def question(self, name: str, number: int, case: Case) -> Question:
        """Return a case with an id that says nothing about it."""
        return Question(str(uuid.uuid5(self.game_id, f"{name} {number}")), case)

    async def ask(self, name: str, asked: Question) -> Result:
        """Ask one question."""
        verdict = await self.referee.ask(asked.request_id, asked.case.features, asked.case.label)
        if asked.first is not None:
            verdict = asked_again(verdict, asked.first)
        return Result(name, asked.request_id, verdict)


def describe(result: GameResult) -> dict[str, Any]:
    """Return a game as plain JSON values, with every request."""
    requests = [
        {
            "round": each.round,
            "request_id": each.request_id,
            "points": each.verdict.points,
            "reason": each.verdict.reason,
            "ms": each.verdict.milliseconds,
        }
        for each in result.results
    ]
    return result.to_dict() | {"requests": requests}
