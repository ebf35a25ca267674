"""Somebody without a key sends as many and as large requests as go in: others are answered, memory and disk hold."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from player.config import Settings
from tests.chaos.load import Load, settle
from tests.service import Service

CONNECTIONS = 8
RATE = 20  # requests a second of the others
QUOTA = 60_000  # a minute: no customer of ours asks more
MEMORY = 1_500_000_000  # all workers together, whoever asks what
SPOOL = 1_200_000_000  # what was shipped goes beyond 1 GB
ROW = 25_000  # bytes that a request leaves in the database at most, with all that stands around it


class Stranger:
    """Sends *count* requests of *size* bytes from another address of this machine, each as soon as one is answered."""

    def __init__(self, service: Service, count: int, size: int) -> None:
        """Prepare the body: many features nobody asked for, and one long text."""
        self.port, self.left = service.port, count
        others = ",".join(f'"x{number}":[[],[],{number}]' for number in range(300))
        start = f'{{"features":{{{others},"note":"'.encode()
        self.body = start + b"y" * (size - len(start) - 3) + b'"}}'
        self.said: Counter[str] = Counter()

    async def run(self) -> None:
        """Send everything over a few connections."""
        await asyncio.gather(*(self.keep_sending() for _ in range(CONNECTIONS)))

    async def keep_sending(self) -> None:
        """Send one request after the other; a connection that is closed is opened again."""
        while self.left > 0:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port, local_addr=("127.0.0.2", 0))
                with contextlib.closing(writer):
                    while self.left > 0:
                        self.left -= 1
                        self.said[await self.send(reader, writer)] += 1

    async def send(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        """Send one request, and return the status of its answer."""
        head = f"POST /api HTTP/1.1\r\nHost: x\r\nContent-Length: {len(self.body)}\r\n\r\n"
        writer.writelines([head.encode(), self.body])
        answer = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        await reader.readexactly(int(answer.partition("content-length:")[2].split("\r", 1)[0]))
        return answer.split()[1]


def bytes_in(settings: Settings, pattern: str) -> int:
    """Return the size of these files of `output/`."""
    return sum(path.stat().st_size for path in Path(settings.home / "output").glob(pattern))


@pytest.mark.parametrize("per_minute", [QUOTA, 0], ids=["with a quota", "without"])
def test_a_stranger_at_full_size(
    model_settings: Settings, start: Callable[..., Service], amount: Callable[[str], int],
    report: Callable[..., None], per_minute: int,
) -> None:  # fmt: skip
    """Each request of the others is answered; memory, spool and database stay below what the settings allow."""
    service = start(model_settings, PLAYER_ACCESS__REQUESTS_PER_MINUTE=str(per_minute))
    service.wait_for_all()
    # Without a quota each of them is read, answered and stored: a hundredth shows what one takes.
    stranger = Stranger(service, amount("STRANGER") // (1 if per_minute else 100), amount("BYTES"))
    began, most = time.monotonic(), 0

    async def watch() -> None:
        nonlocal most
        sending = asyncio.create_task(stranger.run())
        while not sending.done():
            most = max(most, service.memory())
            await asyncio.sleep(1.0)
        await sending

    with Load(service, RATE, clients=8, tries=3) as load:
        asyncio.run(watch())
    took = time.monotonic() - began
    spool, database = bytes_in(model_settings, "testing-spool.db*"), bytes_in(model_settings, "testing.db*")
    stored = stranger.said["200"] + len(load.answers)
    report(stranger=dict(stranger.said), seconds=round(took), memory_mb=most // 10**6, spool_mb=spool // 10**6,
           database_mb=database // 10**6, **settle(model_settings, load), failed=len(load.failed), **load.times(),
           tries_of_others=dict(load.interrupted))  # fmt: skip

    assert [] == load.failed
    assert most < MEMORY
    assert spool < SPOOL
    assert database < ROW * stored + 10_000_000
