"""A worker holds as many connections as it may; who owes it a request goes first."""

import asyncio
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, TypeVar
from unittest.mock import Mock

import pytest
import uvicorn

from player.serving.connections import (
    MOST_LEFT,
    NOT_READY,
    OWN_FILES,
    WISHED_FILES,
    Connection,
    Listening,
    Shares,
    close_stalled,
    least_needed,
    most_connections,
)

T = TypeVar("T")


@dataclass(eq=False)
class Stub:
    """What is asked of a connection before it is given up."""

    since: float
    timeout_keep_alive_task: Any = None
    cycle: Any = None


@pytest.fixture(autouse=True)
def _room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Room for three connections."""
    monkeypatch.setattr(Connection, "most", 3)


IDLE, BUSY = object(), SimpleNamespace(response_complete=False)


@pytest.mark.parametrize(
    ("others", "chosen"),
    [
        ([Stub(2), Stub(1), Stub(0, IDLE), Stub(0, None, BUSY)], 1),
        ([Stub(3, IDLE), Stub(2, IDLE), Stub(0, None, BUSY)], 1),
        ([Stub(0, None, BUSY), Stub(1, None, BUSY)], None),
    ],
    ids=["waits for a head", "idle between two requests", "all are busy"],
)
def test_the_least_needed_one_is_given_up(others: list[Stub], chosen: int | None) -> None:
    """A request on its way is never cut for a new visitor."""
    newest = Stub(9)

    assert least_needed(newest, set(others)) is (newest if chosen is None else others[chosen])


async def hello(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the size of the body, once it is whole, and close."""
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message["body"]), message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"connection", b"close")]})
    await send({"type": "http.response.body", "body": b"%d" % size})


async def visit(port: int, visitors: int) -> tuple[bytes, int]:
    """Return what the last of many visitors is answered, and how many of the idle ones still have a connection."""
    idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(visitors)]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    status = await asyncio.wait_for(reader.readline(), 10)
    await asyncio.sleep(0.2)
    kept = sum(not other.at_eof() for other, _ in idle)
    for _, one in (*idle, (reader, writer)):
        one.close()
    return status, kept


async def while_serving(visitor: Callable[[int], Awaitable[T]]) -> T:
    """Return what *visitor* found at the port of a server of such connections."""
    config = uvicorn.Config(hello, http=Connection, backlog=1, ws="none", lifespan="off", log_config=None)
    with socket.create_server(("127.0.0.1", 0)) as plain:
        port = plain.getsockname()[1]
        server = uvicorn.Server(config)
        running = asyncio.create_task(server.serve([Listening(fileno=plain.detach())]))
        found = await visitor(port)
        server.should_exit = True
        await running
    return found


def test_idle_visitors_do_not_use_up_the_open_files() -> None:
    """With room for three connections, thirty idle visitors leave room for one who asks."""
    assert (b"HTTP/1.1 200 OK\r\n", 2) == asyncio.run(while_serving(lambda port: visit(port, 30)))


@pytest.mark.parametrize(
    ("counts", "left"), [([3, 3], 0), ([3, 9], 0), ([3, 2], MOST_LEFT), ([1, NOT_READY, 0], MOST_LEFT)]
)
def test_a_worker_that_holds_fewer_gets_the_next_one(counts: list[int], left: int) -> None:
    """For a few milliseconds; when it does not take it, who was there first does."""
    with socket.socket() as plain:
        plain.bind(("127.0.0.1", 0))
        listening = Listening(fileno=plain.detach())
    listening.shares = Shares(counts, 0)
    listening.listen()
    listening.setblocking(False)
    with listening:
        for _ in range(2):  # it waits anew for each connection
            with socket.create_connection(listening.getsockname()):
                for _ in range(left):
                    with pytest.raises(BlockingIOError):
                        listening.accept()
                listening.accept()[0].close()


