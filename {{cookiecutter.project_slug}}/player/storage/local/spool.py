"""A local SQLite file in which every row is durable before anybody is told so; all processes of a machine share it.

Rows stay after they were shipped to the database, until they are old: they are the memory that makes a repeated
request id harmless. What is in a row, only the writer knows.
"""

import json
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from player.storage.columns import to_text
from player.storage.local.commits import Commits
from player.storage.local.sqlite_file import MOST_MB, SpoolFile

T = TypeVar("T")

REMEMBER_ROWS = 200_000
REMEMBER_SECONDS = 3 * 24 * 3600
PURGE_AT_ONCE = 2_000
REMEMBER_BYTES = 1_000_000_000  # of the file; shipped rows beyond that go, however new they are
PAGE_BYTES, NEARLY_FULL = 4096, 0.9
RESERVE_BYTES = 200_000_000  # of the disk, or a tenth of a small one: the database may be on it too

INSERT = """INSERT INTO rows (kind, key, about, truth, at, body) VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT (kind, key) DO NOTHING"""

WAITING = "FROM rows WHERE n > (SELECT value FROM state WHERE name = 'shipped') ORDER BY n"
MOST_BYTES = 8_000_000
REFUSED_BEFORE = """DELETE FROM aside
                    WHERE coalesce(json_extract(iif(json_valid(body), body, '{}'), '$.received_at'), '') < ?"""


class Row(NamedTuple):
    """One spooled row: *n* counts up, *kind* is prediction or label, *body* is JSON."""

    n: int
    kind: str
    body: str


