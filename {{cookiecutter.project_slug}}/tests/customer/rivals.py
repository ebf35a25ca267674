"""Simulated players: honest, flaky and hostile ones, many in one process, each on a port of its own.

As a program: `python rivals.py FIRST_PORT COUNT [HOSTILE]` serves until it is stopped, on the address RIVALS_ADDRESS.
"""

import asyncio
import gzip
import json
import os
import sys
import zlib
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

ADDRESS = os.environ.get("RIVALS_ADDRESS", "127.0.0.1")
Reply = bytes | None
Behaviour = Callable[["Rival", dict[str, Any], asyncio.StreamWriter], Awaitable[Reply]]


def http(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """Write an HTTP answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def rule(features: dict[str, Any]) -> int:
    """Predict as every honest rival does."""
    late = features.get("late_payments")
    return 0 if isinstance(late, int) and late > 1 else 1


def mark(features: dict[str, Any]) -> int:
    """Return a number that only depends on the applicant."""
    return zlib.crc32(json.dumps(features, sort_keys=True).encode())


async def honest(rival: "Rival", body: dict[str, Any], writer: asyncio.StreamWriter) -> Reply:
    """Answer at once."""
    return http(json.dumps({"pred": rule(body["features"]), "proba": 0.5}).encode())


async def flaky(rival: "Rival", body: dict[str, Any], writer: asyncio.StreamWriter) -> Reply:
    """Fail on every third applicant, always on the same ones."""
    if mark(body["features"]) % 3 == 1:
        return http(b"<h1>oops</h1>", "500 Oops")
    return await honest(rival, body, writer)


async def contrary(rival: "Rival", body: dict[str, Any], writer: asyncio.StreamWriter) -> Reply:
    """Answer the opposite."""
    return http(json.dumps({"pred": 1 - rule(body["features"])}).encode())


async def hang(rival: "Rival", body: dict[str, Any], writer: asyncio.StreamWriter) -> Reply:
    """Never answer."""
    await asyncio.Event().wait()
    return None


async def endless(rival: "Rival", body: dict[str, Any], writer: asyncio.StreamWriter) -> Reply:
    """Send a body without an end."""
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b" " * 65_536)
        await writer.drain()


async def drip(rival: "Rival", body: dict[str, Any], writer: asyncio.StreamWriter) -> Reply:
    """Send a byte now and then."""
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.1)


async def promise(rival: "Rival", body: dict[str, Any], writer: asyncio.StreamWriter) -> Reply:
    """Announce an answer again and again."""
    while True:
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.1)


def always(answer: bytes) -> Behaviour:
    """Answer the same to everything."""

    async def behave(rival: "Rival", body: dict[str, Any], writer: asyncio.StreamWriter) -> Reply:
        return answer

    return behave


RIGHT = b'{"pred": 1}'
MARKUP = b'{"pred": "<script>alert(1)</script>"}'
HOSTILE: dict[str, Behaviour] = {
    "hang": hang,
    "endless": endless,
    "drip": drip,
    "promise": promise,
    "gzip bomb": always(http(gzip.compress(b" " * 30_000_000), "200 OK", "Content-Encoding: gzip")),
    "redirect": always(http(b"", "302 Found", "Location: http://169.254.169.254/latest")),
    "wrong encoding": always(http(RIGHT, "200 OK", "Content-Encoding: gzip")),
    "not text": always(http(b"\xff\xfe\xfa\x80\x04")),
    "header flood": always(http(RIGHT, "200 OK", *[f"X-{n}: {'x' * 500}" for n in range(2000)])),
    "endless header": always(http(RIGHT, "200 OK", "X: " + "x" * 200_000)),
    "markup": always(http(MARKUP)),
    "both": always(http(b'{"pred": [0, 1]}')),
    "page": always(http(b"<h1>It works</h1>")),
    "large": always(http(b" " * 2_000_000)),
    "nested": always(http(b"[" * 100_000)),
    "closes": always(b""),
    "not HTTP": always(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
    "error": always(http(b"", "500 Oops")),
}


class Rival:
    """One simulated player."""

    def __init__(self, name: str, behave: Behaviour = honest) -> None:
        self.name, self.behave = name, behave
        self.port = 0
        self.seen: list[
            tuple[str, Any]
        ] = []  # what happened: ("asked", body) or ("label", item), all rivals' if shared
        self.headers: list[dict[str, str]] = []
        self.remember = True
        self.tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Where it lives."""
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, port: int = 0) -> asyncio.Server:
        """Listen."""
        server = await asyncio.start_server(self.connected, ADDRESS, port)
        self.port = server.sockets[0].getsockname()[1]
        return server

    def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a connection."""
        task = asyncio.get_running_loop().create_task(self.talk(reader, writer))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer requests until the other side leaves."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                headers = dict(line.split(": ", 1) for line in head[1:] if ": " in line)
                body = json.loads(await reader.readexactly(int(headers.get("Content-Length", 0))) or b"{}")
                if (reply := await self.answer(head[0], headers, body, writer)) is None:
                    return
                writer.write(reply)
                await writer.drain()
                if not reply:
                    return
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    async def answer(self, line: str, headers: dict[str, str], body: Any, writer: asyncio.StreamWriter) -> Reply:
        """Answer one request; labels are taken as they come."""
        if self.remember:
            self.headers.append(headers)
        if line.startswith("POST /feedback"):
            if self.remember:
                self.seen.extend(("label", item) for item in body)
            return http(b"[]")
        if self.remember:
            self.seen.append(("asked", body))
        return await self.behave(self, body, writer)

    def stop(self) -> None:
        """Hang up."""
        for task in self.tasks:
            task.cancel()


async def serving(stack: AsyncExitStack, rivals: Sequence[Rival], first_port: int = 0) -> None:
    """Let all *rivals* serve until the stack is closed."""
    for number, rival in enumerate(rivals):
        server = await rival.serve(first_port + number if first_port else 0)
        stack.callback(rival.stop)
        stack.callback(server.close)


def crowd(count: int, hostile: int = 0) -> list[Rival]:
    """Return *count* rivals, the last *hostile* of them hostile, each kind as often as the others."""
    behaviours = list(HOSTILE.items())
    rivals = [Rival(f"Team {number}", [honest, flaky, contrary][number % 3]) for number in range(count - hostile)]
    for number in range(hostile):
        kind, behave = behaviours[number % len(behaviours)]
        rivals.append(Rival(f"{kind} {number}", behave))
    for rival in rivals:
        rival.remember = False
    return rivals


async def main(first_port: int, count: int, hostile: int) -> None:
    """Serve until stopped."""
    async with AsyncExitStack() as stack:
        await serving(stack, crowd(count, hostile), first_port)
        print("ready", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0))
