"""What holds for a tournament, from the first registration to the last label."""

import asyncio
import uuid
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from customer.errors import CustomerError
from customer.host import reports
from customer.host.plan import LAST_ROUND, Plan
from customer.host.store import Store
from customer.referee import KEPT
from customer.rounds import from_csv
from tests.customer.rivals import Rival, always, contrary, flaky, hang, honest, http, mark, rule
from tests.customer.tournaments import SHORT, a_table, everybody_plays, play_out, points, rows, rules, until
from tests.postgres import _postgres, _postgres_url  # noqa: F401 - fixtures

FOUR = (("Ada", honest), ("Bob", flaky), ("Cy", contrary), ("Di", honest))


def four() -> list[Rival]:
    return [Rival(name, behave) for name, behave in FOUR]


@pytest.fixture(name="database")
def _database(tmp_path: Path) -> Path:
    """A file for a tournament."""
    return tmp_path / "tournament.db"


def test_everybody_earns_what_the_answers_are_worth(database: Path) -> None:
    """Points are those of the answers to the applicants, request by request, and the board shows the database's."""

    async def play() -> tuple[Store, dict[str, int]]:
        async with a_table(database, four()) as (tournament, control):
            await everybody_plays(tournament)
            await play_out(tournament, control)
            seats = tournament.places.seats
            return tournament.store, {seats[n].row.name: t.points for n, t in tournament.standings.tallies.items()}

    store, board = asyncio.run(play())
    cases = store.book.cases(1)
    right = [rule(case.features) == case.label for case in cases]
    broken = [mark(case.features) % 3 == 1 for case in cases]
    expected = {
        "Ada": sum(right),
        "Bob": sum(-1 if b else r for r, b in zip(right, broken, strict=True)),
        "Cy": len(cases) - sum(right),
        "Di": sum(right),
    }

    assert expected == points(store) == board
    assert any(broken)


def test_the_same_applicants_for_all_in_an_order_of_their_own(database: Path) -> None:
    """Everybody is asked the same applicants, block by block, each once, in different orders, under ids of its own."""
    rivals = four()

    async def play() -> dict[str, int]:
        async with a_table(database, rivals, rules(Plan("as trained", 1 / 60, rate=60, block=20))) as (table, control):
            await everybody_plays(table)
            await play_out(table, control)
            return {row.request_id: row.block_id for row in rows(table.store)}

    block = asyncio.run(play())  # tests of the plumbing are in none
    bodies = [[body for kind, body in each.seen if kind == "asked" and body["request_id"] in block] for each in rivals]
    ids = [body["request_id"] for each in bodies for body in each]

    assert [60] * 4 == [len(each) for each in bodies]
    for number in (1, 2, 3):
        orders = [[mark(b["features"]) for b in each if block[b["request_id"]] == number] for each in bodies]
        assert 20 == len(set(orders[0]))
        assert 1 == len({frozenset(order) for order in orders})
        assert 4 == len({tuple(order) for order in orders})
    assert len(ids) == len(set(ids)) == len([uuid.UUID(each) for each in ids])


def test_labels_come_when_everybody_has_answered(database: Path) -> None:
    """No label of a block leaves before the last player has answered it; then everybody gets theirs, once."""
    rivals, seen = four(), list[tuple[str, Any]]()
    for rival in rivals:
        rival.seen = seen

    async def play() -> Store:
        async with a_table(database, rivals) as (tournament, control):
            await everybody_plays(tournament)
            seen.clear()
            await play_out(tournament, control)
            await until(lambda: not any(tournament.post.waiting(n) for n in tournament.places.seats))
            return tournament.store

    store = asyncio.run(play())
    block = {row.request_id: row.block_id for row in rows(store)}
    answered = [row.request_id for row in rows(store) if row.reason in ("correct", "wrong")]
    asked = [(n, body["request_id"]) for n, (kind, body) in enumerate(seen) if kind == "asked"]
    last_asked = {block[request_id]: n for n, request_id in asked if request_id in block}  # tests are in no block
    labels = [(n, item["request_id"]) for n, (kind, item) in enumerate(seen) if kind == "label"]

    assert Counter(answered) == Counter(request_id for _, request_id in labels)
    assert all(n > last_asked[block[request_id]] for n, request_id in labels)


