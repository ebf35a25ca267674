"""Takes spooled rows on to the database, which may be slow, frozen or gone: nobody else waits for it.

Sending a row twice is harmless (its id is the key, the first one stays), so a crash at any point loses and doubles
nothing: rows are marked as shipped only after the database committed them.
"""

import logging
import sqlite3
import time
from datetime import UTC, datetime, timedelta
from threading import Event, Lock, Thread

from filelock import FileLock, Timeout
from sqlalchemy.exc import SQLAlchemyError

from player.config import Settings
from player.errors import StorageError
from player.storage import retention
from player.storage.database import advise, explain, within
from player.storage.local.spool import Spool
from player.storage.migrations import prepare
from player.storage.statements import known_labels, send
from player.storage.tables import create_engine_for

log = logging.getLogger(__name__)

ROWS_AT_ONCE = 1_000  # sent to the database in one statement
SEND_SECONDS = 10.0
LOOK_UP_SECONDS = 0.2
LONGEST_PAUSE = 5.0
FORGET_SECONDS = 3600.0


class Shipper:
    """The thread that ships; of all processes of a machine, the one that holds the lock file does."""

    def __init__(self, settings: Settings, spool: Spool) -> None:
        """Connect to nothing yet."""
        self._settings = settings
        self._spool = spool
        self._engine = create_engine_for(settings, statement_seconds=15)
        self._lock = FileLock(f"{spool.path}.lock", timeout=0, thread_local=False)
        self._round = Lock()
        self._stopping = Event()
        self._thread: Thread | None = None
        self._until = float("inf")
        self._prepared = False
        self._last_error: str | None = None
        self._failures = 0
        self._forgot = float("-inf")

    def start(self) -> None:
        """Start the thread."""
        self._stopping.clear()
        self._until = float("inf")
        self._thread = Thread(target=self._run, name="shipper", daemon=True)
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """End the thread after a last round; waits at most *timeout* seconds, also for a frozen database."""
        self._until = time.monotonic() + timeout
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout)
            self._thread = None
        self._until = float("-inf")
        self._lock.release(force=True)
        self._engine.dispose()

    def ship(self) -> int:
        """Send all rows that wait, and return how many; 0 when another process is at it or something is down."""
        with self._round:
            if not self._is_our_turn():
                return 0
            try:
                before = self._spool.count()["spooled"]
                self._send_all()
                sent = before - self._spool.count()["spooled"]
            except (SQLAlchemyError, sqlite3.Error, StorageError, OSError) as error:
                self._notice(str(error) if isinstance(error, StorageError) else advise(error, self._settings))
                return 0
            self._notice("")
            return sent

    def _is_our_turn(self) -> bool:
        """Tell whether this process holds the lock, or got it now."""
        if time.monotonic() > self._until:
            return False  # stopped: another process may have begun
        try:
            if not self._lock.is_locked:
                self._lock.acquire()
        except (Timeout, OSError):
            return False
        return True

    def look_up(self, request_ids: list[str]) -> dict[str, str | None] | None:
        """Return the true label (or None) of each of the predictions that the database has; None when it is silent."""
        try:
            return within(LOOK_UP_SECONDS, known_labels, self._engine, request_ids)
        except (SQLAlchemyError, OSError) as error:
            log.debug("the database could not be asked: %s", explain(error, self._settings))
            return None

    def _run(self) -> None:
        pause = 0.0
        while not self._stopping.wait(pause):
            self.ship()
            pause = min(LONGEST_PAUSE, self._settings.storage.ship_seconds * 2**self._failures)
        if not self._failures:
            self.ship()

    def _send_all(self) -> None:
        """Send batch after batch until nothing waits; raises when the database does not take one."""
        if not self._prepared:
            within(SEND_SECONDS, prepare, self._settings, self._engine)
            self._retry_refused()
            self._prepared = True
        # Smaller after a failure: one slow row must not stop the others.
        most = max(1, ROWS_AT_ONCE >> 2 * self._failures)
        while batch := self._spool.waiting(most):
            refused = within(SEND_SECONDS, send, self._engine, batch)
            self._spool.mark_shipped(batch[-1].n, refused)
            log.info("wrote %d rows to the database", len(batch) - len(refused))
            for row, reason in refused:
                shown = reason if self._settings.logging.show_values else "its reason is in the spool"
                log.error("the database refuses %s %d, it is set aside: %s", row.kind, row.n, shown)
            self._spool.purge()
            # What is left of an hour without the database must not go row by row.
            most = min(ROWS_AT_ONCE, 2 * most)
            if time.monotonic() > self._until:
                return
        within(SEND_SECONDS, send, self._engine, [])
        self._forget_old()

    def _retry_refused(self) -> None:
        """Try the rows that the database refused once more: a newer version of this code may know better."""
        last = 0
        while rows := self._spool.set_aside(after=last):
            refused = {row.n for row, _ in within(SEND_SECONDS, send, self._engine, rows)}
            self._spool.release([row for row in rows if row.n not in refused])
            last = rows[-1].n

    def _forget_old(self) -> None:
        """Delete what is older than `[storage].keep_days`, now and then."""
        days = self._settings.storage.keep_days
        if days and time.monotonic() - self._forgot > FORGET_SECONDS:
            before = datetime.now(UTC) - timedelta(days=days)
            within(10 * SEND_SECONDS, retention.forget, self._engine, self._spool, before)
            retention.forget_files(self._settings, self._settings.path(self._settings.storage.backup_folder))
            retention.forget_files(self._settings, self._spool.path.parent, f"{self._spool.path.name}.damaged-*")
            self._forgot = time.monotonic()

    def _notice(self, error: str) -> None:
        """Count failures, and log and note a change: once, not at each attempt."""
        self._failures = min(self._failures + 1, 10) if error else 0
        if error:
            self._prepared = False
        if error == self._last_error:
            return
        if error and not self._last_error:
            log.warning("the database does not take rows, they stay in %s: %s", self._spool.path, error)
        elif self._last_error:
            log.warning("the database %s", "takes rows again" if not error else f"does not take rows: {error}")
        self._last_error = error
        try:
            self._spool.note("database", error)
        except StorageError:
            self._last_error = None  # noted at the next attempt
