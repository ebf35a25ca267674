"""What stands between the network and Flask: it reads each request whole, so that a slow client holds no thread.

Flask's threads are few. A client that sends one byte a second, or more clients than can be served, is dealt with
here, where a waiting connection costs next to nothing.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from player.serving.gateway import Answer, Headers
from player.settings.sections import Server

log = logging.getLogger(__name__)

REFUSE_AFTER = 0.5  # seconds, so that who asks again at once, without a look at Retry-After, costs little
TWO_LENGTHS = "A request says its length once: two lengths can hide a second request."
SMALL = 16_384  # bytes of each body that always have room, so that a few huge ones keep no ordinary request out


class ClientGone(Exception):
    """The client closed the connection before its request was complete."""


class NotRead(Exception):
    """The request is not read to its end."""

    def __init__(self, status: int, headers: Headers, body: bytes) -> None:
        """Keep what is answered."""
        super().__init__(status)
        self.answer = status, headers, body


class Front:
    """An ASGI application that hands complete requests, and no more than can be served, to what answers them."""

    def __init__(
        self,
        ask: Callable[[Any, bytearray], Awaitable[Answer]],
        server: Server,
        refuse: Callable[[Any, int], Answer | None] = lambda scope, size: None,
    ) -> None:
        """Let *ask* answer each scope and its whole body, within the limits of *server*.

        *refuse* sees the scope of a large request, and the size of its body, before that is read.
        """
        self.ask, self.refuse = ask, refuse
        self.server = server
        self.waiting = 0
        self.held = 0  # bytes of all bodies that were read and not answered, without the first `SMALL` of each
        self.draining = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Read one request whole and answer it, or refuse it with 400, 408, 413 or 503."""
        send = self.with_farewell(send)
        if {b"content-length", b"transfer-encoding"} <= {name for name, _ in scope["headers"]}:
            return await respond(send, *refusal(400, TWO_LENGTHS))
        body = bytearray()
        try:
            async with asyncio.timeout(self.server.body_timeout_seconds):
                await self.read_body(scope, receive, body)
            await self.answer(scope, body, send)
        except TimeoutError:
            await respond(send, *refusal(408, "The request did not arrive in time."))
        except NotRead as error:
            await respond(send, *error.answer)
        except ClientGone:
            return None
        finally:
            self.held -= beyond_small(len(body))
        return None

    async def answer(self, scope: Any, body: bytearray, send: Any) -> None:
        """Let the application answer, unless so many wait for it that one more is told to come back."""
        if self.waiting >= self.server.max_waiting:
            await asyncio.sleep(REFUSE_AFTER)
            return await respond(send, *refusal(503, "Too many requests at once; ask again.", close=False))
        self.waiting += 1
        try:
            await respond(send, *await self.ask_safely(scope, body))
        finally:
            self.waiting -= 1
        return None

    async def ask_safely(self, scope: Any, body: bytearray) -> Answer:
        """Return the answer; 503 without a thread or memory for it: what the application meets, it answers itself."""
        try:
            return await self.ask(scope, body)
        except Exception:
            log.exception("a request could not be handed on")
            return refusal(503, "No means to answer now; ask again.", close=False)

    async def read_body(self, scope: Any, receive: Any, body: bytearray) -> None:
        """Read the whole body into *body*; raises NotRead when it is too large; a declared size is believed at once.

        Raises ClientGone when the connection closes before the end: half a request is none.
        """
        too_large = NotRead(*refusal(413, f"A request may have {self.server.max_body_bytes} bytes."))
        declared = int(dict(scope["headers"]).get(b"content-length", b"0"))
        if declared > self.server.max_body_bytes:
            raise too_large
        if declared > SMALL and (refused := self.refuse(scope, declared)):
            status, headers, said = refused
            raise NotRead(status, [*headers, (b"connection", b"close")], said)
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            before = beyond_small(len(body))
            body += message.get("body", b"")
            self.held += beyond_small(len(body)) - before
            more = message.get("more_body", False)
            if len(body) > self.server.max_body_bytes:
                raise too_large
            if len(body) > SMALL and self.held > self.server.max_bodies_bytes:
                raise NotRead(*refusal(503, "Too many large requests at once; ask again."))

    def with_farewell(self, send: Any) -> Any:
        """Return *send*, which tells the client to reconnect elsewhere while this process is about to stop."""

        async def sending(message: Any) -> None:
            if self.draining and message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
            await send(message)

        return sending


def beyond_small(size: int) -> int:
    """Return how much of a body of *size* bytes has to fit among the other large ones."""
    return max(0, size - SMALL)


def refusal(status: int, detail: str, close: bool = True) -> Answer:
    """Return a problem document that *closes* the connection: what is left of such a request is not worth reading.

    Where it was read whole the connection may stay, so that asking again costs little.
    """
    body = json.dumps({"type": "about:blank", "title": "Refused", "status": status, "detail": detail}).encode()
    headers = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode())]
    headers += [(b"retry-after", b"1")] if status == 503 else []
    headers += [(b"connection", b"close")] if close else []
    return status, headers, body


async def respond(send: Any, status: int, headers: Headers, body: bytes) -> None:
    """Send one answer."""
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
