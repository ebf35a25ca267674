"""What stopped a file or a database is said with what to do about it, and never guessed."""

import errno
import os
import sqlite3
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from player.settings import remedies
from player.settings.remedies import is_away, of_database, of_path, of_system


def system_error(code: int, path: Path | str | bytes | None = None) -> OSError:
    """Return the error that the system raises with *code* for *path*."""
    return OSError(code, os.strerror(code), path) if path else OSError(code, os.strerror(code))


def sqlite_error(code: int, text: str = "") -> sqlite3.Error:
    """Return an error of SQLite with *code*."""
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    return error


class ServerError(Exception):
    """An error as psycopg raises it: with a state when there was a connection, else with a text alone."""

    def __init__(self, text: str, sqlstate: str | None = None) -> None:
        super().__init__(text)
        self.sqlstate = sqlstate


def wrapped(original: BaseException, kind: type[Any] = OperationalError) -> Any:
    """Return *original* as SQLAlchemy hands it on."""
    return kind("SELECT 1", {}, original)


@pytest.mark.parametrize("path", ["/p/a file", b"/p/a file", None], ids=["text", "bytes", "no file"])
@pytest.mark.parametrize("code", remedies.SYSTEM)
def test_what_the_system_says_clearly_is_explained(code: int, path: Path | str | bytes | None) -> None:
    """Whatever the file: a full disk is full."""
    assert remedies.SYSTEM[code] == of_system(system_error(code, path))


def test_of_anything_else_the_file_tells(tmp_path: Path) -> None:
    """Without a file, or when nothing is wrong with it, the system's own words are all there is; something always."""
    fine = tmp_path / "fine"
    fine.touch()

    assert "it is not there" in of_system(system_error(errno.ENOENT, str(tmp_path / "gone")))
    assert os.strerror(errno.EINVAL) == of_system(system_error(errno.EINVAL, str(fine)))
    assert os.strerror(errno.EINVAL) == of_system(system_error(errno.EINVAL))
    assert "just a text" == of_system(OSError("just a text"))
    assert "OSError" == of_system(OSError())


def test_why_a_file_cannot_be_used(tmp_path: Path) -> None:
    """The first folder that is missing, what stands in its place, the file that is missing, or nothing."""
    file, folder = tmp_path / "file", tmp_path / "folder"
    file.touch()
    folder.mkdir()

    assert f"the folder {tmp_path / 'a'} is not there: make it, or mount its disk" == of_path(
        tmp_path / "a" / "b" / "c"
    )
    assert f"{file}: {remedies.SYSTEM[errno.ENOTDIR]}" == of_path(file / "below")
    assert of_path(folder / "file").startswith("it is not there")
    assert remedies.SYSTEM[errno.EISDIR] == of_path(folder)
    assert "" == of_path(file)


@pytest.mark.parametrize(
    ("closed", "right", "asked"),
    [("folder", os.X_OK, "folder/sub/file"), ("folder", os.W_OK, "folder/new"), ("folder/file", os.W_OK, "folder/file"),
     ("folder/file", os.R_OK, "folder/file"), ("folder", os.W_OK, "folder/file")],
    ids=["enter", "make", "write", "read", "replace"],
)  # fmt: skip
def test_what_is_closed_to_this_user_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closed: str, right: int, asked: str
) -> None:
    """With its owner, because one of the two must change something."""
    (tmp_path / "folder" / "sub").mkdir(parents=True)
    (tmp_path / "folder" / "file").touch()
    place = tmp_path / closed
    monkeypatch.setattr(os, "access", lambda path, wanted: not (Path(path) == place and wanted & right))

    assert f"{place} belongs to {place.owner()} and is closed to this user" in of_path(tmp_path / asked)


@pytest.mark.parametrize("trouble", [OSError, KeyError, NotImplementedError])
def test_an_owner_without_a_name_is_somebody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: type[Exception]
) -> None:
    """A user that was deleted, or a system that does not say."""

    def owner(_: Path) -> str:
        raise trouble

    monkeypatch.setattr(Path, "owner", owner)

    assert "belongs to somebody else" in remedies.foreign(tmp_path)


