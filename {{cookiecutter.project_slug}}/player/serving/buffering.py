"""What stands between the network and Flask: it reads each request whole, so that a slow client holds no thread.

Flask's threads are few. A client that sends one byte a second, or more clients than can be served, is dealt with
here, where a waiting connection costs next to nothing.
"""

import asyncio
import json
import logging
from typing import Any
from urllib.parse import quote

from player.settings.sections import Server

log = logging.getLogger(__name__)

REFUSE_AFTER = 0.5  # seconds, so that who asks again at once, without a look at Retry-After, costs little
SMALL = 16_384  # bytes of each body that always have room, so that a few huge ones keep no ordinary request out
PRINTABLE = "".join(chr(code) for code in range(33, 127))


class ClientGone(Exception):
    """The client closed the connection before its request was complete."""


class NotRead(Exception):
    """The request is not read to its end; *status* and *detail* say why."""

    def __init__(self, status: int, detail: str) -> None:
        """Keep what is answered."""
        super().__init__(detail)
        self.status, self.detail = status, detail


class Front:
    """An ASGI application that hands complete requests, and no more than can be served, to another one."""

    def __init__(self, app: Any, server: Server) -> None:
        """Stand before the ASGI application *app*, with the limits of *server*."""
        self.app = app
        self.server = server
        self.waiting = 0
        self.held = 0  # bytes of all bodies that were read and not answered, without the first `SMALL` of each
        self.draining = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Read one request whole and answer it, or refuse it with 400, 408, 413 or 503."""
        send = self.with_farewell(send)
        if {b"content-length", b"transfer-encoding"} <= {name for name, _ in scope["headers"]}:
            return await refuse(send, 400, "A request says its length once: two lengths can hide a second request.")
        body = bytearray()
        try:
            async with asyncio.timeout(self.server.body_timeout_seconds):
                await self.read_body(scope, receive, body)
            await self.answer(scope, body, send)
        except TimeoutError:
            await refuse(send, 408, "The request did not arrive in time.")
        except NotRead as error:
            await refuse(send, error.status, error.detail)
        except ClientGone:
            return None
        finally:
            self.held -= beyond_small(len(body))
        return None

    async def answer(self, scope: Any, body: bytearray, send: Any) -> None:
        """Let the application answer, unless so many wait for it that one more is told to come back."""
        if self.waiting >= self.server.max_waiting:
            await asyncio.sleep(REFUSE_AFTER)
            return await refuse(send, 503, "Too many requests at once; ask again.", close=False)
        self.waiting += 1
        try:
            await self.app(complete(scope, body), replay(body), send)
        except Exception:  # no thread, no memory: whatever the application itself meets, it answers itself
            log.exception("a request could not be handed on")
            await refuse(send, 503, "No means to answer now; ask again.", close=False)
        finally:
            self.waiting -= 1
        return None

    async def read_body(self, scope: Any, receive: Any, body: bytearray) -> None:
        """Read the whole body into *body*; raises NotRead when it is too large; a declared size is believed at once.

        Raises ClientGone when the connection closes before the end: half a request is none.
        """
        too_large = NotRead(413, f"A request may have {self.server.max_body_bytes} bytes.")
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if int(declared) > self.server.max_body_bytes:
            raise too_large
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
                raise NotRead(503, "Too many large requests at once; ask again.")

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


def complete(scope: Any, body: bytearray) -> Any:
    """Return *scope* as it would be had the whole *body* come at once, its query in plain ASCII."""
    headers = [(k, v) for k, v in scope["headers"] if k not in (b"content-length", b"transfer-encoding")]
    headers.append((b"content-length", str(len(body)).encode()))
    return {**scope, "headers": headers, "query_string": quote(scope["query_string"], safe=PRINTABLE).encode()}


def replay(body: bytearray) -> Any:
    """Return an ASGI `receive` that gives the whole *body*, no copy of it."""

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


async def refuse(send: Any, status: int, detail: str, close: bool = True) -> None:
    """Send a problem document, and *close* the connection, because what is left of such a request is not worth reading.

    Where it was read whole the connection may stay, so that asking again costs little.
    """
    body = json.dumps({"type": "about:blank", "title": "Refused", "status": status, "detail": detail}).encode()
    headers = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode())]
    headers += [(b"retry-after", b"1")] if status == 503 else []
    headers += [(b"connection", b"close")] if close else []
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
