"""What no player can gain, and no other player can lose."""

import asyncio
import gzip
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from customer.contract import Contract
from customer.host import seat
from customer.host.clock import GameClock, Heart
from customer.host.seat import HOSTS_FAULT, SET_ASIDE, points, seen_by_player
from customer.referee import (
    CORRECT,
    DISCONNECTED,
    NO_NETWORK,
    NO_PREDICTION,
    NO_PROBABILITY,
    NOT_JSON,
    REFUSED,
    TIMEOUTS,
    TOO_LARGE,
    UNKNOWN_CLASS,
    WRONG,
    Player,
    Referee,
    Verdict,
    open_session,
)
from tests.customer.rivals import HOSTILE, Rival, always, contrary, http, rule, serving
from tests.customer.tournaments import a_table, everybody_plays, play_out, rows, rules, until
from tests.customer.tournaments import points as earned

NO_USE = (NOT_JSON, NO_PREDICTION, NO_PROBABILITY, UNKNOWN_CLASS)
FAILURES = (*TIMEOUTS, REFUSED, DISCONNECTED, TOO_LARGE, *NO_USE, SET_ASIDE, NO_NETWORK)


@given(st.sampled_from(FAILURES) | st.integers(100, 999).filter(lambda n: n != 200).map("status {}".format) | st.text())
@example("Correct")
def test_no_failure_earns_as_much_as_an_answer(reason: str) -> None:
    """Whatever the reason, no prediction earns less than a wrong one, and that less than a right one."""
    if reason in (CORRECT, WRONG, HOSTS_FAULT):
        return

    assert points(Verdict(reason)) < points(Verdict(WRONG)) < points(Verdict(CORRECT))


def test_a_fault_of_the_host_costs_nothing_and_earns_nothing() -> None:
    """What the host has spoilt is worth as much as a wrong answer: nobody can gain by it."""
    assert 0 == points(Verdict(HOSTS_FAULT)) == points(Verdict(WRONG))


@given(st.binary(max_size=300) | st.sampled_from([b'{"pred": 1}', b'{"pred": 0}']).map(gzip.compress))
@settings(max_examples=60)
def test_only_a_prediction_of_the_right_kind_earns_a_point(body: bytes) -> None:
    """Of any bytes a player sends, only those that are a JSON object with the right label earn a point."""

    async def ask() -> Verdict:
        async with AsyncExitStack() as stack:
            rival = Rival("any", always(http(body)))
            await serving(stack, [rival])
            session = await stack.enter_async_context(open_session())
            return await Referee(session, Player(rival.url), Contract(), (0, 1), 5.0).ask("id", {}, 1)

    verdict = asyncio.run(ask())

    assert points(verdict) < 1
    assert verdict.reason in FAILURES


@pytest.mark.parametrize("reason", [CORRECT, WRONG])
def test_right_or_wrong_is_told_when_everybody_has_answered(reason: str) -> None:
    """Before that a player is told that it answered, and every failure at once."""
    assert "answered" == seen_by_player(reason, closed=False)
    assert reason == seen_by_player(reason, closed=True)
    assert all(each == seen_by_player(each, closed=False) for each in FAILURES)


