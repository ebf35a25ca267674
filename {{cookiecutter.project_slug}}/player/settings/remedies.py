"""What an error of the operating system or of a database means, and what a person can do about it: a sentence each."""

import errno
import os
import re
import shutil
import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

FULL = "the disk is full: free some space"
SYSTEM = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: "the quota of this user is used up: free some space",
    errno.EROFS: "the disk can only be read: mount it for writing, or name another place in config/",
    errno.EISDIR: "a folder stands where a file should be: move it away",
    errno.EEXIST: "a file stands where a folder should be: move it away",
    errno.ENOTDIR: "a file stands where a folder should be: move it away",
    errno.EMFILE: "too many files are open: raise the limit (`ulimit -n`, LimitNOFILE= of the service)",
    errno.EIO: "the disk does not work: look at the system's log, then restore a backup",
}
# What PostgreSQL's client library says before there is a connection: it has no codes for it.
POSTGRESQL = (
    (r"refused", "nothing listens there: start PostgreSQL, or correct the host and port of PLAYER_DATABASE_URL"),
    (r"password|authentication", "the server does not know this user and password: correct PLAYER_DATABASE_URL"),
    (r"role .* does not exist", "the server has no such user: correct PLAYER_DATABASE_URL, or run `createuser` there"),
    (r"database .* does not exist", "the server has no such database: correct PLAYER_DATABASE_URL, or run `createdb`"),
    (r"resolve|translate|getaddrinfo|not known", "no machine has this name: correct the host of PLAYER_DATABASE_URL"),
    (r"time|no answer", "the server does not answer: is it running, and may this machine reach it?"),
    (r"too many|slots", "the server has no connection free: end some, or raise its max_connections"),
    (r"starting up|shutting down|closed", "the server starts or stops: it will be back"),
)
STATES = {
    "42501": "this user may not do that: GRANT it, or correct PLAYER_DATABASE_URL",
    "42P01": "a table is not there: run `player db upgrade`",
    "53100": "the server's disk is full: free some space there",
    "25006": "the server only lets read: is it a replica?",
}
A_PAGE = 4096
LOCKED = "another program holds the file: end it, or wait"
DAMAGED = "the file is damaged: move it away and restore the newest backup (`player db backup` makes them)"
SQLITE = {
    sqlite3.SQLITE_FULL: FULL,
    sqlite3.SQLITE_BUSY: LOCKED,
    sqlite3.SQLITE_LOCKED: LOCKED,
    sqlite3.SQLITE_CORRUPT: DAMAGED,
    sqlite3.SQLITE_NOTADB: DAMAGED,
}


def of_system(error: OSError) -> str:
    """Return what stopped the operating system, and what to do."""
    path = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else None
    said = SYSTEM.get(error.errno or 0)
    if said is None and path is not None:
        said = of_path(path)
    return said or error.strerror or str(error) or type(error).__name__


def of_path(path: Path) -> str:
    """Return why the file *path* cannot be read and written, as far as can be seen, and what to do; "" when it can."""
    for folder in reversed(path.absolute().parents):
        if not folder.exists():
            return f"the folder {folder} is not there: make it, or mount its disk"
        if not folder.is_dir():
            return f"{folder}: {SYSTEM[errno.ENOTDIR]}"
        if not os.access(folder, os.X_OK):
            return foreign(folder)
    if not path.exists():
        return "it is not there: put it back, or correct its path" if os.access(folder, os.W_OK) else foreign(folder)
    if path.is_dir():
        return SYSTEM[errno.EISDIR]
    return next((foreign(place) for place in (path, folder) if not os.access(place, os.R_OK | os.W_OK)), "")


def foreign(path: Path) -> str:
    """Return who owns *path*, and that this user may not use it; or that nobody may write to its disk."""
    if hasattr(os, "statvfs") and os.statvfs(path).f_flag & os.ST_RDONLY:
        return SYSTEM[errno.EROFS]
    try:
        owner = path.owner()
    except (OSError, KeyError, NotImplementedError):
        owner = "somebody else"  # Windows does not say
    return f"{path} belongs to {owner} and is closed to this user: give it to this user (chown, chmod)"


def of_database(error: BaseException, path: Path | None = None) -> str:
    """Return what to do about an error of the database, "" when that is not known; *path* is SQLite's file."""
    original: Any = error.orig if isinstance(error, DBAPIError) and error.orig else error
    if isinstance(original, sqlite3.Error):
        return of_sqlite(original, path)
    if isinstance(original, OSError) and not isinstance(original, TimeoutError):
        return of_system(original)
    if said := STATES.get(getattr(original, "sqlstate", None) or ""):
        return said
    return of_postgresql(str(original))


def of_postgresql(said: str) -> str:
    """Return what to do about what PostgreSQL's client programs have *said*, "" when that is not known."""
    return next((remedy for pattern, remedy in POSTGRESQL if re.search(pattern, said, re.IGNORECASE)), "")


def of_sqlite(error: sqlite3.Error, path: Path | None) -> str:
    """Return what to do about an error of SQLite, whose file is *path*."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in SQLITE:
        return SQLITE[code]
    if "no such table" in str(error):
        return STATES["42P01"]
    if code == sqlite3.SQLITE_CANTOPEN and (trouble := open_one_more()):
        return trouble
    if path and path.parent.is_dir() and shutil.disk_usage(path.parent).free < A_PAGE:
        return FULL  # SQLite itself speaks of "disk I/O error"
    if path and path.parent.is_dir() and not path.exists():
        return "it is not there: restore the newest backup, or make a new one with `player db upgrade`"
    return of_path(path) if path else ""


def open_one_more() -> str:
    """Return why this process cannot open any file at all, "" when it can."""
    try:
        Path(os.devnull).open("rb").close()
    except OSError as error:
        return of_system(error)
    return ""


def is_away(error: BaseException) -> bool:
    """Tell whether the database cannot be reached now, and may be back without anybody changing anything here."""
    original: Any = error.orig if isinstance(error, DBAPIError) and error.orig else error
    if isinstance(original, sqlite3.Error):
        return getattr(original, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    if isinstance(original, TimeoutError | NoConnectionFree | ConnectionError):
        return True
    if not isinstance(error, DBAPIError) or type(error).__name__ not in ("OperationalError", "InterfaceError"):
        return False
    state = getattr(original, "sqlstate", None)  # none: there never was a connection
    return state is None or state.startswith(("08", "53", "57"))
