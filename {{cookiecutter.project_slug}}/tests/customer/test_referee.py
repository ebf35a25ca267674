"""How answers are judged, whatever a player does."""

import asyncio
import gzip
import shutil
import zlib
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from click.testing import CliRunner
from fake_player import HEADERS, SEEN, make_player

from customer.cli import main
from customer.contract import Contract, load_contract
from customer.errors import CustomerError
from customer.host.plumbing import probe
from customer.referee import LABELS_AT_ONCE, MOST_BYTES, Player, Referee, Verdict, open_session
from customer.rounds import Case

PROJECT = Path(__file__).parents[2]
RIGHT = b'{"pred": 1, "proba": 0.9}'
Behaviour = Callable[[asyncio.StreamWriter], Coroutine[Any, Any, None]]


def http(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """Write an HTTP answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def hang(writer: asyncio.StreamWriter) -> None:
    """Never answer."""
    await asyncio.Event().wait()


async def drip(writer: asyncio.StreamWriter) -> None:
    """Send a byte now and then, so that no single read takes long."""
    for byte in http(RIGHT):
        writer.write(bytes([byte]))
        await asyncio.sleep(0.02)


async def drip_body(writer: asyncio.StreamWriter) -> None:
    """Send the header at once and the body byte by byte."""
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b" ")
        await asyncio.sleep(0.02)


async def drip_interim(writer: asyncio.StreamWriter) -> None:
    """Promise an answer again and again."""
    while True:
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await asyncio.sleep(0.02)


async def endless(writer: asyncio.StreamWriter) -> None:
    """Send a body without an end."""
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b" " * 65_536)
        await writer.drain()


ANSWERS: dict[str, tuple[bytes | Behaviour, str]] = {
    "right": (http(RIGHT), "correct"),
    "1.0 is the number 1": (http(b'{"pred": 1.0}'), "correct"),
    "html content type": (http(RIGHT, "200 OK", "Content-Type: text/html"), "correct"),
    "gzip": (http(gzip.compress(RIGHT), "200 OK", "Content-Encoding: gzip"), "correct"),
    "deflate": (http(zlib.compress(RIGHT), "200 OK", "Content-Encoding: deflate"), "correct"),
    "utf-16": (http(RIGHT.decode().encode("utf-16")), "correct"),
    "wrong": (http(b'{"pred": 0}'), "wrong"),
    "number as text": (http(b'{"pred": "1"}'), "unknown class"),
    "true for 1": (http(b'{"pred": true}'), "unknown class"),
    "both labels": (http(b'{"pred": [0, 1]}'), "unknown class"),
    "other class": (http(b'{"pred": 2}'), "unknown class"),
    "NaN": (http(b'{"pred": NaN}'), "unknown class"),
    "null": (http(b'{"pred": null}'), "no pred"),
    "empty object": (http(b"{}"), "no pred"),
    "only a number": (http(b"1"), "no pred"),
    "list of answers": (http(b'[{"pred": 0}, {"pred": 1}]'), "no pred"),
    "empty": (http(b""), "not JSON"),
    "page": (http(b"<h1>It works</h1>"), "not JSON"),
    "two documents": (http(RIGHT + RIGHT), "not JSON"),
    "deeply nested": (http(b"[" * 100_000), "not JSON"),
    "5000 digits": (http(b'{"pred": ' + b"1" * 5000 + b"}"), "not JSON"),
    "not text": (http(b"\xff\xfe\xfa\x80\x04"), "not JSON"),
    "broken gzip": (http(b"\x1f\x8b\x08rubbish", "200 OK", "Content-Encoding: gzip"), "not JSON"),
    "server error": (http(RIGHT, "500 Oops"), "status 500"),
    "created": (http(RIGHT, "201 Created"), "status 201"),
    "needs a key": (http(RIGHT, "401 No", "WWW-Authenticate: Basic"), "status 401"),
    "redirect": (http(b"", "307 There", "Location: /canary"), "status 307"),
    "large": (http(RIGHT + b" " * MOST_BYTES), "too large"),
    "gzip bomb": (http(gzip.compress(b" " * 30_000_000), "200 OK", "Content-Encoding: gzip"), "too large"),
    "endless": (endless, "too large"),
    "closes": (b"", "disconnected"),
    "half an answer": (http(RIGHT)[:-5], "disconnected"),
    "not HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "disconnected"),
    "endless header": (http(RIGHT, "200 OK", "X: " + "x" * 100_000), "disconnected"),
    "hangs": (hang, "timeout"),
    "drips": (drip, "timeout"),
    "drips the body": (drip_body, "timeout reading"),
    "promises": (drip_interim, "timeout"),
}


@asynccontextmanager
async def hostile_server(behaviour: bytes | Behaviour) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Run a server that does *behaviour* on every request; gives its address and the first line of each request."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            asked.append(head.splitlines()[0])
            if isinstance(behaviour, bytes):
                writer.write(behaviour)
                await writer.drain()
            else:
                await behaviour(writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.get_running_loop().create_task(serve(reader, writer)))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}", asked
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def ask(url: str, deadline: float = 0.3, label: Any = 1, labels: tuple[Any, ...] = (0, 1)) -> Verdict:
    """Ask the player at *url* once about somebody."""
    async with open_session() as session:
        return await Referee(session, Player(url), Contract(), labels, deadline).ask("id", {"age": 42}, label)


@pytest.mark.parametrize(("behaviour", "reason"), ANSWERS.values(), ids=ANSWERS.keys())
def test_verdict(behaviour: bytes | Behaviour, reason: str) -> None:
    """Every answer gets a verdict with a reason, in time; nothing else than the predict path is ever asked."""

    async def play() -> tuple[Verdict, list[bytes]]:
        async with hostile_server(behaviour) as (url, asked):
            return await ask(url, deadline=0.3 if "timeout" in reason else 5.0), asked

    verdict, asked = asyncio.run(play())

    assert reason == verdict.reason
    assert {"correct": 1, "wrong": 0}.get(reason, -1) == verdict.points
    assert verdict.milliseconds < 5000
    assert {b"POST /api HTTP/1.1"} == set(asked)


def test_deadline_is_total() -> None:
    """A player that sends something all the time is cut off at the deadline."""

    async def play() -> Verdict:
        async with hostile_server(drip) as (url, _):
            return await ask(url, deadline=0.2)

    assert 200 <= asyncio.run(play()).milliseconds < 1000


def test_nobody_there() -> None:
    """A player that does not run is refused, not an error."""

    async def play() -> Verdict:
        async with hostile_server(hang) as (url, _):
            pass
        return await ask(url, deadline=5.0)

    assert Verdict("refused") == Verdict(asyncio.run(play()).reason)


@pytest.mark.parametrize(
    ("label", "labels", "answer", "reason"),
    [
        ("good", ("bad", "good"), b'{"pred": "good"}', "correct"),
        ("good", ("bad", "good"), b'{"pred": "GOOD"}', "unknown class"),
        (True, (False, True), b'{"pred": true}', "correct"),
        (True, (False, True), b'{"pred": 1}', "unknown class"),
        (1.0, (1.0, 2.0), b'{"pred": 1}', "correct"),
    ],
)
def test_labels_of_other_types(label: Any, labels: tuple[Any, ...], answer: bytes, reason: str) -> None:
    """A prediction must be of the label's own JSON type, whatever the label is."""

    async def play() -> Verdict:
        async with hostile_server(http(answer)) as (url, _):
            return await ask(url, label=label, labels=labels, deadline=5.0)

    assert reason == asyncio.run(play()).reason


def test_asks_again_when_a_kept_connection_was_closed() -> None:
    """A server that closes its connections after each answer without saying so loses no point."""

    async def play() -> list[str]:
        async with hostile_server(http(RIGHT)) as (url, _), open_session() as session:
            referee = Referee(session, Player(url), Contract(), (0, 1), 5.0)
            return [(await referee.ask(str(number), {}, 1)).reason for number in range(20)]

    assert ["correct"] * 20 == asyncio.run(play())


def test_carries_nothing_along(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cookies are not returned, proxies of the environment are not used, the key goes to its player alone."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")

    async def play() -> tuple[list[dict[str, str]], list[tuple[str, Any]]]:
        app = make_player()
        async with TestServer(app) as server, open_session() as session:
            referee = Referee(session, Player(str(server.make_url("")).rstrip("/"), "secret"), Contract(), (0, 1))
            await referee.ask("a", {}, 1)
            await referee.ask("b", {}, 1)
            assert await referee.send_labels([("a", 1), ("b", 0)]) == ""
            return app[HEADERS], app[SEEN]

    headers, seen = asyncio.run(play())

    assert not any("Cookie" in each for each in headers)
    assert 3 * ["Bearer secret"] == [each.get("Authorization") for each in headers]
    assert ("label", {"request_id": "b", "label": 0}) == seen[-1]


def test_another_contract(tmp_path: Path) -> None:
    """Paths and keys come from the configuration; without a key for features they are the body itself."""
    path = tmp_path / "base.toml"
    path.write_text('[contract]\npredict = "/predict"\nrequest_id = "id"\nfeatures = ""\n', encoding="utf-8")

    async def play() -> list[bytes]:
        async with hostile_server(http(RIGHT)) as (url, asked), open_session() as session:
            await Referee(session, Player(url), load_contract(path), (0, 1)).ask("a", {"age": 1}, 1)
            return asked

    assert [b"POST /predict HTTP/1.1"] == asyncio.run(play())


def project_with_other_contract(home: Path) -> Path:
    """Copy the example of another contract to where a project in *home* reads its own; return that file."""
    path = home / "config" / "base.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(PROJECT / "config" / "examples" / "other-contract.toml", path)
    return path


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b'{"proba": 0.51}', "correct"),
        (b'{"proba": 1}', "correct"),
        (b'{"proba": 0.5}', "wrong"),
        (b'{"proba": 0.0, "pred": 1}', "wrong"),
        (b'{"pred": 1}', "no pred"),
        (b'{"proba": null}', "no pred"),
        (b'{"proba": 1.01}', "no probability"),
        (b'{"proba": -0.1}', "no probability"),
        (b'{"proba": NaN}', "no probability"),
        (b'{"proba": "0.9"}', "no probability"),
        (b'{"proba": true}', "no probability"),
        (b'{"proba": [0.9]}', "no probability"),
    ],
)
def test_a_probability_alone_is_judged(tmp_path: Path, answer: bytes, reason: str) -> None:
    """By the other contract a probability above one half means the second class, and one is needed."""
    contract = load_contract(project_with_other_contract(tmp_path))

    async def play() -> tuple[Verdict, list[bytes]]:
        async with hostile_server(http(answer)) as (url, asked), open_session() as session:
            return await Referee(session, Player(url), contract, ("bad", "good"), 5.0).ask("a", {}, "good"), asked

    verdict, asked = asyncio.run(play())

    assert (reason, [b"POST /predict HTTP/1.1"]) == (verdict.reason, asked)


