"""What holds for the last round: everybody's service was killed, and the first answers should still be there."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from customer.contract import Contract
from customer.host.commands import host as host_command
from customer.host.commands import make_rules
from customer.host.plan import LAST_ROUND, TWO_HOURS, choose, timetable
from customer.host.seat import HOSTS_FAULT, SET_ASIDE, points
from customer.host.store import Store
from customer.referee import ANOTHER_ANSWER, KEPT, REFUSED, TIMEOUT, Verdict, asked_again, what_was_said
from customer.rounds import the_world
from tests.customer.host_process import hosted, wait_for
from tests.customer.rivals import Rival, contrary, flaky, honest, mark, rule
from tests.customer.tournaments import SHORT, a_table, everybody_plays, play_out, rows, rules, until

LAST = replace(LAST_ROUND, rate=50, block=5)


@pytest.fixture(name="database")
def _database(tmp_path: Path) -> Path:
    """A file for a tournament."""
    return tmp_path / "tournament.db"


async def forgetful(rival: Rival, body: dict[str, Any], writer: asyncio.StreamWriter) -> bytes:
    """Answer the opposite after some time, as a player does who has lost its rows and has another model."""
    return await (contrary if len(rival.seen) > 40 else honest)(rival, body, writer)


def asked(rival: Rival, store: Store) -> list[tuple[str, int]]:
    """Return (id, applicant) of each request, in order, without the tests of the plumbing."""
    known = {row.request_id for row in rows(store)}
    bodies = [body for kind, body in rival.seen if kind == "asked" and body["request_id"] in known]
    return [(body["request_id"], mark(body["features"])) for body in bodies]


def play(database: Path | str, rivals: Sequence[Rival], *plans: Any) -> tuple[Store, dict[str, dict[str, Any]]]:
    """Play a round and the last round; return the store and everybody's line of the board."""

    async def play_both() -> tuple[Store, dict[str, dict[str, Any]]]:
        async with a_table(database, rivals, rules(*(plans or (SHORT, LAST)))) as (tournament, control):
            await everybody_plays(tournament)
            await play_out(tournament, control, rounds=2)
            people = [(seat.row.id, seat.row.name, seat.state) for seat in tournament.places.seats.values()]
            return tournament.store, {line["name"]: line for line in tournament.standings.lines(people)}

    return asyncio.run(play_both())


def test_the_same_requests_come_again_in_another_order(database: Path) -> None:
    """Each request comes twice, under the same id with the same features, the second time in another order."""
    rivals = [Rival("Ada"), Rival("Bob", contrary)]
    store, _ = play(database, rivals)

    for rival in rivals:
        first, again = asked(rival, store)[:20], asked(rival, store)[20:]
        assert 20 == len(again) == len(set(again))
        assert set(first) == set(again)
        assert first != again


def test_a_kept_answer_earns_a_point_whether_it_was_right_or_wrong(database: Path) -> None:
    """Who gives the first answers again earns a point for each; who gives others earns nothing, and loses nothing."""
    store, board = play(database, [Rival("Ada"), Rival("Bob", contrary), Rival("Cy", forgetful)])
    cases = store.book.cases(1)
    right = sum(rule(case.features) == case.label for case in cases)
    second = Counter((row.player_id, row.reason) for row in rows(store) if row.play_id == 2)

    assert {(1, KEPT): 20, (2, KEPT): 20, (3, ANOTHER_ANSWER): 20} == second
    assert [right + 20, 20 - right + 20, right] == [board[name]["points"] for name in ("Ada", "Bob", "Cy")]
    assert [(20, 20), (20, 20), (0, 20)] == [(board[n]["kept"], board[n]["again"]) for n in ("Ada", "Bob", "Cy")]
    assert [sum(case.best for case in cases) + 20] * 3 == [line["best"] for line in board.values()]
    for line in board.values():
        assert line["points"] == line["correct"] - line["failed"]
        assert line["asked"] == line["correct"] + line["wrong"] + line["failed"] == 40


def test_what_had_no_answer_has_none_to_keep(database: Path) -> None:
    """Where no prediction came at first, one that comes now is another answer; none costs a point again."""
    fails = [True]

    async def late(rival: Rival, body: dict[str, Any], writer: asyncio.StreamWriter) -> bytes:
        return await (flaky if fails else honest)(rival, body, writer)

    rivals = [Rival("Ada", late), Rival("Bob", flaky)]

    async def play_both() -> Store:
        async with a_table(database, rivals, rules(SHORT, LAST)) as (tournament, control):
            await everybody_plays(tournament)
            await play_out(tournament, control)
            fails.clear()
            await play_out(tournament, control)
            return tournament.store

    store = asyncio.run(play_both())
    broken = sum(mark(case.features) % 3 == 1 for case in store.book.cases(1))
    second = Counter((row.player_id, row.reason) for row in rows(store) if row.play_id == 2)

    assert 0 < broken < 20
    assert {
        (1, KEPT): 20 - broken,
        (1, ANOTHER_ANSWER): broken,
        (2, KEPT): 20 - broken,
        (2, "status 500"): broken,
    } == second


