"""What may be wrong when a command is run: each condition, what must be said of it, and the remedy that is followed."""

import os
import shutil
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from place import SETPRIV, Place
from postgres import free_port

Make = Callable[[Path], object]
FILES = {
    "base.toml": "config/base.toml", "rating.toml": "config/rating.toml", "testing.toml": "config/testing.toml",
    "logging.toml": "config/logging.toml", "training table": "data/train_data.csv", "database": "output/testing.db",
    "spool": "output/testing-spool.db", "pointer": "models/testing/current.json",
}  # fmt: skip
SERVES = ("serve",)
EVERY = ("serve", "config", "doctor", "train", "monitor")
FIX = "player doctor --fix"
FIXED = (("doctor", "--fix"),)
CLOSED = "closed to this user|denied|cannot be opened"


@dataclass(frozen=True)
class Condition:
    """One thing that is wrong while the block of *holds* runs.

    *stops*: the commands that cannot do their work then. *said*: what they must say. *loses*: the condition itself
    takes rows away. *remedy*: commands that a person is told to run, before it starts again.
    """

    holds: Callable[[Place, pytest.MonkeyPatch], object]
    stops: tuple[str, ...] = ()
    said: str = ""
    loses: bool = False
    remedy: tuple[tuple[str, ...], ...] = ()
    apart: bool = False


def changed(name: str, change: Make) -> Callable[[Place, pytest.MonkeyPatch], object]:
    """Return a condition in which *change* was done to a file, and which ends when the file is put back."""

    @contextmanager
    def holds(place: Place, _: pytest.MonkeyPatch) -> Iterator[None]:
        path = place.home / FILES.get(name, name)
        kept = path.with_name(f"{path.name}.kept")
        path.replace(kept) if path.is_dir() else shutil.copy2(kept_from(path), kept)
        change(path)
        yield
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        kept.replace(path)

    return holds


def kept_from(path: Path) -> Path:
    """Return *path*, whose SQLite log is first moved into it: a copy is then whole."""
    if path.suffix == ".db":
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


def broken(name: str, change: Make) -> Callable[[Place, pytest.MonkeyPatch], object]:
    """Return a condition that stays: following the remedy ends it."""

    @contextmanager
    def holds(place: Place, _: pytest.MonkeyPatch) -> Iterator[None]:
        change(kept_from(place.home / FILES.get(name, name)))
        yield

    return holds


def set_to(name: str, value: str) -> Callable[[Place, pytest.MonkeyPatch], object]:
    """Return a condition in which a variable has a wrong value."""

    @contextmanager
    def holds(_: Place, patch: pytest.MonkeyPatch) -> Iterator[None]:
        with patch.context() as own:
            own.setenv(f"PLAYER_{name}", value)
            yield

    return holds