def test_on_postgresql(postgres_url: str) -> None:
    """A tournament is the same on PostgreSQL, also with values and answers no database likes."""
    odd = Plan("odd values", minutes=20 / 60 / 50, rate=50, block=5)
    last = replace(LAST_ROUND, rate=50, block=5)
    rivals = [*four(), Rival("NUL\0")]

    async def play() -> tuple[dict[str, int], dict[str, int]]:
        async with a_table(postgres_url, rivals, rules(SHORT, odd, last)) as (tournament, control):
            await everybody_plays(tournament)
            rivals[-1].behave = always(http(b'{"pred": 1, "x": "\0\xff"}'))
            await play_out(tournament, control, rounds=3)
            await control.do("void", {"round": "1", "why": "to try it"})
            seats, engine = tournament.places.seats, tournament.store.engine
            board = {seats[n].row.name: t.points for n, t in tournament.standings.tallies.items()}
            figures = {seats[n].row.name: reports.over_time(engine, n)[0][-1] for n in seats}
            assert 60 == len(reports.requests(engine, 1)) == sum(r["asked"] for r in reports.rounds_of(engine, 1))
            assert 5 * 60 == len(rows(tournament.store))
            assert 20 == tournament.standings.tallies[1].reasons[KEPT]
            return board, figures

    board, figures = asyncio.run(play())

    assert board == figures
    assert any(board.values())


def test_a_table_without_enough_rows(database: Path, tmp_path: Path) -> None:
    """A round for which too few rows are left does not begin, and the host reads why; the game goes on."""
    path = tmp_path / "small.csv"
    pd.DataFrame({"a": range(200), "late_payments": range(200), "yes": [0, 1] * 100}).to_csv(path, index=False)
    small = replace(rules(Plan("as trained", 0.01, rate=50, block=10)), population=from_csv(path, "yes"))

    async def play() -> tuple[str, int]:
        async with a_table(database, [Rival("Ada")], small) as (tournament, control):
            await everybody_plays(tournament)
            await play_out(tournament, control)
            await control.do("repeat", {})
            await until(lambda: tournament.trouble)
            await control.do("end", {})
            await until(lambda: tournament.phase == "ended")
            return tournament.trouble, len(tournament.store.book.plays())

    trouble, played = asyncio.run(play())

    assert "rows left for 'as trained'" in trouble
    assert 1 == played


def test_no_applicant_comes_twice(database: Path) -> None:
    """A round that is repeated brings other applicants."""

    async def play() -> Store:
        async with a_table(database, [Rival("Ada")], rules(SHORT)) as (tournament, control):
            await everybody_plays(tournament)
            await play_out(tournament, control)
            await control.do("repeat", {})
            await until(lambda: [play.state for play in tournament.store.book.plays()] == ["done", "done"])
            return tournament.store

    store = asyncio.run(play())
    drawn = [case.row for play in store.book.plays() for case in store.book.cases(play.id)]

    assert 40 == len(drawn) == len(set(drawn))


def test_a_dead_player_is_set_aside_and_comes_back(database: Path) -> None:
    """Who fails test after test is set aside with a reason, pays for each applicant, and is back when tests work."""
    rival = Rival("Ada")

    async def dead(rival: Rival, body: dict[str, Any], writer: asyncio.StreamWriter) -> bytes | None:
        return None

    async def play() -> tuple[Store, list[str]]:
        plan = Plan("as trained", 10, rate=20, block=20)
        async with a_table(database, [rival], rules(plan)) as (tournament, control):
            await everybody_plays(tournament)
            seat = tournament.places.seats[1]
            rival.behave = dead
            await control.do("next", {})
            await until(lambda: seat.state == "set aside")
            why = [seat.why]
            await until(lambda: any(row.reason == "set aside" for row in rows(tournament.store)))
            rival.behave = honest
            await until(lambda: seat.state == "playing")
            await until(lambda: rows(tournament.store)[-1].reason in ("correct", "wrong"))
            await control.do("stop", {})
            await until(lambda: tournament.current is None)
            return tournament.store, why

    store, why = asyncio.run(play())
    aside = [row.points for row in rows(store) if row.reason == "set aside"]

    assert [-1] * len(aside) == aside
    assert "connection was cut" in why[0]


