"""Clients misbehave: too many, too slow, speaking nonsense. Everybody else is answered."""

import concurrent.futures
import contextlib
import socket
import time
from collections.abc import Callable

from player.config import Settings
from tests.chaos.load import Load, peak_rate, settle
from tests.service import Service, wait_until

HEAD = b"POST /api HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
GOOD = HEAD + b"Content-Length: 15\r\n\r\n" + b'{"features":{}}'


def test_ten_times_too_many(
    model_settings: Settings, start: Callable[..., Service], report: Callable[..., None]
) -> None:
    """Ten times as many clients as reach the peak: some are told to come back, the rest is served, soon it is over.

    The clients ask again the moment they have an answer, so that what is offered is bounded by this machine alone.
    """
    service = start(model_settings)
    peak = peak_rate(service)
    before = service.memory()
    with Load(service, clients=640) as burst:
        time.sleep(60)
    largest = service.memory()
    started = time.monotonic()
    wait_until(lambda: bool(service.ask(f"after-{time.monotonic_ns()}")), 5)
    with Load(service, 0.3 * peak) as after:
        time.sleep(5)
    served = len(burst.answers) / 60
    report(peak=round(peak), served_a_second=round(served), **settle(model_settings, burst), **burst.times(),
           refused_503=burst.interrupted["status 503"], other=str(set(burst.interrupted) - {"status 503"}),
           memory=round(largest / before, 2), normal_again_s=round(time.monotonic() - started - 5, 1),
           failed_after=len(after.failed))  # fmt: skip

    assert {"status 503"} >= burst.interrupted.keys()
    assert 0 == burst.without_retry_after
    assert [] == after.failed
    assert largest < 2 * before


