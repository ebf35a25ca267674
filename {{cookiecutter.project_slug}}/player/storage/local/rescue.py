"""Sees to it that the spool can be used before the service starts: a damaged one is set aside, its rows brought over.

A crash at any point of this loses nothing: the new spool gets its name only when it is whole, and the damaged one is
kept, under another name, for a person to look at.
"""

import json
import logging
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

from player.config import Settings
from player.errors import SpoolDamaged, StorageError
from player.storage.local.spool import Spool
from player.storage.local.sqlite_file import make_empty

log = logging.getLogger(__name__)

ROWS_AT_ONCE = 1_000
PAGE, VALID_FOR = 4096, 92  # of SQLite's files: the bytes of a page, and where the counter for the length stands
INSERT = "INSERT OR IGNORE INTO rows (n, kind, key, about, truth, at, body) VALUES (?, ?, ?, ?, ?, ?, ?)"
SELECT = "SELECT n, kind, key, about, truth, at, body FROM rows WHERE n BETWEEN ? AND ? ORDER BY n"
HIGHEST = ("SELECT seq FROM sqlite_sequence WHERE name = 'rows'", "SELECT max(n) FROM rows", "SELECT min(n) FROM rows")


class Rescued(NamedTuple):
    """What became of a damaged spool: the rows in the new one, those that were lost, where the old file is."""

    rows: int
    unreadable: int
    aside: Path

    def sentence(self) -> str:
        """Say it to a person."""
        if not self.rows:
            return f"The spool was damaged, no row of it could be read; it is kept as {self.aside}."
        return (f"The spool was damaged: {self.rows:,} rows were rescued into a new one, {self.unreadable:,} could not "
                f"be read; it is kept as {self.aside}.")  # fmt: skip


def open_spool(settings: Settings) -> Spool:
    """Return the spool of *settings*; nothing is opened yet."""
    power = settings.storage.durability == "power"
    return Spool(settings.path(settings.storage.spool), power, lenient=not settings.strict)


def prepare_spool(settings: Settings, rescuing: bool | None = None) -> Rescued | None:
    """Return when the spool takes rows; what was rescued when it was damaged. Raises StorageError with what to do.

    *rescuing*: whether a damaged spool is set aside (default: what `[storage].damaged_spool` says).
    """
    spool = open_spool(settings)
    if rescuing is None:
        rescuing = settings.storage.damaged_spool == "rescue"
    finish(spool.path)
    rescued = None
    try:
        spool.open()
    except SpoolDamaged:
        if not rescuing:
            raise
        rescued = rescue(spool.path)
        log.error("%s", rescued.sentence())
    try:
        spool.note("started", datetime.now(UTC).isoformat())  # a file that cannot be written to is said here
    finally:
        spool.close()
    return rescued


def rescue(path: Path) -> Rescued:
    """Replace the damaged spool at *path* by one with all rows that can still be read. Raises StorageError."""
    try:
        with FileLock(f"{path}.lock", timeout=0):  # whoever ships from this spool holds it
            new = path.with_name(f"{path.name}.part")
            make_empty(new)
            with closing(sqlite3.connect(new)) as target:
                rows, unreadable = copy_rows(path, target)
            new.replace(path.with_name(f"{path.name}.rescued"))
            return Rescued(rows, unreadable, finish(path) or path)
    except Timeout:
        raise StorageError(f"The spool {path} is damaged, and another service uses it: stop that one first.") from None


def finish(path: Path) -> Path | None:
    """Put a rescued spool in its place, and the damaged one aside; return where. Also after a crash half way."""
    rescued = path.with_name(f"{path.name}.rescued")
    if not rescued.exists():
        return None
    aside = path.with_name(f"{path.name}.damaged-{datetime.now(UTC):%Y%m%d-%H%M%S}")
    for ending in ("-wal", "-shm", ""):  # SQLite's log first: it must never meet the new file
        with suppress(FileNotFoundError):
            path.with_name(path.name + ending).replace(aside.with_name(aside.name + ending))
    rescued.replace(path)
    return aside


