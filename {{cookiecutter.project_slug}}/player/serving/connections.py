"""The connections of a worker: how many it may hold, and which one goes when there are too many or one is too slow."""

import re
import socket
import time
from contextlib import suppress
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

BACKLOG = 1024
NOT_READY = 1_000_000
MOST_LEFT, LEFT_SECONDS = 20, 0.0002
LONGEST_HEAD = 65_536
# Java's client asks to go on in HTTP/2, as one may ignore (RFC 9110, 7.8). The parser would then leave out the body.
UPGRADE = re.compile(rb"\r\nupgrade:", re.IGNORECASE)
OWN_FILES = 100  # a worker needs so many for itself: database, spool, log, models
WISHED_FILES = 4096


class Shares:
    """How many connections each worker of a service holds, in memory that all of them see."""

    def __init__(self, counts: Any, place: int) -> None:
        """Count at *place* in *counts*, a shared array of integers; NOT_READY is a worker that takes none."""
        self.counts, self.place = counts, place

    def hold(self, count: int) -> None:
        """Tell the others how many are held here."""
        self.counts[self.place] = count

    def others_hold_fewer(self) -> bool:
        """Tell whether another worker should take the next connection."""
        return bool(min(self.counts) < self.counts[self.place])


class Listening(socket.socket):
    """A listening socket that all workers share; which of them takes a connection is decided here.

    asyncio takes as many connections in a row as the queue is long, before it looks at the first of them, and writes
    as many errors when no more files may be opened. So it is told 1, and the queue is kept here.
    """

    shares = Shares([0], 0)
    left_to_others = 0  # how often in a row

    def listen(self, *_: int) -> None:
        """Listen with a queue of BACKLOG."""
        super().listen(BACKLOG)

    def accept(self) -> tuple[socket.socket, Any]:
        """Take a connection, unless a worker that holds fewer takes it within a few milliseconds.

        All are woken, and who was awake is the first: without this, one worker would have all the connections of a few
        clients that come at once, and keep them.
        """
        if self.left_to_others < MOST_LEFT and self.shares.others_hold_fewer():
            self.left_to_others += 1
            time.sleep(LEFT_SECONDS)
            raise BlockingIOError
        self.left_to_others = 0
        return super().accept()


class Connection(HttpToolsProtocol):
    """One connection of many; at most *most* of them are kept."""

    most = 0
    shares = Shares([0], 0)
    beside_body = 0  # bytes of this request that were head, sizes of chunks, or what follows the last chunk

    def connection_made(self, transport: Any) -> None:
        """Take the connection, and let another one go when it is one too many."""
        super().connection_made(transport)
        self.since = time.monotonic()
        if len(self.connections) > self.most:
            least_needed(self, self.connections - {self}).transport.close()
        self.shares.hold(len(self.connections))

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave the connections."""
        super().connection_lost(exc)
        self.shares.hold(len(self.connections))

    def data_received(self, data: bytes) -> None:
        """Read on, unless more than LONGEST_HEAD bytes are no body: the parser would keep an endless head in memory."""
        self.beside_body += len(data)
        super().data_received(data if in_request(self) else UPGRADE.sub(b"\r\nIgnored:", data))
        if self.beside_body > LONGEST_HEAD and not self.transport.is_closing():
            self.send_400_response("The head of the request is too long.")

    def on_message_begin(self) -> None:
        """Count anew."""
        self.beside_body = 0
        super().on_message_begin()

    def on_body(self, body: bytes) -> None:
        """Count what is body, and for each byte of it eight more: a chunk of one byte has five beside it."""
        self.beside_body -= 9 * len(body)
        super().on_body(body)


def least_needed(newest: Any, others: Any) -> Any:
    """Return which one is given up: the oldest that owes us a head, else the oldest idle one, else the newest."""
    for useless in (waits_for_head, idles):
        if found := [connection for connection in others if useless(connection)]:
            return min(found, key=lambda connection: connection.since)
    return newest


def waits_for_head(connection: Any) -> bool:
    """Tell whether *connection* is neither in a request nor idle between two: it owes us the head of one."""
    return not idles(connection) and not in_request(connection)


def in_request(connection: Any) -> bool:
    """Tell whether the head of a request has come, and its answer has not left."""
    return connection.cycle is not None and not connection.cycle.response_complete


def idles(connection: Any) -> bool:
    """Tell whether *connection* has been answered, and its client may ask again."""
    return connection.timeout_keep_alive_task is not None


def close_stalled(connections: Any, seen: dict[Any, float], limit: float) -> None:
    """Close each connection that has not sent the head of a request for *limit* seconds after it began to."""
    now = time.monotonic()
    stalled = {connection for connection in connections if waits_for_head(connection)}
    for connection in set(seen) - stalled:
        del seen[connection]
    for connection in stalled:
        if now - seen.setdefault(connection, now) > limit and connection.transport is not None:
            connection.transport.abort()


def most_connections() -> int:
    """Return how many connections this process may hold; it first asks for as many open files as it may have."""
    try:
        import resource
    except ImportError:  # Windows
        return WISHED_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wished = WISHED_FILES if hard == resource.RLIM_INFINITY else min(WISHED_FILES, hard)
    if soft < wished:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wished, hard))
    files = min(WISHED_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    return max(files - OWN_FILES, files // 2)