def test_labels_are_brought_one_at_a_time(tmp_path: Path) -> None:
    """By the other contract every label has a request of its own, and the first that fails says why."""
    contract = load_contract(project_with_other_contract(tmp_path))
    labels = [(f"id-{number}", number % 2) for number in range(50)]
    bodies: list[Any] = []

    async def take(request: web.Request) -> web.Response:
        bodies.append(await request.json())
        return web.json_response({}, status=500 if len(bodies) == 60 else 200)

    async def play() -> tuple[str, str]:
        app = web.Application()
        app.router.add_post("/update", take)
        async with TestServer(app) as server, open_session() as session:
            referee = Referee(session, Player(str(server.make_url("")).rstrip("/")), contract, (0, 1))
            return await referee.send_labels(labels), await referee.send_labels(labels)

    assert ("", "status 500") == asyncio.run(play())
    assert [{"id": key, "true_class": label} for key, label in labels] == sorted(bodies[:50], key=by_number)
    assert len(bodies) < 50 + 10 + LABELS_AT_ONCE  # nothing is begun after the failure


def by_number(body: dict[str, Any]) -> int:
    """Return where a label stands in the order they were given."""
    return int(body["id"].removeprefix("id-"))


def test_a_probability_cannot_tell_three_classes_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table with three classes is refused before anybody is asked, in one sentence."""
    project_with_other_contract(tmp_path)
    monkeypatch.chdir(tmp_path)
    table = tmp_path / "three.csv"
    table.write_text("x,y\n" + "".join(f"{n},{'abc'[n % 3]}\n" for n in range(30)), encoding="utf-8")

    for command in (["play"], ["check", "http://127.0.0.1:9"]):
        outcome = CliRunner().invoke(main, [*command, "--data", str(table), "--label", "y"])

        assert 1 == outcome.exit_code
        assert "two classes apart, and here are 3" in outcome.stderr
        assert 1 == len(outcome.stderr.strip().splitlines())


@pytest.mark.parametrize(("answer", "advice"), [(b"{}", "without 'proba'"), (b'{"proba": 2}', "from 0 to 1")])
def test_the_advice_speaks_of_the_probability(tmp_path: Path, answer: bytes, advice: str) -> None:
    """What a check says about an answer names the key that the other contract asks for."""
    contract = load_contract(project_with_other_contract(tmp_path))

    async def play() -> str:
        async with hostile_server(http(answer)) as (url, _), open_session() as session:
            referee = Referee(session, Player(url), contract, (0, 1), 5.0, peek=True)
            return (await probe(referee, Case({}, 1, best=True))).advice

    assert advice in (said := asyncio.run(play()))
    assert '{"proba": 0.5}' in said


def test_contract_without_file(tmp_path: Path) -> None:
    """Without a configuration the names are those of the documentation."""
    assert Contract() == load_contract(tmp_path / "nowhere.toml")


@pytest.mark.parametrize("text", ["[contract\n", "[contract]\npath = '/api'\n", "[contract]\npredict = 7\n",
                                  "[contract]\nlabel_lists = 'no'\n"])  # fmt: skip
def test_unusable_contract_is_refused(tmp_path: Path, text: str) -> None:
    """A contract that cannot be understood is refused with the name of the file."""
    path = tmp_path / "base.toml"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(CustomerError, match=r"base\.toml"):
        load_contract(path)