def test_nobody_is_asked_again_what_it_was_not_asked_before(database: Path) -> None:
    """Who joins between the two, and what the host has spoilt, is not asked: it costs nothing and earns nothing."""
    late = Rival("Late")

    async def play_both() -> Store:
        async with a_table(database, [Rival("Ada")], rules(SHORT, LAST)) as (tournament, control):
            server = await late.serve()
            await everybody_plays(tournament)
            await play_out(tournament, control)
            with tournament.store.engine.begin() as connection:
                connection.exec_driver_sql("UPDATE asks SET reason = 'host''s fault' WHERE number < 3")
            await tournament.places.join("Late", late.url)
            await everybody_plays(tournament)
            await play_out(tournament, control)
            server.close()
            late.stop()
            return tournament.store

    store = asyncio.run(play_both())
    again = [(row.player_id, row.number) for row in rows(store) if row.play_id == 2]

    assert [(1, number) for number in range(3, 20)] == sorted(again)


def test_it_brings_no_labels_and_can_come_once_more(database: Path) -> None:
    """Labels were brought before; repeated, the last round asks the same once more, of the same round."""
    rival = Rival("Ada")

    async def play_three() -> Store:
        async with a_table(database, [rival], rules(SHORT, LAST)) as (tournament, control):
            await everybody_plays(tournament)
            await play_out(tournament, control, rounds=2)
            await control.do("repeat", {})
            await until(lambda: [each.state for each in tournament.store.book.plays()] == ["done"] * 3)
            await until(lambda: not any(tournament.post.waiting(n) for n in tournament.places.seats))
            return tournament.store

    store = asyncio.run(play_three())
    often = Counter(body["request_id"] for kind, body in rival.seen if kind == "asked")
    labels = [item["request_id"] for kind, item in rival.seen if kind == "label"]

    assert [0, 1, 1] == [each.plan.again for each in store.book.plays()]
    assert {KEPT} == {row.reason for row in rows(store) if row.play_id > 1}
    assert 20 == len(labels) == len(set(labels))
    assert {3} == {often[request_id] for request_id in labels}


def test_a_round_that_was_cut_short(database: Path) -> None:
    """Of a round the host has stopped, that comes again which was asked; a round that does not count comes never."""

    async def play_both() -> Store:
        plans = (replace(SHORT, minutes=10), LAST)
        async with a_table(database, [Rival("Ada")], rules(*plans)) as (tournament, control):
            await everybody_plays(tournament)
            for number, lever in ((1, "next"), (2, "repeat")):
                await control.do(lever, {})
                await until(lambda number=number: any(row.play_id == number for row in rows(tournament.store)))  # type: ignore[misc]
                await control.do("stop", {})
                await until(lambda: tournament.current is None)
            await control.do("void", {"round": "2", "why": "to try it"})
            await control.do("next", {})
            await until(lambda: [each.state for each in tournament.store.book.plays()] == ["done"] * 3)
            return tournament.store

    store = asyncio.run(play_both())
    found = {play_id: [row.number for row in rows(store) if row.play_id == play_id] for play_id in (1, 3)}

    assert 1 == store.book.plays()[2].plan.again
    assert 5 <= len(found[1]) < 100
    assert sorted(found[1]) == sorted(found[3])
    assert len(found[3]) == len(store.book.cases(3))


def test_without_a_round_before_it_it_does_not_begin(database: Path) -> None:
    """There must be something to ask again; the host reads so, and begins another round."""

    async def play_alone() -> str:
        async with a_table(database, [Rival("Ada")], rules(LAST)) as (tournament, control):
            await everybody_plays(tournament)
            await control.do("next", {})
            await until(lambda: tournament.trouble)
            return tournament.trouble

    assert "begin another one first" in asyncio.run(play_alone())


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b'{"pred": 1, "proba": 0.8123456789}', "[1, 0.812346]"),
        (b'{"pred": 1.0, "proba": 1}', "[1, 1.0]"),
        (b'{"pred": 0}', "[0, null]"),
        (b'{"pred": 0, "proba": "0.5"}', "[0, null]"),
        (b'{"pred": 0, "proba": NaN}', "[0, null]"),
        (b'{"pred": 0, "proba": true}', "[0, null]"),
        (b'{"pred": 0, "proba": 1' + b"0" * 400 + b"}", "[0, null]"),
    ],
)
def test_what_is_compared(answer: bytes, said: str) -> None:
    """The prediction as the label it is, and a probability that is one; a warning or a model's name may be another."""
    assert said == what_was_said(answer, Contract(), (0, 1))


