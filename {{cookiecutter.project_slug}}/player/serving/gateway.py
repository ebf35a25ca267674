"""Lets Flask answer one whole request, on a thread: meanwhile the event loop reads the next ones.

A request goes to its thread and its answer comes back, once each: every further step between the two would cost more
than the answer itself.
"""

import asyncio
import io
import sys
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any
from urllib.parse import quote

PRINTABLE = "".join(chr(code) for code in range(33, 127))
Headers = list[tuple[bytes, bytes]]
Answer = tuple[int, Headers, bytes]  # status, headers, body


class Gateway:
    """A WSGI application (PEP 3333) as the event loop sees it."""

    def __init__(self, app: Callable[..., Iterable[bytes]], threads: int) -> None:
        """Let *app* answer so many requests at once; all *threads* start now: when memory is short, none could."""
        self.app = app
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="request")
        together = threading.Barrier(threads)
        list(self.pool.map(lambda _: together.wait(), range(threads)))

    async def answer(self, scope: Any, body: bytes | bytearray) -> Answer:
        """Return what the application answers to the request in *scope* (ASGI) with this whole *body*."""
        environ = make_environ(scope, body)
        # In a context of its own: the id that its log lines carry is not that of the next request.
        return await asyncio.get_running_loop().run_in_executor(self.pool, copy_context().run, self.ask, environ)

    def ask(self, environ: dict[str, Any]) -> Answer:
        """Return the answer of the application, whole."""
        began: list[tuple[str, list[tuple[str, str]]]] = []
        pieces = self.app(environ, lambda status, headers, exc_info=None: began.append((status, headers)))
        try:
            body = b"".join(pieces)
        finally:
            getattr(pieces, "close", lambda: None)()
        status, headers = began[-1]
        return int(status[:3]), plain(headers), body


def refuse(doorstep: Callable[[dict[str, Any]], Any], scope: Any, size: int) -> Answer | None:
    """Return how *doorstep* refuses a request whose body of *size* bytes is not read yet, or None.

    Runs on the event loop: a thread would cost more than the look.
    """
    environ = make_environ(scope, b"")
    environ["CONTENT_LENGTH"] = str(size)
    response = doorstep(environ)
    return None if response is None else (response.status_code, plain(response.headers.items()), response.get_data())


def plain(headers: Iterable[tuple[str, str]]) -> Headers:
    """Return headers of WSGI as ASGI has them."""
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]


def make_environ(scope: Any, body: bytes | bytearray) -> dict[str, Any]:
    """Return what WSGI says of a request: its query in plain ASCII, its length as it arrived, however it was sent."""
    server, client = scope.get("server") or ("localhost", 80), scope.get("client") or ("", 0)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["path"].encode().decode("latin-1"),
        "QUERY_STRING": quote(scope["query_string"], safe=PRINTABLE),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": str(client[1]),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        key = name.decode("latin-1").upper().replace("-", "_")
        key = key if key == "CONTENT_TYPE" else f"HTTP_{key}"
        text = value.decode("latin-1")
        environ[key] = f"{environ[key]},{text}" if key in environ else text
    for unread in ("HTTP_CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING"):
        environ.pop(unread, None)
    environ["CONTENT_LENGTH"] = str(len(body))
    return environ
