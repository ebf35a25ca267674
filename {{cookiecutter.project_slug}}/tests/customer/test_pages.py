"""What the pages show, to whom, and what they refuse."""

import asyncio
import csv
import io
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from customer.board.standings import Standings, movers, thin
from customer.host import keys
from customer.host.control import Control
from customer.host.pages import BROADCAST, make_app
from customer.host.pages.state import board
from customer.host.places import Rules
from customer.host.plan import LAST_ROUND
from tests.customer.rivals import Rival, contrary, flaky
from tests.customer.tournaments import SHORT, a_table, everybody_plays, play_out, rules, until

MARKUP = "<script>alert(1)</script>"
HTML = {"Accept": "text/html"}


@asynccontextmanager
async def shown(
    folder: Path, rivals: list[Rival], code: str = "", rule: Rules | None = None
) -> AsyncIterator[tuple[Any, Any, Any]]:
    """Show a tournament; gives (client, tournament, control)."""
    async with a_table(folder / "t.db", rivals, rule) as (tournament, _):
        control = Control(tournament, lambda: board(tournament))
        app = make_app(tournament, control, "http://host/join", code)
        async with TestClient(TestServer(app)) as client:
            broadcast = asyncio.create_task(app[BROADCAST].run())
            yield client, tournament, control
            broadcast.cancel()


def run(
    folder: Path,
    rivals: list[Rival],
    do: Callable[[Any, Any, Any], Awaitable[Any]],
    code: str = "",
    rule: Rules | None = None,
) -> Any:
    async def play() -> Any:
        async with shown(folder, rivals, code, rule) as (client, tournament, control):
            return await do(client, tournament, control)

    return asyncio.run(play())


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def players() -> list[Rival]:
    return [Rival(f"Ada {MARKUP[:30]}"), Rival("Bob", flaky), Rival("Cy", contrary)]


def test_every_page_is_strict_and_shows_no_markup_of_a_stranger(tmp_path: Path) -> None:
    """No page runs or loads anything of anybody else, whatever a team is called and whatever it answers."""

    async def do(client: TestClient[Any, Any], tournament: Any, control: Any) -> list[tuple[str, str, Any]]:
        await everybody_plays(tournament)
        await play_out(tournament, control)
        await control.do("void", {"round": "1", "why": MARKUP})
        host, mine = keys.host_key(tournament.secret), tournament.places.key_of(tournament.places.seats[1])
        wanted = [("/", host), ("/join", ""), ("/login", ""), ("/host", host), ("/host/live", host), ("/me", mine)]
        found = []
        for path, key in [*wanted, ("/review", host), ("/nowhere", ""), ("/me", "wrong")]:
            answer = await client.get(path, headers=HTML | bearer(key))
            found.append((path, await answer.text(), answer.headers))
        return found

    for path, text, headers in run(tmp_path, players(), do):
        assert "<script>" not in text, path
        assert "default-src 'none'" in headers["Content-Security-Policy"], path
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert "nosniff" == headers["X-Content-Type-Options"]
        assert not re.search(r'style="|onclick|https?://(?!host|127)', text), path


def test_the_board_shows_what_the_database_holds(tmp_path: Path) -> None:
    """Points, counts and ranks on the board are the database's, and the round is named only when it is over."""

    async def do(client: TestClient[Any, Any], tournament: Any, control: Any) -> tuple[Any, str, str]:
        await everybody_plays(tournament)
        await control.do("next", {})
        await until(lambda: tournament.current)
        during = await (await client.get("/", headers=HTML)).text()
        await until(lambda: tournament.current is None)
        after = await (await client.get("/", headers=HTML)).text()
        return await (await client.get("/board.json")).json(), during, after

    found, during, after = run(tmp_path, players(), do)

    assert "as trained" not in during
    assert "as trained" in after
    for line in found["lines"]:
        assert line["points"] == line["correct"] - line["failed"]
        assert line["asked"] == line["correct"] + line["wrong"] + line["failed"] == 20
    assert sorted(line["rank"] for line in found["lines"]) == [line["rank"] for line in found["lines"]]


