"""Who may play, under which name and at which address."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from customer.errors import CustomerError
from customer.host import enrol, names
from customer.host.addresses import Guard
from customer.host.plan import TWO_HOURS, choose, timetable
from customer.host.store import Store
from customer.rounds import the_world
from tests.customer.rivals import HOSTILE, Rival, honest
from tests.customer.tournaments import a_table, everybody_plays, until


def check(url: str, **about: Any) -> tuple[str, str]:
    return asyncio.run(Guard(**about).check(url))


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("localhost:5000", "is no address"),
        ("ftp://127.0.0.1:5000", "is no address"),
        ("http://", "is no address"),
        ("http://[::1", "is no address"),
        ("http://127.0.0.1:99999", "is no address"),
        ("http://user:word@127.0.0.1:5000", "more than name and port"),
        ("http://127.0.0.1:5000/admin", "more than name and port"),
        ("http://127.0.0.1:5000?x=1", "more than name and port"),
        ("http://no-such-name.invalid:5000", "is not known"),
        ("http://169.254.169.254", "no address of a player"),
        ("http://0.0.0.0:5000", "no address of a player"),
        ("http://224.0.0.1:5000", "no address of a player"),
        ("http://127.0.0.1:22", "belongs to another service"),
        ("http://127.0.0.1:8000", "host's own address"),
        ("http://localhost:8000", "host's own address"),
        ("http://127.0.0.2:8000", "host's own address"),
    ],
)
def test_an_address_that_is_none(url: str, message: str) -> None:
    """What cannot be a player's address is refused with the reason."""
    with pytest.raises(CustomerError, match=message):
        check(url, own_port=8000)


def test_networks_are_the_hosts_choice() -> None:
    """Where the host names networks, other addresses are refused; a machine's own only where the host listens there."""
    assert ("http://127.0.0.1:5000", "127.0.0.1 5000") == check("http://127.0.0.1:5000/api/")
    assert check("http://127.0.0.1:5000", allowed=["127.0.0.0/8"], loopback=False)
    with pytest.raises(CustomerError, match="none of the host's networks"):
        check("http://127.0.0.1:5000", allowed=["10.0.0.0/8"])
    with pytest.raises(CustomerError, match="this machine to itself"):
        check("http://127.0.0.1:5000", loopback=False)
    with pytest.raises(CustomerError, match="--networks"):
        Guard(["ten"])


@pytest.mark.parametrize(
    ("name", "message"),
    [("", "needs a name"), (" \u200b\x00 ", "needs a name"), ("x" * 41, "longer than 40")],
)
def test_a_name_that_is_none(name: str, message: str) -> None:
    """A name must be readable and short."""
    with pytest.raises(CustomerError, match=message):
        names.clean(name)


def test_names_that_look_the_same_are_the_same() -> None:
    """Neither capitals nor spaces nor another way of writing an accent make another name."""
    assert names.clean("Zoe\u0308  TEAM")[1] == names.clean(" zoë team")[1]
    assert "<b>" in names.clean("<b>Bold</b>")[0]


def test_one_name_one_address(tmp_path: Path) -> None:
    """Two players can share neither name nor address, however they are written."""

    async def play() -> None:
        async with a_table(tmp_path / "t.db", [Rival("Ada")]) as (tournament, _):
            url = tournament.places.seats[1].row.url
            with pytest.raises(CustomerError, match="a player named 'Ada' already"):
                await tournament.places.join("ADA", "http://127.0.0.1:5999")
            with pytest.raises(CustomerError, match="registered already, by 'Ada'"):
                await tournament.places.join("Bob", url.replace("127.0.0.1", "localhost"))
            assert 1 == len(tournament.places.seats)

    asyncio.run(play())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column name and no column url"),
        ("name,address\nAda,x\n", "no column url; its first line is: name, address"),
        ("name,url\n", "names no players"),
        ("name,url\nAda,http://x\n,http://y\n", "line 3: no name"),
    ],
)
def test_a_list_that_is_none(text: str, message: str) -> None:
    """A list that cannot be used is refused with the column or the line."""
    with pytest.raises(CustomerError, match=message):
        enrol.read(text, "players.csv")


