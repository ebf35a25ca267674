"""Flask gets each request whole, and its answer comes back whole."""

import asyncio
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any
from wsgiref.validate import validator

import pytest
from flask import Flask, request

from player.serving.gateway import Gateway, make_environ

SCOPE: dict[str, Any] = {
    "method": "POST",
    "path": "/döner kebap",
    "query_string": b"name=\xe9&x=%20",
    "http_version": "1.1",
    "scheme": "http",
    "server": ("127.0.0.1", 5000),
    "client": ("192.0.2.7", 4711),
    "headers": [
        (b"host", b"here"),
        (b"content-type", b"text/plain"),
        (b"content-length", b"999"),
        (b"transfer-encoding", b"chunked"),
        (b"x-twice", b"one"),
        (b"x-twice", b"two"),
    ],
}


def test_the_application_sees_the_request_as_it_was_sent() -> None:
    """Path, query, address, headers and body; the length is that of the body which arrived."""
    app = Flask("echo")

    @app.post("/<path:path>")
    def echo(path: str) -> dict[str, Any]:
        return {
            "path": path,
            "query": request.query_string.decode(),
            "client": request.remote_addr,
            "type": request.content_type,
            "length": request.content_length,
            "coding": request.headers.get("Transfer-Encoding"),
            "twice": request.headers["X-Twice"],
            "host": request.host_url,
            "body": request.get_data(as_text=True),
        }

    status, headers, body = asyncio.run(Gateway(app, 1).answer(SCOPE, bytearray(b"abcd")))

    assert (200, b"application/json") == (status, dict(headers)[b"content-type"])
    assert {
        "path": "döner kebap",
        "query": "name=%E9&x=%20",
        "client": "192.0.2.7",
        "type": "text/plain",
        "length": 4,
        "coding": None,
        "twice": "one,two",
        "host": "http://here/",
        "body": "abcd",
    } == app.json.loads(body)


def test_an_address_that_the_system_does_not_know_is_no_error() -> None:
    """A connection that was cut at once has no other side any more."""
    environ = make_environ({**SCOPE, "client": None, "server": None}, b"")

    assert ("", "localhost", "80") == (environ["REMOTE_ADDR"], environ["SERVER_NAME"], environ["SERVER_PORT"])


def test_who_asks_whom_and_how_is_passed_on() -> None:
    """Each side with its own port; the environment is complete, as middleware expects it."""
    environ = make_environ({**SCOPE, "scheme": "https", "http_version": "1.0"}, b"{}")

    assert ("192.0.2.7", "4711") == (environ["REMOTE_ADDR"], environ["REMOTE_PORT"])
    assert ("127.0.0.1", "5000") == (environ["SERVER_NAME"], environ["SERVER_PORT"])
    assert ("https", "HTTP/1.0") == (environ["wsgi.url_scheme"], environ["SERVER_PROTOCOL"])
    assert (1, 0) == environ["wsgi.version"]
    # What an application may rely on: other threads, and other processes, answer at the same time.
    assert [True, True, False] == [environ[f"wsgi.{name}"] for name in ("multithread", "multiprocess", "run_once")]


@pytest.mark.parametrize(
    ("sent", "seen"), [(b"a=!~%41+[]", "a=!~%41+[]"), (b"a= \x7f\xff\t", "a=%20%7F%FF%09")], ids=["printable", "others"]
)
def test_a_query_is_printable(sent: bytes, seen: str) -> None:
    """What is so already stays as it was sent: a signature may have been made of it."""
    assert seen == make_environ({**SCOPE, "query_string": sent}, b"")["QUERY_STRING"]


def test_the_last_word_of_an_application_is_its_status() -> None:
    """It may begin one answer, fail, and begin another (PEP 3333, `exc_info`)."""

    def app(_: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        start_response("500 Oh", [("X-A", "é")], ())
        return [b"oh"]

    assert (500, [(b"x-a", b"\xe9")], b"oh") == asyncio.run(Gateway(app, 1).answer(SCOPE, b""))


def test_it_keeps_to_the_standard() -> None:
    """The validator of the standard library, which knows PEP 3333, has nothing to say about it."""

    def hello(_: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
        return [b"hi"]

    answer = asyncio.run(Gateway(validator(hello), 1).answer(SCOPE, b""))

    assert (200, [(b"content-type", b"text/plain"), (b"content-length", b"2")], b"hi") == answer


class Pieces:
    """An answer in two pieces; it knows when it was closed."""

    def __init__(self, *pieces: bytes | Exception) -> None:
        self.pieces = pieces
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        for piece in self.pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    def close(self) -> None:
        """Remember it."""
        self.closed = True


@pytest.mark.parametrize("pieces", [Pieces(b"a", b"b"), Pieces(b"a", RuntimeError("broken"))], ids=["whole", "broken"])
def test_an_answer_is_sent_whole_or_not_at_all(pieces: Pieces) -> None:
    """Nobody gets half a page as if it were one; what holds the answer is closed in any case."""

    def app(_: Any, start_response: Any) -> Pieces:
        start_response("200 OK", [])
        return pieces

    asked = Gateway(app, 1).answer(SCOPE, b"")
    if isinstance(pieces.pieces[-1], Exception):
        with pytest.raises(RuntimeError, match="broken"):
            asyncio.run(asked)
    else:
        assert (200, [], b"ab") == asyncio.run(asked)

    assert pieces.closed


def test_what_one_request_notes_the_next_one_does_not_see() -> None:
    """The id in the log lines of a request is no other one's, though the thread is the same."""
    noted: ContextVar[str] = ContextVar("noted", default="nothing")
    seen = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        seen.append(noted.get())
        noted.set(environ["QUERY_STRING"])
        start_response("204 No Content", [])
        return []

    async def twice() -> None:
        gateway = Gateway(app, 1)
        for _ in range(2):
            await gateway.answer(SCOPE, b"")

    asyncio.run(twice())

    assert ["nothing", "nothing"] == seen


def test_all_threads_start_at_once() -> None:
    """Before the first request: when memory is short, none can be started."""
    gateway = Gateway(lambda *_: [], 5)
    try:
        assert 5 == sum(thread.is_alive() for thread in gateway.pool._threads)
    finally:
        gateway.pool.shutdown()