@pytest.mark.parametrize("automatic", [False, True])
def test_before_the_last_round_everybody_reads_what_to_do(tmp_path: Path, automatic: bool) -> None:
    """The board, the host and each player read "kill your service", by when, and afterwards how much was kept."""
    slow = replace(SHORT, pause=600.0)
    rule = rules(slow, slow, replace(LAST_ROUND, rate=50, block=5), automatic=automatic)

    async def do(client: TestClient[Any, Any], tournament: Any, control: Any) -> tuple[list[str], list[str]]:
        host, mine = keys.host_key(tournament.secret), tournament.places.key_of(tournament.places.seats[2])
        everywhere = (("/", ""), ("/host", host), ("/me", mine))

        async def look() -> list[str]:
            asked = [client.get(path, headers=HTML | bearer(key)) for path, key in everywhere]
            return [await (await each).text() for each in asked]

        await everybody_plays(tournament)
        others = await look()
        await play_out(tournament, control)
        others += await look()
        await control.do("next", {})
        await until(lambda: tournament.current)
        others += await look()
        await until(lambda: tournament.current is None)
        assert 9 == len([page for page in others if "kill your service" not in page])
        await until(lambda: bool(tournament.next_at) == automatic)
        before = await look()
        await play_out(tournament, control)
        await control.do("end", {})
        await until(lambda: tournament.phase == "ended")
        return before, [*await look(), await (await client.get("/review", headers=HTML)).text()]

    before, (board_page, host_page, own_page, review) = run(
        tmp_path, [Rival("Ada"), Rival("Bob", flaky)], do, rule=rule
    )

    for page in before:
        assert "ow kill your service" in page
        assert "start it again" in page
        assert bool(re.search(r"At \d\d:\d\d:\d\d the customer asks again", page)) == automatic
        assert ("When the host begins the last round" in page) != automatic
    assert not [page for page in (board_page, host_page, own_page) if "kill your service" in page]
    assert '20<span class="wide"> of 20<' in board_page
    kept = re.search(r"answers kept</span><b>(\d+) of 20", own_page)
    assert kept
    assert f'{kept[1]}<span class="wide"> of 20<' in board_page
    assert f"What was asked in round 2 came again: {20 + int(kept[1])} of 40 answers were kept." in review
    assert 0 < int(kept[1]) < 20


def test_the_board_is_sent_when_it_changes(tmp_path: Path) -> None:
    """A browser that watches gets the new board by itself."""

    async def do(client: TestClient[Any, Any], tournament: Any, control: Any) -> list[str]:
        await everybody_plays(tournament)
        async with client.get("/events") as events:
            first = await events.content.readuntil(b"\n\n")
            await play_out(tournament, control)
            seen = first
            async with asyncio.timeout(240):
                while b"After round 1" not in seen:
                    seen = await events.content.readuntil(b"\n\n")
        return [json.loads(each.decode().removeprefix("data: ")) for each in (first, seen)]

    first, last = run(tmp_path, players(), do)

    assert "Before the first round" in first
    assert "After round 1" in last


def test_a_frozen_board_stands_still_through_a_restart(tmp_path: Path) -> None:
    """While the board is frozen it shows the points of that moment; thawed it shows those of now."""

    async def before(client: TestClient[Any, Any], tournament: Any, control: Any) -> None:
        await everybody_plays(tournament)
        await control.do("freeze", {})
        await play_out(tournament, control)

    async def after(client: TestClient[Any, Any], tournament: Any, control: Any) -> list[list[int]]:
        points = []
        await until(lambda: tournament.standings.tallies)
        for lever in ("", "thaw"):
            if lever:
                await control.do(lever, {})
            points.append([line["points"] for line in (await (await client.get("/board.json")).json())["lines"]])
        return points

    rivals = players()
    run(tmp_path, rivals, before)
    frozen, now = run(tmp_path, [], after)

    assert [0, 0, 0] == frozen
    assert any(now)