class Spool:
    """The rows of this machine that are durable, and how far they were shipped."""

    def __init__(self, path: Path, power: bool = False, lenient: bool = True) -> None:
        """Use the file *path*; nothing is opened yet.

        *power*: rows survive a power cut, not only a killed process. *lenient*: a folder that is missing is made.
        """
        self.path = path
        self._file = SpoolFile(path, power, lenient)
        self._commits = Commits(self._file)
        self._look_again, self._nearly_full = 0.0, False

    def open(self) -> None:
        """Open the file, make it when there is none; raises StorageError when it is damaged or cannot be used."""
        self._commits.open()

    def close(self) -> None:
        """Close the file; whatever was acknowledged is in it."""
        self._commits.close()

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return *work*(connection), its changes durable; raises NotDurable when they are not."""
        return self._commits.write(work)

    def read(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Return the rows that *sql* selects; raises NotDurable when the file cannot be read."""
        return self._commits.read(sql, values)

    def usable(self) -> bool:
        """Tell whether a row could be made durable now."""
        return self._commits.usable()

    def waiting(self, most: int) -> list[Row]:
        """Return the oldest rows that were not shipped yet: at most *most*, and not many more than 8 MB."""
        sizes = self.read(f"SELECT n, length(body) {WAITING} LIMIT ?", most)
        count, total = 0, 0
        while count < len(sizes) and total < MOST_BYTES:
            total += sizes[count][1]
            count += 1
        return [Row(*found) for found in self.read(f"SELECT n, kind, body {WAITING} LIMIT ?", count)]

    def count(self) -> dict[str, int]:
        """Return how many rows are `spooled` (wait for the database) and `set_aside` (it refused them)."""
        sql = """SELECT (SELECT coalesce(max(n), 0) FROM rows), (SELECT value FROM state WHERE name = 'shipped'),
                 (SELECT count(*) FROM aside)"""
        newest, shipped, aside = self.read(sql)[0]
        return {"spooled": max(0, newest - shipped), "set_aside": aside}

    def mark_shipped(self, up_to: int, refused: Iterable[tuple[Row, str]] = ()) -> None:
        """Note that all rows up to number *up_to* are in the database, except those *refused* with a reason."""

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(
                "INSERT OR REPLACE INTO aside (n, kind, body, reason) VALUES (?, ?, ?, ?)",
                [(*row, reason) for row, reason in refused],
            )
            connection.execute("UPDATE state SET value = max(value, ?) WHERE name = 'shipped'", (up_to,))

        self.write(work)

    def set_aside(self, after: int = 0, most: int = 100) -> list[Row]:
        """Return the oldest *most* rows that the database refused, of those with a number above *after*."""
        sql = "SELECT n, kind, body FROM aside WHERE n > ? ORDER BY n LIMIT ?"
        return [Row(*found) for found in self.read(sql, after, most)]

    def release(self, rows: Iterable[Row]) -> None:
        """Forget that *rows* were refused: the database has them now."""
        self.write(lambda c: c.executemany("DELETE FROM aside WHERE n = ?", [(row.n,) for row in rows]))

    def purge(self) -> None:
        """Delete some of the shipped rows: the oldest when the file is large, else those that are old or too many."""
        first, newest = self.read("SELECT (SELECT min(n) FROM rows), (SELECT max(n) FROM rows)")[0]
        if first is None:
            return
        cutoff = time.time() - REMEMBER_SECONDS
        if self.used_bytes() > REMEMBER_BYTES:
            cutoff = time.time() + REMEMBER_SECONDS  # none is too young
        elif first > newest - REMEMBER_ROWS and self.read("SELECT at >= ? FROM rows WHERE n = ?", cutoff, first)[0][0]:
            return
        sql = """DELETE FROM rows WHERE n < ? AND n <= (SELECT value FROM state WHERE name = 'shipped')
                 AND (n <= ? OR at < ?)"""
        self.write(lambda c: c.execute(sql, (first + PURGE_AT_ONCE, newest - REMEMBER_ROWS, cutoff)))

    def used_bytes(self) -> int:
        """Return how much of the file holds rows; what was deleted leaves room in it."""
        sql = "SELECT (SELECT page_count FROM pragma_page_count) - (SELECT freelist_count FROM pragma_freelist_count)"
        return int(self.read(sql)[0][0]) * PAGE_BYTES

    def nearly_full(self) -> bool:
        """Tell whether the room that is left, in the file or on its disk, is for answers and labels.

        Looks once a second.
        """
        now = time.monotonic()
        if now > self._look_again:
            self._look_again = now + 1.0
            disk = shutil.disk_usage(self.path.parent)
            little = disk.free < min(RESERVE_BYTES, (1 - NEARLY_FULL) * disk.total)
            self._nearly_full = little or self.used_bytes() > NEARLY_FULL * MOST_MB * 2**20
        return self._nearly_full

    def forget(self, before: float) -> None:
        """Delete the rows received before this time (seconds since 1970), and all labels of such rows; none that waits.

        Of what the database refused that goes too; what cannot be dated there counts as old.
        """
        shipped = "n <= (SELECT value FROM state WHERE name = 'shipped')"
        old = "SELECT key FROM rows WHERE kind = 'prediction' AND at < ?"

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(f"DELETE FROM rows WHERE {shipped} AND about IN ({old})", (before,))  # noqa: S608 - no values
            connection.execute(f"DELETE FROM rows WHERE {shipped} AND at < ?", (before,))  # noqa: S608 - no values
            connection.execute(REFUSED_BEFORE, (datetime.fromtimestamp(before, UTC).isoformat(),))

        self.write(work)
        self._commits.empty_log()

    def forget_keys(self, kind: str, keys: Iterable[str]) -> None:
        """Delete the shipped rows of this *kind* with these *keys*."""
        sql = "DELETE FROM rows WHERE kind = ? AND key = ? AND n <= (SELECT value FROM state WHERE name = 'shipped')"
        values = [(kind, key) for key in keys]
        self.write(lambda c: c.executemany(sql, values))
        self._commits.empty_log()

    def erase(self, key: str) -> int:
        """Delete the prediction *key* and its labels, also those that wait or were refused; return how many rows."""

        def work(connection: sqlite3.Connection) -> int:
            gone = connection.execute(
                "DELETE FROM rows WHERE (kind = 'prediction' AND key = ?) OR about = ?", (key, key)
            )
            rows = connection.execute("SELECT n, body FROM aside").fetchall()
            refused = [(n,) for n, body in rows if is_about(body, key)]
            connection.executemany("DELETE FROM aside WHERE n = ?", refused)
            return gone.rowcount + len(refused)

        found = self.write(work)
        self._commits.empty_log()
        return found

    def note(self, name: str, value: str) -> None:
        """Write down one fact that all processes of the machine share, such as how the database does."""
        self.write(lambda c: c.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (name, value)))

    def noted(self, name: str) -> str | None:
        """Return what was last noted under *name*, by whichever process."""
        found = self.read("SELECT value FROM state WHERE name = ?", name)
        return found[0][0] if found else None


def is_about(body: str, key: str) -> bool:
    """Tell whether a refused row is about the request *key*; one that cannot be read is when it has its name in it."""
    try:
        return to_text(str(json.loads(body)["request_id"])) == key
    except (ValueError, KeyError, TypeError):
        return key in body