def sql(*statements: str) -> Make:
    """Return what runs statements on a SQLite file."""

    def change(path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()

    return change


def text(content: str) -> Make:
    """Return what replaces a file by a text."""
    return lambda path: path.write_text(content, encoding="utf-8")


def binary(path: Path) -> None:
    """Replace a file by nonsense."""
    path.write_bytes(bytes(range(128, 256)) * 40)


def half(path: Path) -> None:
    """Cut a file in the middle."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def folder(path: Path) -> None:
    """Put a folder where a file was."""
    path.unlink()
    path.mkdir()


def gone(path: Path) -> None:
    """Delete a file, or leave the place of a folder that was moved away empty."""
    path.unlink(missing_ok=True)


def a_file(path: Path) -> None:
    """Put a file where a folder was."""
    path.write_text("", encoding="utf-8")


def foreign(name: str) -> Callable[[Place, pytest.MonkeyPatch], object]:
    """Return a condition in which a file or folder belongs to somebody else and is closed to us."""

    @contextmanager
    def holds(place: Place, _: pytest.MonkeyPatch) -> Iterator[None]:
        path = place.home / FILES.get(name, name)
        mode, place.apart = path.stat().st_mode, True
        if SETPRIV:
            os.chown(path, 65534, 65534)
        path.chmod(0o700 if SETPRIV else 0o000)
        yield
        if SETPRIV:
            os.chown(path, 0, 0)
        path.chmod(mode)
        place.apart = False

    return holds


@contextmanager
def full_disk(place: Place, _: pytest.MonkeyPatch) -> Iterator[None]:
    """Put the output folder on a disk without room: a size limit for files stands for it where none can be mounted."""
    import resource
    import signal

    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def locked(name: str) -> Callable[[Place, pytest.MonkeyPatch], object]:
    """Return a condition in which another program holds a SQLite file."""

    @contextmanager
    def holds(place: Place, _: pytest.MonkeyPatch) -> Iterator[None]:
        with closing(sqlite3.connect(place.home / FILES[name], isolation_level=None)) as other:
            other.execute("PRAGMA locking_mode=EXCLUSIVE")
            other.execute("BEGIN EXCLUSIVE")
            yield
            other.execute("ROLLBACK")

    return holds


@contextmanager
def port_taken(_: Place, patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let another program listen on the port."""
    with socket.create_server(("127.0.0.1", 0)) as other, patch.context() as own:
        own.setenv("PLAYER_SERVER__PORT", str(other.getsockname()[1]))
        yield


CONDITIONS: dict[str, Condition] = {
    "base.toml is missing": Condition(changed("base.toml", gone), EVERY, "base.toml is missing"),
    "base.toml is empty": Condition(changed("base.toml", text("")), EVERY, "not set"),
    "base.toml is half": Condition(changed("base.toml", half), EVERY, "not set|not valid TOML"),
    "base.toml is binary": Condition(changed("base.toml", binary), EVERY, "not valid TOML"),
    "base.toml is a folder": Condition(changed("base.toml", folder), EVERY, "a folder stands where a file should be"),
    "base.toml is foreign": Condition(foreign("base.toml"), EVERY, CLOSED, apart=True),
    "rating.toml is missing": Condition(changed("rating.toml", gone), EVERY, "rating.toml is missing"),
    "testing.toml has an unknown key": Condition(changed("testing.toml", text("[server]\nprot = 1\n")), EVERY, "prot"),
    "testing.toml holds a secret": Condition(
        changed("testing.toml", text("api_key = 'x'\n")), EVERY, "holds the secret"),
    "logging.toml is missing": Condition(changed("logging.toml", gone), SERVES, "logging.toml"),
    "logging.toml is binary": Condition(changed("logging.toml", binary), SERVES, "logging.toml"),
    "logging.toml is empty": Condition(changed("logging.toml", text("")), SERVES, "logging.toml"),
    "the port is no number": Condition(set_to("SERVER__PORT", "many"), EVERY, "SERVER__PORT"),
    "the port is no port": Condition(set_to("SERVER__PORT", "70000"), EVERY, "SERVER__PORT"),
    "no workers": Condition(set_to("SERVER__WORKERS", "0"), EVERY, "SERVER__WORKERS"),
    "an unknown setting": Condition(set_to("COLOUR", "red"), EVERY, "PLAYER_COLOUR is not a setting"),
    "an unknown level": Condition(set_to("RATING__INTEGRITY", "huge"), EVERY, "RATING__INTEGRITY"),
    "a key file is missing": Condition(set_to("API_KEY_FILE", "nowhere.key"), EVERY, "PLAYER_API_KEY_FILE names"),
    "the database's address is none": Condition(set_to("DATABASE_URL", "here"), EVERY, "not a database URL"),
    "another kind of database": Condition(set_to("DATABASE_URL", "oracle://x/y"), EVERY, "sqlite and postgresql are"),
    "the host is unknown": Condition(set_to("SERVER__HOST", "no.such.host.invalid"), SERVES, "no such address"),
    "the host is elsewhere": Condition(set_to("SERVER__HOST", "192.0.2.1"), SERVES, "no such address"),
    "the port is taken": Condition(port_taken, SERVES, "choose one with PLAYER_SERVER__PORT"),
    "the log file has no folder": Condition(set_to("LOGGING__FILE", "config/base.toml/log"), SERVES, "base.toml"),
    "the training table is missing": Condition(changed("training table", gone), ("train",), "customer data"),
    "the training table is empty": Condition(changed("training table", text("")), ("train",), "cannot be read as"),
    "the training table is binary": Condition(changed("training table", binary), ("train",), "train_data.csv"),
    "the training table has no rows": Condition(changed("training table", text("age,repaid\n")), ("train",), "no rows"),
    "the training table is foreign": Condition(foreign("training table"), ("train",), CLOSED, apart=True),
    "the models are missing": Condition(changed("models", gone), ("batch",), "no model|player train"),
    "the models' pointer is empty": Condition(changed("pointer", text("")), ("batch",), "current.json is broken"),
    "the models' pointer is binary": Condition(changed("pointer", binary), ("batch",), "current.json is broken"),
    "the models are foreign": Condition(foreign("models"), ("batch", "train"), CLOSED, apart=True),
    "the database is missing": Condition(changed("database", gone)),
    "the database is empty": Condition(changed("database", text(""))),
    "the database is a text": Condition(
        changed("database", text("none\n" * 3000)), SERVES, "file is damaged: move it away"),
    "the database is half": Condition(changed("database", half), ("monitor",), "file is damaged: move it away"),
    "the database is a folder": Condition(changed("database", folder), SERVES, "a folder stands where"),
    "the database is foreign": Condition(foreign("database"), SERVES, CLOSED, apart=True),
    "the database is older": Condition(
        broken("database", sql("DROP TABLE batch_runs", "UPDATE alembic_version SET version_num = '0001'")),
        remedy=(("db", "upgrade"),)),
    "the database is newer": Condition(
        changed("database", sql("UPDATE alembic_version SET version_num = '9999'")), SERVES, "newer than this code"),
    "the database has other tables": Condition(
        changed("database", sql("DROP TABLE predictions")), ("monitor",), "a table is not there"),
    "the database is locked": Condition(locked("database")),
    "the database refuses": Condition(set_to("DATABASE_URL", f"postgresql://player:secret@127.0.0.1:{free_port()}/x"),
                                      ("monitor", "db upgrade"), "nothing listens there: start PostgreSQL"),
    "the database's host is unknown": Condition(set_to("DATABASE_URL", "postgresql://player@no.such.host.invalid/x"),
                                                ("monitor",), "no machine has this name"),
    "the spool is missing": Condition(broken("spool", gone), loses=True),
    "the spool is empty": Condition(broken("spool", text("")), SERVES, FIX, True, FIXED),
    "the spool is a text": Condition(broken("spool", text("x" * 9999)), SERVES, FIX, True, FIXED),
    "the spool is half": Condition(broken("spool", half), SERVES, FIX, True, FIXED),
    "the spool has lost its state": Condition(broken("spool", sql("DELETE FROM state")), SERVES, FIX,
                                              remedy=FIXED),
    "the spool is a folder": Condition(changed("spool", folder), SERVES, "a folder stands where"),
    "the spool is foreign": Condition(foreign("spool"), SERVES, CLOSED, apart=True),
    "the spool is locked": Condition(locked("spool"), SERVES, "another program holds the file"),
    "the output folder is missing": Condition(changed("output", gone)),
    "the output folder is a file": Condition(
        changed("output", a_file), SERVES, "a file stands where a folder should be"),
    "the output folder is foreign": Condition(foreign("output"), SERVES, CLOSED, apart=True),
    "the disk is full": Condition(full_disk, SERVES, "the disk is full|disk"),
}  # fmt: skip