def test_slow_clients(model_settings: Settings, start: Callable[..., Service], report: Callable[..., None]) -> None:
    """Heads that never end, half bodies, idle connections and readers that do not read hold nobody else up."""
    service = start(model_settings)
    service.wait_for_all()
    beginnings = {
        "half a head": HEAD, "one byte": b"P", "half a body": HEAD + b"Content-Length: 100\r\n\r\n{", "idle": b"",
        "chunks without end": HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{\"a\":",
    }  # fmt: skip
    slow = [connect(service, start) for start in beginnings.values() for _ in range(40)]
    readers = [connect(service, b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 50) for _ in range(20)]
    started = time.monotonic()
    with Load(service, 30) as load:
        closed = len(list(concurrent.futures.ThreadPoolExecutor(200).map(closed_by_server, slow)))
    seconds = time.monotonic() - started
    for one in (*slow, *readers):
        one.close()
    report(slow=len(slow), not_reading=len(readers), closed=closed, all_closed_after_s=round(seconds, 1),
           **settle(model_settings, load), failed=len(load.failed), **load.times())  # fmt: skip

    assert [] == load.failed
    assert load.times()["worst ms"] < 5000
    assert seconds < 30


def connect(service: Service, sent: bytes) -> socket.socket:
    """Return a connection on which *sent* was sent."""
    one = socket.create_connection(("127.0.0.1", service.port), timeout=60)
    one.sendall(sent)
    return one


def closed_by_server(one: socket.socket) -> bool:
    """Read until the server closes the connection; fail when it does not within a minute."""
    try:
        while one.recv(65536):
            pass
    except ConnectionError:
        pass
    return True


GARBAGE = {
    "nothing but blanks": b"   \r\n\r\n", "NUL": bytes(100), "high bytes": bytes(range(128, 256)) * 10,
    "TLS": bytes.fromhex("16030100a5010000a10303") + bytes(100), "SSH": b"SSH-2.0-x\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "SMTP": b"EHLO x\r\n\r\n", "HTTP/0.9": b"GET /api\r\n\r\n",
    "HTTP/9.9": b"GET /api HTTP/9.9\r\nHost: x\r\n\r\n", "no version": b"GET /api \r\nHost: x\r\n\r\n",
    "lower case": b"get /api http/1.1\r\nHost: x\r\n\r\n", "no host": b"GET /api HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /api HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", "bare LF": b"GET /api HTTP/1.1\nHost: x\n\n",
    "bare CR": b"GET /api HTTP/1.1\rHost: x\r\r", "folded": b"GET /api HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
    "space in a name": b"GET /api HTTP/1.1\r\nHost: x\r\nA B: c\r\n\r\n",
    "blank before the colon": b"GET /api HTTP/1.1\r\nHost: x\r\nContent-Length : 5\r\n\r\n",
    "no colon": b"GET /api HTTP/1.1\r\nHost: x\r\nabc\r\n\r\n",
    "NUL in a value": b"GET /api HTTP/1.1\r\nHost: x\0\r\n\r\n",
    "head of 1 MB": b"GET /api HTTP/1.1\r\nHost: x\r\nA: " + b"x" * 1_000_000 + b"\r\n\r\n",
    "path of 1 MB": b"GET /" + b"x" * 1_000_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "10,000 headers": b"GET /api HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 10_000 + b"\r\n",
    "absolute path": b"GET http://y/api HTTP/1.1\r\nHost: x\r\n\r\n", "star": b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    "CONNECT": b"CONNECT y:443 HTTP/1.1\r\nHost: y\r\n\r\n", "no path": b"GET HTTP/1.1\r\nHost: x\r\n\r\n",
    "raw path": b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n", "fragment": b"GET /api#x HTTP/1.1\r\nHost: x\r\n\r\n",
    "upgrade": b"GET /api HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               b"Sec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n",
    "expect": HEAD + b"Content-Length: 15\r\nExpect: 100-continue\r\n\r\n{\"features\":{}}",
    "expects odd things": HEAD + b"Content-Length: 15\r\nExpect: x\r\n\r\n{\"features\":{}}",
    "both lengths": HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GOOD,
    "encoding twice": HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "unknown encoding": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunk of -1": HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\nx\r\n0\r\n\r\n",
    "chunk of words": HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nx\r\n0\r\n\r\n",
    "huge chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx",
    "chunk extension": HEAD + b"Transfer-Encoding: chunked\r\n\r\n2;" + b"x" * 100_000 + b"\r\n{}\r\n0\r\n\r\n",
} | {
    f"length {length!r}": HEAD + b"Content-Length: " + length + b"\r\n\r\n{}"
    for length in (b"-1", b"+2", b"x", b"0x2", b"2, 2", b"2, 3", b"1e1", b"9" * 30, b"9" * 5000, b"", b"2 2", b"\xb2")
}  # fmt: skip


def test_nonsense(model_settings: Settings, start: Callable[..., Service], report: Callable[..., None]) -> None:
    """What is not HTTP is refused with a status of the client's fault or a closed connection, and answered once."""
    service = start(model_settings)
    wrong = []
    for name, sent in GARBAGE.items():
        received = exchange(service, sent)
        statuses = [int(part[:3]) for part in received.replace(b"HTTP/1.0 ", b"HTTP/1.1 ").split(b"HTTP/1.1 ")[1:]]
        final = [status for status in statuses if status != 100]
        if len(final) > 1 or any(status >= 500 and status not in (501, 505) for status in final):
            wrong.append(f"{name}: {received[:300]!r}")
        service.ask(f"after {name}")
    report(kinds=len(GARBAGE), wrong=len(wrong))

    assert [] == wrong


def exchange(service: Service, sent: bytes) -> bytes:
    """Send *sent*, close our half, and return all that comes back before the server closes its own."""
    received = b""
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as one, contextlib.suppress(ConnectionError):
        one.sendall(sent)
        with contextlib.suppress(OSError):  # the service was faster, and has closed both
            one.shutdown(socket.SHUT_WR)
        while piece := one.recv(65536):
            received += piece
    return received