def test_a_list_can_be_read_twice(tmp_path: Path) -> None:
    """Who is registered keeps its key when the same list comes again; what is wrong is told beside it."""
    text = "\ufeffname, url\nAda, http://127.0.0.1:5999\nBob, http://0.0.0.0:1\n\n"

    async def play() -> tuple[Any, Any]:
        async with a_table(tmp_path / "t.db") as (tournament, _):
            entries = enrol.read(text, "players.csv")
            return await enrol.enrol(tournament.places, entries), await enrol.enrol(tournament.places, entries)

    first, second = asyncio.run(play())

    assert first == second
    assert first[0]["key"].startswith("1-")
    assert "belongs to another service" in first[1]["error"]


def test_the_plumbing_is_tested_until_it_works(tmp_path: Path) -> None:
    """A player that does not work is told what to do, gets no points, and plays when an answer comes."""
    rival = Rival("Ada", HOSTILE["page"])

    async def play() -> tuple[str, str]:
        async with a_table(tmp_path / "t.db", [rival]) as (tournament, _):
            seat = tournament.places.seats[1]
            await until(lambda: "web page" in seat.why)
            before = seat.state
            rival.behave = honest
            await everybody_plays(tournament)
            return before, seat.state

    assert ("new", "playing") == asyncio.run(play())
    features = [json.dumps(body["features"]) for kind, body in rival.seen if kind == "asked"]
    assert len(features) > 1
    assert 1 == len(set(features))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[round]\n", "cannot be read as a timetable"),
        ("", "has no rounds"),
        ('[[round]]\nname = "bad weather"\n', "no round 'bad weather'"),
        ('[[round]]\nname = "as trained"\nspeed = 3\n', "has speed"),
        ('[[round]]\nname = "as trained"\nrate = "fast"\n', "rate of 'as trained'"),
        ('[[round]]\nname = "as trained"\nminutes = -1\n', "must be 0 to 600"),
    ],
)
def test_a_timetable_that_is_none(tmp_path: Path, text: str, message: str) -> None:
    """A timetable that cannot be played is refused with the entry."""
    path = tmp_path / "rounds.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CustomerError, match=message):
        timetable(path, the_world())


def test_a_timetable_of_your_own(tmp_path: Path) -> None:
    """Rounds come in the order they stand in, a name may come twice, figures may be left out."""
    path = tmp_path / "rounds.toml"
    path.write_text('[[round]]\nname = "rush hour"\n[[round]]\nname = "as trained"\nminutes = 2\nblock = 4\n')
    plans = timetable(path, the_world())

    assert ["rush hour", "as trained"] == [plan.name for plan in plans]
    assert (120, 4.0) == (plans[1].requests, plans[1].window)
    assert ["another nature"] == [plan.name for plan in choose(TWO_HOURS, "another nature", minutes=1)]
    with pytest.raises(CustomerError, match="no round 'x'"):
        choose(TWO_HOURS, "x")


def test_a_database_of_something_else(tmp_path: Path) -> None:
    """A database with other tables, another tournament's or another seed's is refused and left as it is."""
    import sqlite3

    other = tmp_path / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE songs (id)")
    with pytest.raises(CustomerError, match="holds songs: not a tournament"):
        Store(f"sqlite:///{other}").begin(1, {})
    mine = tmp_path / "mine.db"
    Store(f"sqlite:///{mine}").begin(1, {"deadline": 2.0})
    with pytest.raises(CustomerError, match="its seed is not 2"):
        Store(f"sqlite:///{mine}").begin(2, {"deadline": 2.0})
    with pytest.raises(CustomerError, match="deadline differs"):
        Store(f"sqlite:///{mine}").begin(None, {"deadline": 3.0})
    with pytest.raises(CustomerError, match="no database to play in"):
        Store("nonsense")