def test_hostile_players_change_nobody_elses_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Among every kind of hostile player the honest ones get exactly what their answers are worth, on time."""
    monkeypatch.setattr(Heart, "at_fault", lambda *about, **more: False)  # however busy this machine is
    good = [Rival("Ada"), Rival("Bob", contrary)]
    bad = [Rival(f"{kind}<b>", behave) for kind, behave in HOSTILE.items()]

    async def turn(rivals: list[Rival]) -> None:
        for rival, behave in zip(rivals, HOSTILE.values(), strict=True):
            rival.behave = behave

    async def play() -> tuple[Any, Any]:
        for rival in bad:
            rival.behave = good[0].behave  # they become hostile when the game has begun
        async with a_table(tmp_path / "t.db", [*good, *bad], rules(deadline=10.0)) as (tournament, control):
            await everybody_plays(tournament)
            await turn(bad)
            await play_out(tournament, control)
            return tournament.store, tournament.standings

    store, _ = asyncio.run(play())
    cases = store.book.cases(1)
    right = sum(rule(case.features) == case.label for case in cases)
    total = earned(store)

    assert (right, len(cases) - right) == (total["Ada"], total["Bob"])
    assert all(-len(cases) == total[rival.name] for rival in bad)


def test_a_timeout_while_the_host_slept_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of the host is not charged: the same request is asked again, and only then judged."""
    heart = Heart()
    heart.late.append((time.monotonic(), 1.0))

    assert heart.at_fault(Verdict(TIMEOUTS[0]), time.monotonic() - 1, deadline=2.0)
    assert heart.at_fault(Verdict(NO_NETWORK), time.monotonic(), deadline=2.0)
    assert not heart.at_fault(Verdict(TIMEOUTS[0]), time.monotonic() - 1, deadline=2.0, last=True)
    assert not heart.at_fault(Verdict(REFUSED), time.monotonic() - 1, deadline=2.0)
    assert not Heart().at_fault(Verdict(TIMEOUTS[0]), time.monotonic() - 1, deadline=2.0)

    rival = Rival("Ada")
    blamed = [True, True]  # the host is to blame twice

    def once(self: Heart, verdict: Verdict, since: float, deadline: float, last: bool) -> bool:
        return bool(blamed and blamed.pop())

    async def play() -> list[Any]:
        async with a_table(tmp_path / "t.db", [rival]) as (tournament, control):
            await everybody_plays(tournament)
            monkeypatch.setattr(Heart, "at_fault", once)
            await play_out(tournament, control)
            return rows(tournament.store)

    found = asyncio.run(play())
    known = {row.request_id for row in found}
    ids = [body["request_id"] for kind, body in rival.seen if kind == "asked" and body["request_id"] in known]

    assert {"correct", "wrong"} == {row.reason for row in found}
    assert 20 == len(found) == len(ids) - 2


def test_the_clock_of_the_day_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that jumps moves nothing: the game counts seconds of its own, and those stand still in a pause."""
    clock = GameClock()
    before = clock.now()
    monkeypatch.setattr(seat.time, "time", lambda: 0.0)
    clock.pause()
    stood = clock.now()
    time.sleep(0.05)

    assert stood == clock.now()
    clock.resume()
    assert before <= clock.now() < stood + 0.05


def test_a_database_that_is_away_costs_nobody_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be written waits, and is written when the database is back; nothing is asked twice."""
    from sqlalchemy.exc import OperationalError

    rival = Rival("Ada")

    async def play() -> list[Any]:
        async with a_table(tmp_path / "t.db", [rival]) as (tournament, control):
            await everybody_plays(tournament)
            save, failures = tournament.store.book.save, [0]
            opened = tournament.store.book.open_block
            doors = [OperationalError("INSERT", {}, Exception("disk full"))] * 2

            def closed_door(*args: Any) -> Any:
                if doors:
                    raise doors.pop()
                return opened(*args)

            monkeypatch.setattr(tournament.store.book, "open_block", closed_door)

            def broken(batch: Any) -> None:
                failures[0] += 1
                if failures[0] < 3:
                    raise OperationalError("INSERT", {}, Exception("disk full"))
                save(batch)

            monkeypatch.setattr(tournament.store.book, "save", broken)
            await control.do("next", {})
            await until(lambda: tournament.ledger.trouble)
            assert "disk full" in tournament.ledger.trouble
            await until(lambda: tournament.store.book.plays()[0].state == "done")
            return rows(tournament.store)

    found = asyncio.run(play())

    assert 20 == len(found)
    assert {"correct", "wrong"} == {row.reason for row in found}