def test_one_key_opens_one_page(tmp_path: Path) -> None:
    """Without a key, with another team's or a made-up one, nobody sees or does what is a team's or the host's."""

    async def do(client: TestClient[Any, Any], tournament: Any, control: Any) -> None:
        seats = tournament.places.seats
        mine, host = tournament.places.key_of(seats[1]), keys.host_key(tournament.secret)
        other = f"2-{mine.partition('-')[2]}"
        for key in ("", "1-", other, mine.upper(), f"{mine}0", "host-", "é", "9" * 50):
            assert 401 == (await client.get("/me", headers=bearer(key))).status
            assert 401 == (await client.post("/me/leave", data={"sure": "yes"}, headers=bearer(key))).status
        for key in ("", mine, other):
            for path in ("/host", "/host/live", "/host/status"):
                assert 401 == (await client.get(path, headers=bearer(key))).status
            for path in ("/host/do", "/host/players"):
                assert 401 == (await client.post(path, data={"do": "end"}, headers=bearer(key))).status
        assert 403 == (await client.get("/results.json", headers=bearer(mine))).status
        assert 403 == (await client.post("/host/do", headers={**bearer(host), "Origin": "http://evil"})).status
        assert 200 == (await client.get("/me", headers=bearer(mine))).status
        assert 200 == (await client.get("/host/status", headers=bearer(host))).status
        assert 400 == (await client.post("/me/leave", headers=bearer(mine))).status
        assert 200 == (await client.post("/me/leave", data={"sure": "yes"}, headers=bearer(mine))).status
        assert ["left", "new"] == [seats[1].state, seats[2].state.replace("playing", "new")]

    run(tmp_path, players(), do)


def test_joining_on_the_page(tmp_path: Path) -> None:
    """Who joins gets a key and what the test found; a wrong code of the room, name or address is told in a sentence."""

    async def do(client: TestClient[Any, Any], tournament: Any, control: Any) -> list[str]:
        rival = Rival("Di")
        server = await rival.serve()
        good = {"name": "Di", "url": rival.url, "code": "blue"}
        said = []
        for words in ({**good, "code": "red"}, {**good, "name": ""}, {**good, "url": "x"}, good, good):
            answer = await client.post("/join", data=words, headers=HTML)
            said.append(await answer.text())
        assert "customer_key" in str(answer.cookies) or client.session.cookie_jar
        server.close()
        rival.stop()
        return said

    said = run(tmp_path, [], do, code="blue")

    for text, wanted in zip(
        said,
        ("code of the room is wrong", "needs a name", "is no address", "The plumbing works", "already"),
        strict=True,
    ):
        assert wanted in text


def test_every_request_with_its_reason(tmp_path: Path) -> None:
    """A player reads each request with verdict, latency and answer, filters them, and takes them along as a CSV."""

    async def do(client: TestClient[Any, Any], tournament: Any, control: Any) -> tuple[str, str, str]:
        await everybody_plays(tournament)
        await play_out(tournament, control)
        key = bearer(tournament.places.key_of(tournament.places.seats[2]))
        page = await (await client.get("/me?only=failed", headers=HTML | key)).text()
        every = await (await client.get("/me/requests.csv", headers=key)).text()
        wrong = await (await client.get("/me/requests.csv?only=wrong", headers=key)).text()
        return page, every, wrong

    page, every, wrong = run(tmp_path, players(), do)
    rows = list(csv.DictReader(io.StringIO(every)))

    assert "status 500" in page
    assert 20 == len(rows)
    assert {"correct", "wrong", "status 500"} == {row["verdict"] for row in rows}
    assert all(row["right"] in ("0", "1") for row in rows)
    assert {"wrong"} == {row["verdict"] for row in csv.DictReader(io.StringIO(wrong))}


