"""The spool's file: how it is made, opened and checked."""

import errno
import logging
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from threading import Timer
from urllib.parse import quote

from filelock import FileLock

from player.errors import SpoolDamaged, StorageError
from player.settings.remedies import of_sqlite, of_system

log = logging.getLogger(__name__)

CHECK_SECONDS = 2.0  # for reading the pages at the start: a gigabyte of waiting rows must not delay it
MOST_MB = 8_192  # a spool that big means that the database was away for very long: better refuse than fill the disk

SCHEMA = """
CREATE TABLE rows (
    n INTEGER PRIMARY KEY AUTOINCREMENT,   -- counts up for ever, also after old rows are gone
    kind TEXT NOT NULL,                    -- prediction or label
    key TEXT NOT NULL,                     -- the request id of a prediction, the id of a label
    about TEXT,                            -- of a label: the request id
    truth TEXT,                            -- of the first label of a request: its value
    at REAL NOT NULL,                      -- when it was received, seconds since 1970
    body TEXT NOT NULL,                    -- the whole row as JSON
    UNIQUE (kind, key)
);
CREATE UNIQUE INDEX truths ON rows (about) WHERE truth IS NOT NULL;
CREATE TABLE aside (n INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, body TEXT NOT NULL, reason TEXT NOT NULL);
CREATE TABLE state (name TEXT PRIMARY KEY, value);
INSERT INTO state VALUES ('shipped', 0);
"""


class SpoolFile:
    """One file: opens connections to it, and notices when it was replaced."""

    def __init__(self, path: Path, power: bool, lenient: bool) -> None:
        """Remember how to open *path*."""
        self.path = path
        self.wal = path.with_name(path.name + "-wal")
        self._power = power
        self._lenient = lenient
        self._checked = False

    def identity(self) -> tuple[int, int] | None:
        """Return what tells this file from another of the same name; None when there is none."""
        try:
            status = os.stat(self.path)  # noqa: PTH116 - runs before every commit, pathlib takes twice as long
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino

    def connect(self) -> sqlite3.Connection:
        """Return a new connection; raises StorageError when the file is damaged or cannot be used."""
        try:
            if not self.path.exists():
                self._make()
            return self._open()
        except (sqlite3.Error, OSError, TypeError) as error:
            if is_damage(error):
                raise SpoolDamaged(
                    f"The spool {self.path} cannot be used, it is damaged ({error}). Its rows may be the only copy: "
                    "`player doctor --fix` sets it aside and rescues what can be read."
                ) from None
            what = of_system(error) if isinstance(error, OSError) else of_sqlite(error, self.path)  # type: ignore[arg-type]
            raise StorageError(f"The spool {self.path} cannot be used: {what or error}.") from None

    def _open(self) -> sqlite3.Connection:
        if not os.access(self.path, os.W_OK):  # before SQLite makes files beside it that nobody can write to either
            raise PermissionError(errno.EACCES, "", str(self.path))
        uri = f"file:{quote(self.path.resolve().as_posix())}?mode=rw"  # rw: never a new empty file in its place
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=5.0)
        try:
            self._check(connection)
            connection.execute(f"PRAGMA synchronous={'FULL' if self._power else 'NORMAL'}")
            connection.execute("PRAGMA secure_delete=ON")  # what is deleted is overwritten
            connection.execute("PRAGMA fullfsync=ON")  # macOS: really to the disk
            connection.execute(f"PRAGMA max_page_count={MOST_MB * 256}")
            # Checkpoints are made in `commits`, while nobody else writes: below SQLite 3.51.3 one that meets another
            # process's commit may lose rows (sqlite.org/wal.html#walresetbug).
            connection.execute("PRAGMA wal_autocheckpoint=0")
            connection.execute("PRAGMA busy_timeout=0")
        except BaseException:
            connection.close()
            raise
        return connection

    def _check(self, connection: sqlite3.Connection) -> None:
        """Raise when this is not a whole spool; the pages are read once, at the first connection of the process."""
        if not self._checked:
            check_pages(connection)
            connection.execute("SELECT value FROM state WHERE name = 'shipped'").fetchone()[0]
            connection.execute("SELECT n, kind, key, about, truth, at, body FROM rows LIMIT 0")
            self._checked = True

    def _make(self) -> None:
        """Make a new spool under another name and move it here whole: an empty file is damage, never a beginning."""
        folder = self.path.parent
        if self._lenient:
            folder.mkdir(parents=True, exist_ok=True)
        elif not folder.is_dir():
            raise FileNotFoundError(errno.ENOENT, "", str(self.path))
        elif self.wal.exists():
            raise sqlite3.DatabaseError(f"it is gone, but {self.wal.name} is still there")
        with FileLock(f"{self.path}.made", timeout=10):
            if self.path.exists():
                return
            part = self.path.with_name(self.path.name + ".part")
            make_empty(part)
            # What is left of a deleted spool does not fit the new one.
            self.wal.unlink(missing_ok=True)
            self.path.with_name(self.path.name + "-shm").unlink(missing_ok=True)
            part.replace(self.path)


def make_empty(path: Path) -> None:
    """Make a spool without rows, in place of whatever has that name."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(SCHEMA)


def is_damage(error: Exception) -> bool:
    """Tell whether *error* lies in what the file holds; anything else lies around it: its disk, owner, or lock."""
    if not isinstance(error, sqlite3.Error):
        return isinstance(error, TypeError)  # the table is there, its one row is not
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)


def check_pages(connection: sqlite3.Connection) -> None:
    """Raise sqlite3.DatabaseError when a page is damaged, as far as they can be read in `CHECK_SECONDS`."""
    timer = Timer(CHECK_SECONDS, connection.interrupt)
    timer.start()
    try:
        problem: str = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        log.info("the spool is large: what was read of it is whole, the rest is checked when it is needed")
        return
    finally:
        timer.cancel()
        timer.join()  # it must not interrupt what comes next
    if problem != "ok":
        raise sqlite3.DatabaseError(" ".join(problem.split()))


class Connection:
    """A connection that is opened when needed, and again when the file was replaced under it."""

    def __init__(self, file: SpoolFile) -> None:
        """Open nothing yet."""
        self._file = file
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None

    def get(self) -> sqlite3.Connection:
        """Return the connection to the file that has the name now."""
        if self._connection is None or self._identity != self._file.identity():
            self.close()
            self._connection = self._file.connect()
            self._identity = self._file.identity()
        return self._connection

    def close(self) -> None:
        """Close it; the next `get` opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