def copy_rows(path: Path, target: sqlite3.Connection) -> tuple[int, int]:
    """Copy what can be read of the spool at *path*; return how many rows, and how many could not be read."""
    rows, unreadable = 0, 0
    with mended_copy(path) as copy, closing(sqlite3.connect(copy)) as source, suppress(sqlite3.Error):
        for row in all_rows(source):
            if row is None or not is_whole(row):
                unreadable += 1
            else:
                rows += target.execute(INSERT, row).rowcount
        copy_state(source, target)
    target.commit()
    return rows, unreadable


@contextmanager
def mended_copy(path: Path) -> Iterator[Path]:
    """Lend a copy of the spool, with SQLite's log, whose head SQLite accepts: the evidence stays as it is.

    The head says how long the file is; two counters that differ make SQLite look for itself, so that a file that was
    cut can be read as far as it goes (https://www.sqlite.org/fileformat2.html#in_header_database_size). A first page
    without our tables is replaced by that of an empty spool, which has them in the same places.
    """
    copy = path.with_name(f"{path.name}.copy")
    copies = [copy.with_name(copy.name + ending) for ending in ("", "-wal", "-shm")]
    try:
        for ending in ("", "-wal"):
            with suppress(FileNotFoundError):
                shutil.copyfile(path.with_name(path.name + ending), copy.with_name(copy.name + ending))
        if not has_our_tables(copy):
            copy.touch()
            with copy.open("r+b") as file:
                file.write(path.with_name(f"{path.name}.part").read_bytes()[:PAGE])
        with copy.open("r+b") as file:
            file.seek(VALID_FOR)
            file.write(b"\xff\xff\xff\xff")
        yield copy
    finally:
        for one in copies:
            one.unlink(missing_ok=True)


def has_our_tables(path: Path) -> bool:
    """Tell whether SQLite finds the spool's tables in the first page of a file."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA writable_schema=ON")  # the first page alone: do not stumble over the others
        found = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
        return {"rows", "aside", "state"} <= found
    return False


def all_rows(source: sqlite3.Connection) -> Iterator[tuple[Any, ...] | None]:
    """Yield each row that can be read, and None for each number at which there is damage."""
    highest = max(filter(None, (number(source, sql) for sql in HIGHEST)), default=0)
    for low in range(1, highest + 1, ROWS_AT_ONCE):
        yield from rows_between(source, low, min(highest, low + ROWS_AT_ONCE - 1))


def rows_between(source: sqlite3.Connection, low: int, high: int) -> Iterator[tuple[Any, ...] | None]:
    """Yield the rows with these numbers; around a damaged place half by half, down to the single number."""
    try:
        yield from source.execute(SELECT, (low, high)).fetchall()
    except sqlite3.Error:
        if low == high:
            yield None
            return
        middle = (low + high) // 2
        yield from rows_between(source, low, middle)
        yield from rows_between(source, middle + 1, high)


def number(source: sqlite3.Connection, sql: str) -> int | None:
    """Return the number that *sql* finds, None when it cannot be read."""
    with suppress(sqlite3.Error):
        found = source.execute(sql).fetchone()
        return found[0] if found and isinstance(found[0], int) else None
    return None


def is_whole(row: tuple[Any, ...]) -> bool:
    """Tell whether a row is one that the writer wrote: damage inside a page leaves its form as it was."""
    _, kind, key, _, _, _, body = row
    try:
        return kind in ("prediction", "label") and isinstance(key, str) and isinstance(json.loads(body), dict)
    except (ValueError, TypeError, RecursionError):
        return False


def copy_state(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Copy how far the rows were shipped (sending one again is harmless), and the rows that the database refused."""
    shipped = number(source, "SELECT value FROM state WHERE name = 'shipped'") or 0
    # Never beyond the newest row that is left: a new one gets the number after it, and must not count as shipped.
    target.execute("UPDATE state SET value = min(?, (SELECT coalesce(max(n), 0) FROM rows)) WHERE name = 'shipped'",
                   (shipped,))  # fmt: skip
    with suppress(sqlite3.Error):
        refused = source.execute("SELECT n, kind, body, reason FROM aside").fetchall()
        target.executemany("INSERT OR IGNORE INTO aside (n, kind, body, reason) VALUES (?, ?, ?, ?)", refused)