def test_the_others_see_how_many_connections_a_worker_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """While they are open."""
    counts = [7, 0, 7]
    monkeypatch.setattr(Connection, "shares", Shares(counts, 1))
    seen = []

    async def look(port: int) -> None:
        opened = []
        for _ in range(2):
            opened.append((await asyncio.open_connection("127.0.0.1", port))[1])
            await asyncio.sleep(0.1)
            seen.append(counts[1])
        for writer in opened:
            writer.close()
        await asyncio.sleep(0.1)

    asyncio.run(while_serving(look))

    assert ([1, 2], [7, 0, 7]) == (seen, counts)


CUT = b""
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
SENT = {
    "a long value": (b"GET / HTTP/1.1\r\nX: ", b"x" * 1000, b"\r\n\r\n"),
    "many headers": (b"GET / HTTP/1.1\r\nHost: x\r\n", b"X: 1\r\n" * 100, b"\r\n"),
    "a long address": (b"GET /", b"x" * 1000, b" HTTP/1.1\r\n\r\n"),
    "empty lines": (b"", b"\r\n" * 500, b"GET / HTTP/1.1\r\n\r\n"),
    "a chunk's extension": (CHUNKED + b"1;", b"x" * 1000, b"\r\nx\r\n0\r\n\r\n"),
    "what follows the last chunk": (CHUNKED + b"0\r\n", b"X: 1\r\n" * 100, b"\r\n"),
}


async def send(port: int, begin: bytes, piece: bytes, end: bytes, pieces: int) -> bytes:
    """Return the status of the answer to *begin*, so many *pieces*, and *end*, and how much body that was.

    CUT when there is no answer.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(begin)
        for _ in range(pieces):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)  # or the server would see one long piece
        writer.write(end)
        lines = (await asyncio.wait_for(reader.read(), 10)).splitlines()
        return b"%s of %s" % (lines[0].split()[1], lines[-3]) if lines else CUT
    except ConnectionError:  # the server has refused it while we were still sending
        return CUT
    finally:
        writer.close()


@pytest.mark.parametrize(("begin", "piece", "end"), SENT.values(), ids=SENT)
@pytest.mark.parametrize(("pieces", "answers"), [(20, (b"200",)), (2000, (b"400", CUT))], ids=["short", "endless"])
def test_an_endless_head_is_refused(
    begin: bytes, piece: bytes, end: bytes, pieces: int, answers: tuple[bytes, ...]
) -> None:
    """Whatever of a request is no body must end: the parser keeps it, and nobody else's limit counts it."""
    found = asyncio.run(while_serving(lambda port: send(port, begin, piece, end, pieces)))

    assert found.partition(b" ")[0] in answers


@pytest.mark.parametrize("name", [b"Upgrade", b"upgrade", b"UPGRADE"])
def test_who_would_rather_speak_http_2_is_answered_in_http_1(name: bytes) -> None:
    """With the body that came: Java's client asks so with its first request, whatever that is."""
    asked = (b"POST / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nContent-Length: 1000\r\n" + name
             + b": h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n")  # fmt: skip

    assert b"200 of 1000" == asyncio.run(while_serving(lambda port: send(port, asked, b"x" * 100, b"", 10)))


def test_a_body_in_the_smallest_chunks_is_no_endless_head() -> None:
    """However much a client writes around each byte that it sends."""
    chunk = b"1\r\nx\r\n"

    found = asyncio.run(while_serving(lambda port: send(port, CHUNKED, chunk * 10, b"0\r\n\r\n", 4000)))

    assert b"200 of 40000" == found


