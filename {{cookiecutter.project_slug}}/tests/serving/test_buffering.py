"""Slow, endless and too many requests are dealt with before they cost a thread."""

import asyncio
import json
from typing import Any

import pytest

from player.config import Settings
from player.serving.buffering import SMALL, Front, refusal
from player.serving.gateway import Answer

GONE = b"(the client closes the connection)"


class Client:
    """Sends the given pieces of a body, then nothing; keeps what it is answered."""

    def __init__(self, *pieces: bytes, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        self.pieces = list(pieces)
        self.scope = {"type": "http", "headers": list(headers)}
        self.answers: list[Any] = []

    async def receive(self) -> Any:
        if not self.pieces:
            await asyncio.Event().wait()  # a client that has gone quiet
        piece = self.pieces.pop(0)
        if piece == GONE:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": piece, "more_body": piece != b""}

    async def send(self, message: Any) -> None:
        self.answers.append(message)

    async def ask(self, front: Front) -> int:
        """Send the request to *front* and return the status of the answer."""
        await front(self.scope, self.receive, self.send)
        status: int = self.answers[0]["status"]
        return status


async def echo(_: Any, body: bytearray) -> Answer:
    """Answer with the body that arrived."""
    return 200, [], bytes(body)


@pytest.fixture(name="front")
def _front(settings: Settings) -> Front:
    """A front with small limits before an application that echoes."""
    limits = {"max_body_bytes": 1000, "body_timeout_seconds": 1, "max_waiting": 2}
    return Front(echo, settings.server.model_copy(update=limits))


def test_a_request_in_pieces_arrives_whole(front: Front) -> None:
    """However a body is cut, the application sees it at once."""
    client = Client(b"ab", b"cd", b"")

    assert 200 == asyncio.run(client.ask(front))
    assert b"abcd" == client.answers[1]["body"]


def test_a_client_that_goes_quiet_is_cut_off(front: Front) -> None:
    """A body that does not arrive in time is answered with 408, and the connection closes."""
    client = Client(b"ab")

    assert 408 == asyncio.run(client.ask(front))
    assert (b"connection", b"close") in client.answers[0]["headers"]


def test_half_a_request_is_none(front: Front) -> None:
    """What a client had sent before its connection closed is not taken for a whole request."""
    client = Client(b'{"income": 1}', GONE)
    asyncio.run(front(client.scope, client.receive, client.send))

    assert [] == client.answers


def test_without_means_to_answer_the_client_is_told_to_come_back(settings: Settings) -> None:
    """No memory, no thread for the application: that is 503 with Retry-After, and the next request is read."""

    async def exhausted(scope: Any, body: bytearray) -> Answer:
        raise RuntimeError("can't start new thread")

    client, front = Client(b""), Front(exhausted, settings.server)

    assert 503 == asyncio.run(client.ask(front))
    assert (b"retry-after", b"1") in client.answers[0]["headers"]
    assert 0 == front.waiting


@pytest.mark.parametrize(
    "client",
    [Client(b"x" * 600, b"x" * 600, b""), Client(headers=((b"content-length", b"1001"),))],
    ids=["arrives too large", "is announced too large"],
)
def test_a_body_that_is_too_large_is_refused(front: Front, client: Client) -> None:
    """Too large a body is refused with 413, an announced one without reading it."""
    assert 413 == asyncio.run(client.ask(front))


@pytest.mark.parametrize(("size", "status", "left"), [(SMALL + 1, 429, 1), (SMALL, 200, 0)], ids=["large", "small"])
def test_a_large_body_of_who_is_refused_anyway_is_not_read(
    settings: Settings, size: int, status: int, left: int
) -> None:
    """Its head is enough, and the connection closes; a small body costs less than the look."""
    seen: list[int] = []

    def refuse(scope: Any, announced: int) -> Answer:
        seen.append(announced)
        return 429, [(b"retry-after", b"60")], b"no"

    client = Client(b"", headers=((b"content-length", str(size).encode()),))

    assert status == asyncio.run(client.ask(Front(echo, settings.server, refuse)))
    assert left == len(client.pieces)
    assert [size] * left == seen
    assert ([(b"retry-after", b"60"), (b"connection", b"close")] if left else []) == client.answers[0]["headers"]


@pytest.mark.parametrize(
    "client",
    [Client(b"x" * 600, b"x" * 400, b""), Client(b"x" * 1000, b"", headers=((b"content-length", b"1000"),))],
    ids=["arrives", "is announced"],
)
def test_a_body_may_be_as_large_as_it_is_said(front: Front, client: Client) -> None:
    """To the last byte."""
    assert 200 == asyncio.run(client.ask(front))
    assert b"x" * 1000 == client.answers[1]["body"]


def test_a_message_that_says_nothing_of_a_next_one_is_the_last(front: Front) -> None:
    """That is what its absence means (ASGI)."""
    client = Client()

    async def receive() -> Any:
        return {"type": "http.request"}

    asyncio.run(front(client.scope, receive, client.send))

    assert (200, b"") == (client.answers[0]["status"], client.answers[1]["body"])


@pytest.mark.parametrize(
    ("status", "close", "more"),
    [
        (413, True, [(b"connection", b"close")]),
        (503, True, [(b"retry-after", b"1"), (b"connection", b"close")]),
        (503, False, [(b"retry-after", b"1")]),
    ],
)
def test_a_refusal_says_why_and_what_next(status: int, close: bool, more: list[tuple[bytes, bytes]]) -> None:
    """A problem document, as all errors are; whoever was read whole keeps the connection."""
    found, headers, body = refusal(status, "Why.", close)

    assert {"type": "about:blank", "title": "Refused", "status": status, "detail": "Why."} == json.loads(body)
    plain = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode())]
    assert (status, plain + more) == (found, headers)


