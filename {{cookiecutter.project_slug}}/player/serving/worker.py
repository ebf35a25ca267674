"""One process that answers requests: it serves a socket it shares with its siblings until it is told to stop."""

import asyncio
import contextlib
import logging
import os
import select
import signal
import socket
import sys
import threading
import time
from functools import partial
from multiprocessing.connection import Connection as Wire
from typing import Any

import uvicorn

from player.config import load_settings
from player.errors import PlayerError
from player.serving.buffering import Front
from player.serving.connections import Connection, Listening, Shares, close_stalled, most_connections
from player.serving.gateway import Gateway, refuse
from player.settings.remedies import of_system
from player.settings.sections import Settings

log = logging.getLogger(__name__)

PATIENCE = 0.1
QUEUE_SECONDS = 1.0
READY = "ready"


class DrainedServer(uvicorn.Server):
    """A server that leaves the signals to us: SIGTERM must drain the connections before it closes them."""

    def capture_signals(self) -> Any:
        """Capture nothing."""
        return contextlib.nullcontext()


def run_worker(sock: socket.socket, environment: str, wire: Wire, shares: Shares, variables: dict[str, str]) -> None:
    """Serve *sock* until *wire* is closed at its other end; says over it READY, or in one line why it cannot start.

    *shares* is where it and its siblings see how many connections each of them holds.
    *variables* become this process's own: what it was forked from may have been started before they were set.
    """
    os.environ.clear()
    os.environ.update(variables)
    stop = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides what happens
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # scikit-learn warns of itself when several threads predict; each would be three lines in the log.
    logging.captureWarnings(True)
    logging.getLogger("py.warnings").setLevel(logging.ERROR)
    from player.app import create_app  # here, so that the process that starts the workers stays light
    from player.web.doorstep import make_doorstep

    try:
        settings = load_settings(environment)
        app = create_app(settings)
        try:
            Connection.shares = Listening.shares = shares
            asyncio.run(serve(app, make_doorstep(app), settings, sock, wire, stop))
        finally:
            app.extensions["player"].stop()
    except (PlayerError, OSError) as error:
        say(wire, of_system(error) if isinstance(error, OSError) else str(error))
        sys.exit(1)


def say(wire: Wire, what: str) -> None:
    """Tell the parent something; it may be gone."""
    with contextlib.suppress(OSError):
        wire.send(what)


def is_closed(wire: Wire) -> bool:
    """Tell whether the parent has closed its end, or is gone: it never sends anything."""
    try:
        return wire.poll()
    except OSError:
        return True


async def serve(
    app: Any, doorstep: Any, settings: Settings, sock: socket.socket, wire: Wire, stop: threading.Event
) -> None:
    """Let *app* answer what *doorstep* does not refuse; when told to stop, say goodbye on each connection, then close.

    The port opens here, by listening, when everything else is ready.
    """
    front = Front(Gateway(app, settings.server.threads).answer, settings.server, partial(refuse, doorstep))
    Connection.most = most_connections()
    server = DrainedServer(configure(front, settings))
    asyncio.get_running_loop().set_exception_handler(partial(note_trouble, server, stop))
    port = Listening(fileno=sock.detach())
    running = asyncio.create_task(server.serve([port]))
    while not server.started and not running.done():
        await asyncio.sleep(PATIENCE / 10)
    if running.done():
        await running  # raises what kept the port from opening
        return
    Connection.shares.hold(0)
    say(wire, READY)
    log.info("worker %d answers requests", os.getpid())
    seen: dict[Any, float] = {}
    while not stop.is_set() and not is_closed(wire) and not running.done():
        await asyncio.sleep(PATIENCE)
        close_stalled(server.server_state.connections, seen, settings.server.header_timeout_seconds)
    front.draining = True
    Connection.shares = Listening.shares = Shares([0], 0)  # whoever comes in this one's place counts there now
    await empty_queue(port)
    take_no_more(server)
    await say_goodbye(server, settings.server.drain_seconds)
    server.should_exit = True
    await running


def configure(front: Any, settings: Settings) -> uvicorn.Config:
    """Return how uvicorn serves *front*: it believes X-Forwarded-For when a trusted proxy sends it, else never."""
    return uvicorn.Config(
        front, http=Connection, backlog=1, ws="none", lifespan="off", log_config=None, access_log=False,
        server_header=False, proxy_headers=bool(settings.access.trusted_proxies),
        forwarded_allow_ips=settings.access.trusted_proxies, timeout_keep_alive=settings.server.keep_alive_seconds,
        timeout_graceful_shutdown=settings.server.stop_timeout_seconds,
    )  # fmt: skip


def note_trouble(
    server: uvicorn.Server, stop: threading.Event, loop: asyncio.AbstractEventLoop, context: dict[str, Any]
) -> None:
    """Log what went wrong with a connection; without memory for one, take no more and let a new process take over.

    A process that cuts each connection at once is always free, so that it would get, and cut, nearly all of them.
    """
    loop.default_exception_handler(context)
    if isinstance(context.get("exception"), MemoryError):
        take_no_more(server)
        stop.set()


def take_no_more(server: uvicorn.Server) -> None:
    """Leave new connections to the siblings: the socket is theirs as well."""
    for listening in server.servers:
        listening.close()


async def empty_queue(port: socket.socket) -> None:
    """Wait until each connection that waits at *port* was taken: the last worker to close it would cut them.

    Without memory it is closed already.
    """
    deadline = time.monotonic() + QUEUE_SECONDS
    while port.fileno() >= 0 and select.select([port], [], [], 0)[0] and time.monotonic() < deadline:
        await asyncio.sleep(0)


async def say_goodbye(server: uvicorn.Server, seconds: float) -> None:
    """Wait until each client has had an answer that closes its connection, or *seconds* are over.

    A connection that we close may at that moment carry a request; one that the client was told to close cannot.
    """
    deadline = time.monotonic() + seconds
    await asyncio.sleep(2 * PATIENCE)  # what was just accepted is not among the connections yet
    while server.server_state.connections and time.monotonic() < deadline:
        await asyncio.sleep(PATIENCE)