async def send_chunks(port: int, chunks: bytes) -> bytes:
    """Return the status of the answer to a body of these *chunks*, which come after its head."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(CHUNKED)
        await asyncio.sleep(0.2)
        writer.write(chunks + b"0\r\n\r\n")
        return (await asyncio.wait_for(reader.read(), 30)).partition(b" ")[2][:3]
    except ConnectionError:  # the server has refused it while we were still sending
        return CUT
    finally:
        writer.close()


@pytest.mark.parametrize(
    ("chunk", "answers"), [(b"0001\r\nx\r\n", (b"200",)), (b"00001\r\nx\r\n", (b"400", CUT))], ids=["eight", "nine"]
)
def test_eight_bytes_may_stand_beside_each_byte_of_a_body(chunk: bytes, answers: tuple[bytes, ...]) -> None:
    """Five do in the smallest chunks; who writes more is refused before it takes much memory."""
    assert asyncio.run(while_serving(lambda port: send_chunks(port, chunk * 70_000))) in answers


def test_a_worker_takes_all_the_open_files_it_may_have() -> None:
    """A soft limit is raised to what the operating system allows; some files are kept for the worker itself."""
    resource = pytest.importorskip("resource", reason="Windows has no such limit")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, before[1]), before[1]))
    try:
        most = most_connections()
        after = resource.getrlimit(resource.RLIMIT_NOFILE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)

    assert min(WISHED_FILES, before[1]) == after[0]
    assert after[0] - OWN_FILES == most


@pytest.mark.parametrize("hard", [2000, -1], ids=["some", "unlimited"])
def test_where_there_is_no_limit_enough_are_asked_for(monkeypatch: pytest.MonkeyPatch, hard: int) -> None:
    """Unlimited is a number of its own for the system; as a number it would be less than any."""
    resource = pytest.importorskip("resource", reason="Windows has no such limit")
    hard = resource.RLIM_INFINITY if hard < 0 else hard
    asked = Mock()
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, hard))
    monkeypatch.setattr(resource, "setrlimit", asked)
    most_connections()

    wished = WISHED_FILES if hard == resource.RLIM_INFINITY else min(WISHED_FILES, hard)
    assert (wished, hard) == asked.call_args.args[1]


@pytest.mark.parametrize(
    ("files", "most"),
    [(5000, WISHED_FILES - OWN_FILES), (WISHED_FILES, WISHED_FILES - OWN_FILES), (300, 200), (120, 60)],
)
def test_some_files_are_kept_for_the_worker_itself(monkeypatch: pytest.MonkeyPatch, files: int, most: int) -> None:
    """Where there are hardly any, half of them; a limit that is all one may have is left as it is."""
    resource = pytest.importorskip("resource", reason="Windows has no such limit")
    asked = Mock()
    monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))
    monkeypatch.setattr(resource, "setrlimit", asked)

    assert (most, False) == (most_connections(), asked.called)


@pytest.mark.parametrize("error", [OSError, ValueError])
def test_a_limit_that_cannot_be_raised_is_kept_to(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    """In some containers nobody may."""
    resource = pytest.importorskip("resource", reason="Windows has no such limit")
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 2000))
    monkeypatch.setattr(resource, "setrlimit", Mock(side_effect=error))

    assert 1024 - OWN_FILES == most_connections()


def test_where_the_system_counts_no_files_enough_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows."""
    monkeypatch.setitem(sys.modules, "resource", None)

    assert WISHED_FILES == most_connections()


class Beginner:
    """A connection that owes the head of a request."""

    cycle: Any = None
    timeout_keep_alive_task: Any = None

    def __init__(self) -> None:
        """Nothing was closed yet."""
        self.aborted = False
        self.transport: Any = self

    def abort(self) -> None:
        """Remember it."""
        self.aborted = True


def test_a_connection_that_only_begins_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """When it owes the head of a request for longer than the limit; who was answered meanwhile begins anew."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    slow, quick, gone = Beginner(), Beginner(), Beginner()
    seen: dict[Any, float] = {}
    close_stalled([slow, quick, gone], seen, 5)
    quick.timeout_keep_alive_task, gone.transport = object(), None
    for seconds, aborted in ((5.0, False), (5.1, True)):
        now[0] = seconds
        close_stalled([slow, quick, gone], seen, 5)
        assert [aborted, False, False] == [each.aborted for each in (slow, quick, gone)]

    assert {slow, gone} == set(seen)