def test_a_probability_alone_is_compared_as_well() -> None:
    """Where the contract's answer has no prediction, its probability is the answer that is kept or not."""
    alone = Contract(prediction="")
    first, same, other = (what_was_said(b'{"proba": %s}' % each, alone, (0, 1)) for each in (b"0.7", b"0.70", b"0.8"))

    assert KEPT == asked_again(Verdict("correct", said=same), first).reason
    assert ANOTHER_ANSWER == asked_again(Verdict("correct", said=other), first).reason


@given(st.sampled_from([REFUSED, TIMEOUT, SET_ASIDE, HOSTS_FAULT, "not JSON", "unknown class"]) | st.text(), st.text())
def test_a_failure_is_never_worth_more_than_an_answer(reason: str, first: str) -> None:
    """Whatever was said at first, no prediction earns less than another answer, and that less than the first one."""
    failed = asked_again(Verdict(reason), first)
    if failed.answered or reason == HOSTS_FAULT:
        return

    assert failed == Verdict(reason)
    other, kept = (
        asked_again(Verdict("correct", said=f"{first}?"), first),
        asked_again(Verdict("wrong", said=first), first),
    )
    assert points(failed) < points(other) < points(kept)


def test_it_comes_only_where_the_host_wants_it(tmp_path: Path) -> None:
    """No game has a last round unless an option, a timetable or --rounds names it."""
    words = {"data": None, "label": None, "drop": (), "names": None, "minutes": None, "rate": None, "block": None}
    words |= {"deadline": 2.0, "automatic": False, "plan_file": None}
    usual = [plan.name for plan in TWO_HOURS]
    path = tmp_path / "rounds.toml"
    path.write_text('[[round]]\nname = "as trained"\n[[round]]\nname = "last round"\nblock = 10\n', encoding="utf-8")

    assert usual == [plan.name for plan in make_rules(words | {"last_round": False}).plans]
    assert [*usual, "last round"] == [plan.name for plan in make_rules(words | {"last_round": True}).plans]
    assert [10, 10.0] == [(plan := timetable(path, the_world())[-1]).block, plan.rate]
    once = make_rules(words | {"last_round": True, "names": "as trained, last round", "rate": 3.0}).plans
    assert [("as trained", 3.0), ("last round", 3.0)] == [(plan.name, plan.rate) for plan in once]
    assert [LAST_ROUND] == choose(TWO_HOURS, "last round")
    assert "--last-round" in CliRunner().invoke(host_command, ["--help"]).output


def test_a_host_that_is_killed_in_it_goes_on_where_it_was(tmp_path: Path) -> None:
    """Nothing is asked a third time or forgotten: everybody's points are those of the undisturbed game."""
    words = "--rounds;as trained;--last-round;--minutes;0.1;--rate;10;--block;10;--seed;7;--deadline;10"
    chance = random.Random(3)
    with hosted(tmp_path, 6, *words.split(";")) as host:
        host.do("next")
        wait_for(lambda: host.rounds_done() == 1)
        first = host.points()
        host.do("next")
        for _ in range(3):
            time.sleep(chance.uniform(0.3, 2.0))
            host.kill()
            host.start()
        wait_for(lambda: host.rounds_done() == 2)
        board = {player["name"]: player for player in host.status()["players"]}
        shown = CliRunner().invoke(host_command, ["--output", str(tmp_path / "output"), "status"]).output
        broken = dict(host.query("SELECT name, SUM(reason = 'status 500') FROM asks JOIN players ON id = player_id"
                                 " WHERE play_id = 1 GROUP BY name"))  # fmt: skip
        twice = {count for (count,) in host.query("SELECT COUNT(*) FROM asks GROUP BY request_id")}

        assert {name: first[name] + 60 - 2 * broken[name] for name in board} == host.points()
        assert host.points() == {name: line["points"] for name, line in board.items()}
        assert {name: 60 - broken[name] for name in board} == {name: line["kept"] for name, line in board.items()}
        assert "playing  kept 60 of 60" in shown
        assert {60} == {line["again"] for line in board.values()}
        assert {2} == twice
