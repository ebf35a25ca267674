"""How much a caller may ask for or bring in a minute, counted for all workers together."""

import hashlib
import mmap
import os
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from werkzeug.exceptions import TooManyRequests

SLOT = struct.Struct("<QQQ")  # which caller, in which minute, how much
SLOTS, TRIES = 4096, 8


class Quota:
    """How much each caller may still take in this minute.

    The counts stand in a small file that the workers share in memory. It has a place for 4,096 callers a minute; when
    more come, some share one, so that it never grows.
    """

    def __init__(self, per_minute: int, what: str, path: Path) -> None:
        """Allow *per_minute* of *what* (labels, requests) a caller; 0 allows any number, and makes no file."""
        self.per_minute, self.what = per_minute, what
        self.lock = Lock()
        if not per_minute:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        # Made, or left as another worker has it; open as long as the process lives.
        self.file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        os.ftruncate(self.file, SLOTS * SLOT.size)
        self.memory = mmap.mmap(self.file, SLOTS * SLOT.size)

    def look(self, caller: str, amount: int) -> None:
        """Raise TooManyRequests (429) where *amount* would not be given to *caller* now; counts nothing."""
        self.take(caller, amount, count=False)

    def take(self, caller: str, amount: int, count: bool = True) -> None:
        """Count *amount* for *caller*; raises TooManyRequests (429) when it had its share of this minute."""
        if not self.per_minute:
            return
        number = int.from_bytes(hashlib.blake2b(caller.encode(), digest_size=8).digest(), "little")
        minute = int(time.time() // 60)
        with self.lock, alone(self.file):
            place = self.place_of(number, minute)
            whose, when, taken = SLOT.unpack_from(self.memory, place)
            taken = taken if when == minute else 0
            if taken + amount > self.per_minute:
                raise TooManyRequests(f"At most {self.per_minute} {self.what} a minute.", retry_after=60)
            if count:
                SLOT.pack_into(self.memory, place, whose if when == minute else number, minute, taken + amount)

    def place_of(self, number: int, minute: int) -> int:
        """Return where the caller with this *number* is counted: its own place, a free one, or one it shares."""
        for step in range(TRIES):
            place = (number + step) % SLOTS * SLOT.size
            whose, when, _ = SLOT.unpack_from(self.memory, place)
            if whose == number or when != minute:
                return place
        return number % SLOTS * SLOT.size


@contextmanager
def alone(file: int) -> Iterator[None]:
    """Keep the other workers out for a moment, where the system can; elsewhere a count may be lost now and then."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)