def test_who_joins_late_plays_from_the_next_block(database: Path) -> None:
    """A late joiner is asked whole blocks only, and nothing is charged for those before."""

    async def play() -> Store:
        plan = Plan("as trained", 10, rate=20, block=5)
        late = Rival("Late")
        async with a_table(database, [Rival("Ada")], rules(plan)) as (tournament, control):
            server = await late.serve()
            await everybody_plays(tournament)
            await control.do("next", {})
            await until(lambda: len(rows(tournament.store)) > 7)
            await tournament.places.join("Late", late.url)
            await until(lambda: any(row.player_id == 2 for row in rows(tournament.store)))
            await control.do("stop", {})
            await until(lambda: tournament.current is None)
            server.close()
            late.stop()
            return tournament.store

    store = asyncio.run(play())
    mine = Counter(row.block_id for row in rows(store) if row.player_id == 2)
    first = store.roster.players()[1].first_block

    assert first == min(mine)
    assert first > 1
    assert {5} == set(mine.values())


def test_a_pause_asks_nobody(database: Path) -> None:
    """While the game is paused nobody is asked, and afterwards everything is."""

    async def play() -> tuple[int, int, Store]:
        async with a_table(database, four(), rules(Plan("as trained", 1, rate=60 / 60 * 20, block=10))) as (
            tournament,
            control,
        ):
            await everybody_plays(tournament)
            await control.do("next", {})
            await until(lambda: len(rows(tournament.store)) > 10)
            await control.do("pause", {})
            await asyncio.sleep(0.5)
            before = len(rows(tournament.store))
            await asyncio.sleep(0.7)
            after = len(rows(tournament.store))
            await control.do("resume", {})
            await until(lambda: len(rows(tournament.store)) > after)
            return before, after, tournament.store

    before, after, _ = asyncio.run(play())

    assert before == after


def test_a_void_round_does_not_count(database: Path) -> None:
    """A round the host has spoilt is taken off everybody's points, for a reason, and stays off after a restart."""

    async def play() -> None:
        async with a_table(database, four()) as (tournament, control):
            await everybody_plays(tournament)
            await play_out(tournament, control)
            assert any(tally.points for tally in tournament.standings.tallies.values())
            with pytest.raises(CustomerError, match="Say why"):
                await control.do("void", {"round": "1"})
            await control.do("void", {"round": "1", "why": "the network was down"})
            assert not any(tally.points for tally in tournament.standings.tallies.values())
        async with a_table(database) as (tournament, _):
            await until(lambda: tournament.places.seats)
            assert not any(tally.points for tally in tournament.standings.tallies.values())
            assert "the network was down" == tournament.store.book.plays()[0].void

    asyncio.run(play())


def test_a_hanging_player_delays_nobody(database: Path) -> None:
    """Whatever one player does, the others are asked everything and their answers count."""

    async def play() -> Store:
        rivals = [Rival("Ada"), Rival("Eve")]
        plan = Plan("as trained", 2 / 60, rate=20, block=10)
        async with a_table(database, rivals, rules(plan, deadline=8.0)) as (tournament, control):
            await everybody_plays(tournament)
            rivals[1].behave = hang
            await play_out(tournament, control)
            return tournament.store

    store = asyncio.run(play())
    found = rows(store)

    assert {"correct", "wrong"} == {row.reason for row in found if row.player_id == 1}
    assert {"timeout", "set aside", "host's fault"} >= {row.reason for row in found if row.player_id == 2}
    assert 40 == len([row for row in found if row.player_id == 1]) == len([row for row in found if row.player_id == 2])


def test_the_player_learns_its_last_verdict_but_not_its_label(database: Path) -> None:
    """The next request tells what became of the last one; whether it was right comes with the labels only."""
    rival = Rival("Ada", flaky)

    async def play() -> None:
        async with a_table(database, [rival]) as (tournament, control):
            await everybody_plays(tournament)
            rival.headers.clear()
            await play_out(tournament, control)

    asyncio.run(play())
    told = {each["X-Last-Verdict"] for each in rival.headers if "X-Last-Verdict" in each}

    assert {"answered", "status 500"} == told
    assert all(each["X-Last-Latency-Ms"].isdigit() for each in rival.headers if "X-Last-Verdict" in each)
