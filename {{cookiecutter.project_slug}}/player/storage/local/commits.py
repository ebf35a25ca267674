"""Group commit: threads that write at the same moment share one transaction, and each returns when it is durable."""

import logging
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Event, Lock
from typing import Any, TypeVar

from player.errors import NotDurable, StorageError
from player.settings.remedies import of_sqlite
from player.storage.local.sqlite_file import Connection, SpoolFile

log = logging.getLogger(__name__)
T = TypeVar("T")

WAIT_SECONDS = 5.0  # for another thread or process that holds the file; then the row is refused
RETRY_SECONDS = 0.0005
CHECKPOINT_BYTES = 16_000_000  # how long SQLite's write-ahead log grows before it goes into the file
BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


class Job:
    """One thread's work, and what became of it."""

    def __init__(self, work: Callable[[sqlite3.Connection], Any]) -> None:
        """Hold *work* until its turn."""
        self.work = work
        self.wake = Event()
        self.done = False
        self.result: Any = None
        self.error: Exception | None = None


class Commits:
    """All reading and writing of one process in the spool's file."""

    def __init__(self, file: SpoolFile) -> None:
        """Open nothing yet."""
        self._file = file
        self._writer = Connection(file)
        self._readers: deque[Connection] = deque()  # those that nobody uses now
        self._write_lock = Lock()
        self._jobs: deque[Job] = deque()
        self._problem = ""
        self._refused = 0

    def open(self) -> None:
        """Open the file; raises StorageError when it cannot be used."""
        with self._write_lock:
            self._writer.get()
        self._wake_next()

    def close(self) -> None:
        """Close all connections."""
        while self._readers:
            self._readers.pop().close()
        with self._write_lock:
            self._writer.close()
        self._wake_next()

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return *work*(connection) when its changes are durable; raises NotDurable.

        Whoever finds the lock free commits for all who wait. The others sleep until they are woken: because their
        work is done, or because it is their turn to commit.
        """
        job = Job(work)
        self._jobs.append(job)
        while not job.done:
            if self._write_lock.acquire(blocking=False):
                self._lead()
            elif not job.wake.wait(2 * WAIT_SECONDS):
                with suppress(ValueError):  # it is just being committed
                    self._jobs.remove(job)
                self._wake_next()
                raise NotDurable(f"The spool {self._file.path} did not take the row in time; is its disk stuck?")
            job.wake.clear()
        if job.error:
            raise job.error
        result: T = job.result
        return result

    def _lead(self) -> None:
        """Commit what waits now, release the lock, and wake whoever came meanwhile to do the same."""
        try:
            jobs = [self._jobs.popleft() for _ in range(len(self._jobs))]
            self._commit(jobs)
            for job in jobs:
                job.wake.set()
            self._checkpoint(CHECKPOINT_BYTES)
        finally:
            self._write_lock.release()
        self._wake_next()

    def _wake_next(self) -> None:
        """Let one of those who wait try for the lock; whoever releases it calls this."""
        with suppress(IndexError):
            self._jobs[0].wake.set()

    def read(self, sql: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        """Return what *sql* selects; raises NotDurable when the file cannot be read."""
        try:
            reader = self._readers.pop()
        except IndexError:
            reader = Connection(self._file)
        try:
            return reader.get().execute(sql, values).fetchall()
        except (sqlite3.Error, StorageError) as error:
            reader.close()
            self._notice(str(error), refused=1)
            raise NotDurable(f"The spool {self._file.path} cannot be read: {error}") from None
        finally:
            self._readers.append(reader)

    def usable(self) -> bool:
        """Tell whether the last write worked; after one that did not, try again with a few pages."""
        if self._problem:
            try:
                self.write(lambda c: c.execute("INSERT OR REPLACE INTO state VALUES ('probe', zeroblob(16384))"))
            except NotDurable:
                return False
        return True

    def _commit(self, jobs: list[Job]) -> None:
        """Do *jobs* in one transaction; when something in it fails, each in its own, so that it fails alone."""
        try:
            results = self._transaction(jobs)
        except Exception as error:
            self._writer.close()
            if len(jobs) > 1 and not isinstance(error, StorageError) and not is_busy(error):
                for job in jobs:
                    self._commit([job])
                return
            self._notice(str(error), refused=len(jobs))
            for job in jobs:
                job.error, job.done = NotDurable(self._advice(error)), True
        else:
            self._notice("")
            for job, result in zip(jobs, results, strict=True):
                job.result, job.done = result, True

    def _transaction(self, jobs: list[Job]) -> list[Any]:
        connection = self._writer.get()
        begin(connection)
        try:
            results = [job.work(connection) for job in jobs]
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return results

    def empty_log(self) -> None:
        """Move SQLite's write-ahead log into the file now: deleted rows are still in it."""
        with self._write_lock:
            self._checkpoint(longer_than=0)
        self._wake_next()

    def _checkpoint(self, longer_than: int) -> None:
        """Move SQLite's write-ahead log into the file when it is long; TRUNCATE keeps other writers out meanwhile."""
        try:
            if self._file.wal.stat().st_size > longer_than:
                self._writer.get().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except (OSError, sqlite3.Error, StorageError):
            log.debug("the checkpoint has to wait", exc_info=True)  # the rows are durable all the same

    def _advice(self, error: Exception) -> str:
        if isinstance(error, StorageError):
            return str(error)
        remedy = of_sqlite(error, self._file.path) if isinstance(error, sqlite3.Error) else ""
        return f"The row is not durable in {self._file.path}: {error}{remedy and f' ({remedy})'}."

    def _notice(self, problem: str, refused: int = 0) -> None:
        """Log when rows begin to be refused, and how many were when it is over: once each, not once a row."""
        self._refused += refused
        if problem and not self._problem:
            log.error("rows cannot be made durable in %s: %s; until this is over requests get 503", self._file.path,
                      problem)  # fmt: skip
        elif self._problem and not problem:
            log.warning("rows are durable again in %s; %d requests got 503", self._file.path, self._refused)
            self._refused = 0
        self._problem = problem


def begin(connection: sqlite3.Connection) -> None:
    """Start a write transaction, waiting for other processes; SQLite's own waiting is too coarse for short writes."""
    patience = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            connection.execute("BEGIN IMMEDIATE")
            return
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() > patience:
                raise
        time.sleep(RETRY_SECONDS)


def is_busy(error: Exception) -> bool:
    """Tell whether another connection holds the file."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in BUSY