def test_who_is_told_to_come_back_may_use_the_same_connection(settings: Settings) -> None:
    """A new one for each try would cost more than the request."""
    front = Front(echo, settings.server)
    front.waiting = settings.server.max_waiting
    client = Client(b"")

    assert 503 == asyncio.run(client.ask(front))
    assert b"connection" not in dict(client.answers[0]["headers"])
    front.waiting -= 1
    client = Client(b"ab", b"")
    assert 200 == asyncio.run(client.ask(front))
    assert b"connection" not in dict(client.answers[0]["headers"]), "who is answered in peace may ask again"


@pytest.mark.parametrize(("size", "status"), [(SMALL, 200), (SMALL + 1, 503)])
def test_a_small_body_has_room_however_many_large_ones_there_are(settings: Settings, size: int, status: int) -> None:
    """What is small is so to the last byte."""
    front = Front(echo, settings.server)
    front.held = settings.server.max_bodies_bytes

    assert status == asyncio.run(Client(b"x" * size, b"").ask(front))


def test_large_bodies_may_use_their_room_up(settings: Settings) -> None:
    """To the last byte, too."""
    front = Front(echo, settings.server)
    front.held = settings.server.max_bodies_bytes - 1

    assert 200 == asyncio.run(Client(b"x" * (SMALL + 1), b"").ask(front))


def large(front: Front) -> tuple[Client, asyncio.Task[int]]:
    """Return a client that has sent 600,000 bytes and then keeps silent, and the task that waits for its answer."""
    client = Client(b"x" * 300_000, b"x" * 300_000)
    return client, asyncio.create_task(client.ask(front))


def test_large_bodies_have_one_room_together_and_small_ones_their_own(settings: Settings) -> None:
    """What does not fit gets 503; what was answered, refused or given up makes room again; a small body always fits."""
    limits = {"max_bodies_bytes": 2_000_000, "body_timeout_seconds": 1}

    async def flood() -> None:
        front = Front(echo, settings.server.model_copy(update=limits))
        asked = [large(front)[1] for _ in range(20)]
        await asyncio.sleep(0.1)
        held, small = front.held, await Client(b"x" * 16_000, b"").ask(front)
        statuses = sorted(await asyncio.gather(*asked))
        again = await Client(b"x" * 600_000, b"").ask(front)

        assert 1_000_000 < held <= 2_000_000
        assert ([408] * 3 + [503] * 17, 200, 200) == (statuses, small, again)
        assert 0 == front.held

    asyncio.run(flood())


def test_a_request_with_two_lengths_is_refused(front: Front) -> None:
    """What one program takes for a body and another for a second request is neither."""
    client = Client(b"0", headers=((b"content-length", b"1"), (b"transfer-encoding", b"chunked")))

    assert 400 == asyncio.run(client.ask(front))
    assert (b"connection", b"close") in client.answers[0]["headers"]


def test_more_requests_than_can_wait_are_told_to_come_back(settings: Settings) -> None:
    """Above the limit the answer is 503 with Retry-After at once, and the others are served."""
    release = asyncio.Event()

    async def slow(scope: Any, body: bytearray) -> Answer:
        await release.wait()
        return await echo(scope, body)

    async def burst() -> list[int]:
        front = Front(slow, settings.server.model_copy(update={"max_waiting": 2}))
        asked = [asyncio.create_task(Client(b"").ask(front)) for _ in range(5)]
        await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        release.set()
        return sorted(await asyncio.gather(*asked))

    assert [200, 200, 503, 503, 503] == asyncio.run(burst())


def test_a_process_about_to_stop_says_goodbye(front: Front) -> None:
    """While draining, each answer asks the client to reconnect, so that no request is lost on a closing connection."""
    front.draining = True
    client = Client(b"")
    asyncio.run(client.ask(front))

    assert (b"connection", b"close") in client.answers[0]["headers"]