def test_a_disk_that_can_only_be_read_belongs_to_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What helps is to mount it otherwise, not to change its owner."""
    flags = SimpleNamespace(f_flag=os.ST_RDONLY | os.ST_NOSUID)
    monkeypatch.setattr(os, "statvfs", lambda _: flags, raising=False)

    assert remedies.SYSTEM[errno.EROFS] == remedies.foreign(tmp_path)


@pytest.mark.parametrize("code", remedies.SQLITE)
def test_what_sqlite_says_clearly_is_explained(code: int) -> None:
    """Also when it adds details to its code, and however the error arrives."""
    error = sqlite_error(code | 3 << 8)

    assert remedies.SQLITE[code] == of_database(error) == of_database(wrapped(error))


def test_of_other_errors_of_sqlite_the_file_tells(tmp_path: Path) -> None:
    """A table, the file or its folder is not there; where all is, nothing is claimed."""
    there = tmp_path / "there.db"
    there.touch()
    error = sqlite_error(sqlite3.SQLITE_CANTOPEN)

    assert "run `player db upgrade`" in of_database(sqlite_error(sqlite3.SQLITE_ERROR, "no such table: x"), there)
    assert "restore the newest backup" in of_database(error, tmp_path / "gone.db")
    assert f"the folder {tmp_path / 'gone'} is not there" in of_database(error, tmp_path / "gone" / "x.db")
    assert "" == of_database(error, there)
    assert "" == of_database(error)


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("connection to server at port 5 failed: Connection refused", "nothing listens there"),
        ('FATAL: password authentication failed for user "me"', "the server does not know this user"),
        ('FATAL: role "me" does not exist', "the server has no such user"),
        ('FATAL: database "it" does not exist', "the server has no such database"),
        ("failed to resolve host 'nowhere'", "no machine has this name"),
        ("connection timeout expired", "the server does not answer"),
        ("FATAL: sorry, too many clients already", "no connection free"),
        ("FATAL: the database system is starting up", "it will be back"),
        ("nobody knows", ""),
    ],
)
def test_what_postgresql_says_is_explained(text: str, remedy: str) -> None:
    """Before there is a connection its text is all there is."""
    said = of_database(wrapped(ServerError(text)))

    assert remedy in said
    assert bool(remedy) == bool(said)


@pytest.mark.parametrize("state", remedies.STATES)
def test_a_state_says_more_than_a_text(state: str) -> None:
    """The text that goes with it may be in any language."""
    assert remedies.STATES[state] == of_database(wrapped(ServerError("Connection refused", state), ProgrammingError))


def test_an_error_that_is_nobodys_is_what_it_is() -> None:
    """The system's errors come through the driver; a wait that ended says that nobody answered."""
    assert remedies.FULL == of_database(wrapped(system_error(errno.ENOSPC)))
    assert "does not answer" in of_database(TimeoutError("time is up"))


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (sqlite_error(sqlite3.SQLITE_BUSY), True),
        (wrapped(sqlite_error(sqlite3.SQLITE_LOCKED | 1 << 8)), True),
        (wrapped(sqlite_error(sqlite3.SQLITE_CORRUPT)), False),
        (TimeoutError(), True),
        (NoConnectionFree(), True),
        (ConnectionResetError(), True),
        (OSError(), False),
        (ValueError(), False),
        (wrapped(ServerError("refused")), True),
        (wrapped(ServerError("", "08006")), True),
        (wrapped(ServerError("", "53300")), True),
        (wrapped(ServerError("", "57P01")), True),
        (wrapped(ServerError("", "42P01")), False),
        (wrapped(ServerError("refused"), ProgrammingError), False),
    ],
)
def test_what_comes_back_by_itself_is_away(error: BaseException, away: bool) -> None:
    """A lock, a wait and a server that restarts end; a wrong statement and a damaged file do not."""
    assert away == is_away(error)