def test_right_or_wrong_stays_hidden_while_others_answer(tmp_path: Path) -> None:
    """A block that is not closed shows that there was an answer, and nothing else of its worth."""

    async def do(client: TestClient[Any, Any], tournament: Any, control: Any) -> list[dict[str, str]]:
        await everybody_plays(tournament)
        tournament.store.book.close_block = lambda block_id: None
        await play_out(tournament, control)
        key = bearer(tournament.places.key_of(tournament.places.seats[1]))
        return list(csv.DictReader(io.StringIO(await (await client.get("/me/requests.csv", headers=key)).text())))

    rows = run(tmp_path, [Rival("Ada")], do)

    assert {("answered", "", "")} == {(row["verdict"], row["points"], row["right"]) for row in rows}


def test_a_cell_is_never_a_formula(tmp_path: Path) -> None:
    """An answer that a spreadsheet would run is marked as text."""
    from customer.host.reports import plain

    assert "'=HYPERLINK(1)" == plain("=HYPERLINK(1)")
    assert "'@x" == plain("@x")
    assert -1 == plain(-1)


def test_the_review_tells_what_happened(tmp_path: Path) -> None:
    """When the game is over everybody may read the ranking, where points were lost, and the seed."""

    async def do(client: TestClient[Any, Any], tournament: Any, control: Any) -> tuple[Any, str]:
        await everybody_plays(tournament)
        await play_out(tournament, control)
        await control.do("end", {})
        await until(lambda: tournament.phase == "ended")
        return await (await client.get("/results.json")).json(), await (
            await client.get("/review", headers=HTML)
        ).text()

    found, page = run(tmp_path, players(), do)

    assert 7 == found["seed"]
    assert [line["points"] for line in found["players"]] == sorted(
        (p["points"] for p in found["players"]), reverse=True
    )
    assert {"status 500"} == set(found["review"]["rounds"][0]["reasons"])
    assert "Lost points" in page


def test_levers_that_cannot_be_pulled(tmp_path: Path) -> None:
    """A lever that makes no sense now says why, in one sentence, and changes nothing."""

    async def do(client: TestClient[Any, Any], tournament: Any, control: Any) -> list[str]:
        key = bearer(keys.host_key(tournament.secret))
        said = []
        for words in (
            {"do": "dance"}, {"do": "repeat"}, {"do": "stop"}, {"do": "void", "round": "x", "why": "y"},
            {"do": "void", "round": "9", "why": "y"}, {"do": "test", "player": "nobody"}, {},
        ):  # fmt: skip
            answer = await client.post("/host/do", json=words, headers=key)
            assert 400 == answer.status
            said.append((await answer.json())["error"])
        await control.do("end", {})
        await until(lambda: tournament.phase == "ended")
        for name in ("next", "end"):
            said.append((await (await client.post("/host/do", json={"do": name}, headers=key)).json())["error"])
        joined = await client.post("/join", json={"name": "Late", "url": "http://127.0.0.1:5999"})
        return [*said, (await joined.json())["error"]]

    said = run(tmp_path, [], do)
    wanted = ("no 'dance'", "Nothing was played", "No round", "no number", "no round 9", "no player 'nobody'", "no ''",
              "is over", "is over already", "nobody can join")  # fmt: skip

    for text, part in zip(said, wanted, strict=True):
        assert part in text


def test_standings_of_a_late_joiner() -> None:
    """A late joiner's trend begins at nothing, and places are won against the beginning of the round."""
    standings = Standings()
    standings.add_block(1, [(1, "correct", 1, 5.0, True), (2, "wrong", 0, 5.0, True)])
    standings.add_block(
        2, [(2, "correct", 1, 7.0, True)] * 3 + [(1, "timeout", -1, 9.0, True), (3, "correct", 1, 1, True)]
    )
    lines = standings.lines([(1, "Ada", "playing"), (2, "Bob", "playing"), (3, "Cy", "playing")])

    assert [("Bob", 3, 1), ("Cy", 1, 0), ("Ada", 0, -2)] == [(x["name"], x["points"], x["moved"]) for x in lines]
    assert [0, 1] == lines[1]["history"]
    assert "Bob" == (movers(lines) or {})["name"]
    assert 60 >= len(thin(list(range(1000))))
    assert 999 == thin(list(range(1000)))[-1]
