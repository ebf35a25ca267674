"""What may be wrong when a command is run: each condition, what must be said of it, and the remedy that is followed."""

import os
import random
import shutil
import socket
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock
from place import SETPRIV, Place, with_current
from postgres import free_port

from player.config import load_settings

Change = Callable[[Path], object]
Holds = Callable[[Place], AbstractContextManager[object]]

BASE, RATING, OWN, LOGGING = (
    "config/base.toml",
    "config/rating.toml",
    "config/{environment}.toml",
    "config/logging.toml",
)
TABLE, DATABASE, SPOOL = "data/train_data.csv", "output/{environment}.db", "output/{environment}-spool.db"
MODELS, POINTER = "models/{environment}", "models/{environment}/current.json"
MANIFEST, PICKLE, RECEIPT = (f"models/{{environment}}/{{current}}{end}" for end in (".json", ".pkl", ".tried"))
KEY, PUBLIC, API_KEY = (f"keys/{{environment}}-{end}" for end in ("signing.key", "signing.pub", "api.key"))
LOG = "output/service.log"

SERVES = ("serve", "doctor")
EVERY = ("serve", "config", "doctor", "train", "monitor", "db upgrade")
LEARNS = ("train", "inspect")
STORES = ("serve", "monitor")
CLOSED = "closed to this user|is not readable"


@dataclass(frozen=True)
class Condition:
    """One thing that is wrong while a command runs, and what ends it.

    *holds*: makes it wrong; when it is left, the remedy was followed by hand. *stops*: the commands that cannot do
    their work then. *said*: what whoever cannot must say. *remedy*: commands that a person is told to run.
    *loses*: the condition itself takes rows away. *strict*: what also stops where users are.
    """

    holds: Holds
    stops: tuple[str, ...] = ()
    said: str = ""
    remedy: tuple[str, ...] = ()
    loses: bool = False
    strict: tuple[str, ...] = ()


def whole(path: Path) -> Path:
    """Return *path*, whose SQLite log is first moved into it: a copy is then whole."""
    if path.suffix == ".db":
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


def put_back(path: Path, kept: Path) -> None:
    """Put a file or folder back, in the place of whatever has its name now."""
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    for end in ("-wal", "-shm") if path.suffix == ".db" else ():
        path.with_name(path.name + end).unlink(missing_ok=True)
    kept.replace(path)


def changed(name: str, change: Change) -> Holds:
    """Return a condition in which *change* was done to a file or folder; the remedy is to put it back."""

    @contextmanager
    def holds(place: Place) -> Iterator[None]:
        path = place.path(name)
        kept = path.with_name(f"{path.name}.kept")
        path.replace(kept) if path.is_dir() else shutil.copy2(whole(path), kept)
        change(path)
        yield
        put_back(path, kept)

    return holds


def broken(name: str, change: Change) -> Holds:
    """Return a condition that stays: the commands of the remedy end it."""

    @contextmanager
    def holds(place: Place) -> Iterator[None]:
        change(whole(place.path(name)))
        yield

    return holds


def damaged_database(change: Change) -> Holds:
    """Return a condition of the database; the remedy is to move it away and restore the newest backup."""

    @contextmanager
    def holds(place: Place) -> Iterator[None]:
        path = place.path(DATABASE)
        change(whole(path))
        yield
        for damaged in path.parent.glob(f"{path.name}*"):
            damaged.replace(damaged.with_name(f"damaged-{damaged.name}"))
        newest = max(place.path("output/backups/{environment}").glob("*.db"))
        shutil.copyfile(newest, path)

    return holds


def set_to(name: str, value: str) -> Holds:
    """Return a condition in which a variable has a wrong value; the remedy is to correct it."""

    @contextmanager
    def holds(place: Place) -> Iterator[None]:
        before = dict(place.variables)
        place.variables[f"PLAYER_{name}"] = value
        yield
        place.variables = before

    return holds


def closed(name: str) -> Holds:
    """Return a condition in which a file or folder belongs to somebody else; the remedy is to give it back."""

    @contextmanager
    def holds(place: Place) -> Iterator[None]:
        path = place.path(name)
        mode = path.stat().st_mode
        if SETPRIV:
            os.chown(path, 65534, 65534)
        path.chmod(0o700 if SETPRIV else 0)
        place.on_leaving.callback(path.chmod, mode)
        yield
        path.chmod(mode)
        if SETPRIV:
            os.chown(path, 0, 0)

    return holds


def read_only(name: str) -> Holds:
    """Return a condition in which a file or folder can only be read; the remedy is to allow writing."""

    @contextmanager
    def holds(place: Place) -> Iterator[None]:
        path = place.path(name)
        whole(path)
        mode = path.stat().st_mode
        path.chmod(mode & ~0o222)
        yield
        path.chmod(mode)

    return holds


def mounted(folder: str, options: str) -> Holds:
    """Return a condition in which a folder is a small disk of its own, full or (ro) only to be read."""

    @contextmanager
    def holds(place: Place) -> Iterator[None]:
        path = place.path(folder)
        kept = path.with_name(f"{path.name}.kept")
        path.replace(kept)
        path.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=240m,mode=700", "tmpfs", str(path)], check=True)
        place.on_leaving.callback(subprocess.run, ["umount", "--lazy", str(path)], check=True)
        shutil.copytree(kept, path, dirs_exist_ok=True)
        if options == "ro":
            subprocess.run(["mount", "-o", "remount,ro", str(path)], check=True)
        else:
            fill_up(path / "ballast")
        yield
        subprocess.run(["mount", "-o", "remount,rw", str(path)], check=True)
        (path / "ballast").unlink(missing_ok=True)

    return holds


def fill_up(ballast: Path) -> None:
    """Write until there is no room for a byte more."""
    with ballast.open("wb", buffering=0) as file:
        for size in (2**24, 2**16, 1):
            try:
                while file.write(bytes(size)):
                    pass
            except OSError:
                continue


def locked(name: str) -> Holds:
    """Return a condition in which another program holds a SQLite file; the remedy is to end it."""

    @contextmanager
    def holds(place: Place) -> Iterator[None]:
        with closing(sqlite3.connect(place.path(name), isolation_level=None)) as other:
            other.execute("PRAGMA locking_mode=EXCLUSIVE")
            other.execute("BEGIN EXCLUSIVE")
            yield
            other.execute("ROLLBACK")

    return holds


def lock_held(name: str) -> Holds:
    """Return a condition in which another program of this project is at work and holds its lock."""

    @contextmanager
    def holds(place: Place) -> Iterator[None]:
        with FileLock(place.path(name)):
            yield

    return holds


@contextmanager
def port_taken(place: Place) -> Iterator[None]:
    """Let another program listen on the port; the remedy is to choose another one."""
    with socket.create_server(("127.0.0.1", int(place.variables["PLAYER_SERVER__PORT"]))):
        yield
    place.variables["PLAYER_SERVER__PORT"] = str(free_port())


@contextmanager
def another_version(place: Place) -> Iterator[None]:
    """Let the current model be of another version of scikit-learn; the remedy is to learn it again."""
    with_current(load_settings(place.environment), libraries={"scikit-learn": "0.24.2"})
    yield


@contextmanager
def few_files(place: Place) -> Iterator[None]:
    """Let few files be open at once; the remedy is to raise the limit."""
    import resource  # not on Windows

    place.limits = {resource.RLIMIT_NOFILE: 12}
    yield
    place.limits = {}


def killed(earliest: float, latest: float) -> Holds:
    """Return a condition in which the command is killed at a random moment; there is no remedy to follow."""

    @contextmanager
    def holds(place: Place) -> Iterator[None]:
        place.kill_after = random.uniform(earliest, latest)
        yield
        place.kill_after = 0.0

    return holds


def sql(*statements: str) -> Change:
    """Return what runs statements on a SQLite file."""

    def change(path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()

    return change


def text(content: str) -> Change:
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


FIX = ("doctor --fix",)
DAMAGED = "restore the newest backup"
MENDED = "player rollback|train or promote it again"
CONDITIONS: dict[str, Condition] = {
    # settings
    "base.toml is missing": Condition(changed(BASE, gone), EVERY, "base.toml is missing"),
    "base.toml is empty": Condition(changed(BASE, text("")), EVERY, "not set"),
    "base.toml is half": Condition(changed(BASE, half), EVERY, "not set|not valid TOML"),
    "base.toml is binary": Condition(changed(BASE, binary), EVERY, "not valid TOML"),
    "base.toml is a folder": Condition(changed(BASE, folder), EVERY, "a folder stands where a file should be"),
    "base.toml is closed": Condition(closed(BASE), EVERY, CLOSED),
    "rating.toml is missing": Condition(changed(RATING, gone), EVERY, "rating.toml is missing"),
    "the settings have an unknown key": Condition(changed(OWN, text("[server]\nprot = 1\n")), EVERY, "server.prot"),
    "the settings hold a secret": Condition(changed(OWN, text("api_key = 'x'\n")), EVERY, "holds the secret 'api_key'"),
    "the settings are read-only": Condition(read_only(BASE)),
    "logging.toml is missing": Condition(changed(LOGGING, gone), EVERY[2:], "logging.toml"),
    "logging.toml is binary": Condition(changed(LOGGING, binary), EVERY[2:], "logging.toml"),
    "logging.toml is empty": Condition(changed(LOGGING, text("")), EVERY[2:], "logging.toml"),
    "the port is no number": Condition(set_to("SERVER__PORT", "many"), EVERY, "SERVER__PORT"),
    "the port is no port": Condition(set_to("SERVER__PORT", "70000"), EVERY, "SERVER__PORT"),
    "no workers": Condition(set_to("SERVER__WORKERS", "0"), EVERY, "SERVER__WORKERS"),
    "an unknown setting": Condition(set_to("COLOUR", "red"), EVERY, "PLAYER_COLOUR is not a setting"),
    "an unknown level": Condition(set_to("RATING__INTEGRITY", "huge"), EVERY, "RATING__INTEGRITY"),
    "an unknown environment": Condition(set_to("ENV", "staging"), EVERY, "allowed: development, testing"),
    "the database's address is none": Condition(set_to("DATABASE_URL", "here"), EVERY, "not a database URL"),
    "another kind of database": Condition(set_to("DATABASE_URL", "oracle://x/y"), EVERY, "sqlite and postgresql are"),
    # address, log, machine
    "the host is unknown": Condition(set_to("SERVER__HOST", "no.such.host.invalid"), SERVES, "no such address"),
    "the host is elsewhere": Condition(set_to("SERVER__HOST", "192.0.2.1"), SERVES, "no such address"),
    "the port is taken": Condition(port_taken, SERVES, "choose one with PLAYER_SERVER__PORT"),
    "the log file has no folder": Condition(set_to("LOGGING__FILE", "config/base.toml/log"), EVERY[2:], "a file"),
    "the log file is a folder": Condition(set_to("LOGGING__FILE", "config"), EVERY[2:], "a folder stands where"),
    "the log file's disk is full": Condition(set_to("LOGGING__FILE", "/dev/full")),
    "few files may be open": Condition(few_files, ("serve",), "too many files are open"),
    # keys
    "a key is missing": Condition(set_to("API_KEYS_FILE", "nowhere.key"), EVERY, "PLAYER_API_KEYS_FILE names"),
    "the signing key is empty": Condition(changed(KEY, text("")), EVERY, "PLAYER_SIGNING_KEY_FILE names"),
    "the signing key is binary": Condition(changed(KEY, binary), EVERY, "PLAYER_SIGNING_KEY_FILE names"),
    "the signing key is closed": Condition(closed(KEY), EVERY, "PLAYER_SIGNING_KEY_FILE names"),
    "the signing key is another": Condition(changed(KEY, text("0123456789abcdef" * 4)), strict=SERVES, said="sign"),
    "the public key is binary": Condition(changed(PUBLIC, binary), EVERY, "PLAYER_PUBLIC_KEYS_FILE names"),
    "the public key is a word": Condition(changed(PUBLIC, text("key\n")), strict=SERVES, said="PLAYER_PUBLIC_KEYS"),
    "the API key is empty": Condition(changed(API_KEY, text("")), EVERY, "PLAYER_API_KEY_FILE names"),
    "the keys are read-only": Condition(read_only("keys")),
    # training table
    "the training table is missing": Condition(changed(TABLE, gone), LEARNS, "train_data.csv"),
    "the training table is empty": Condition(changed(TABLE, text("")), LEARNS, "train_data.csv"),
    "the training table is binary": Condition(changed(TABLE, binary), LEARNS, "train_data.csv"),
    "the training table has no rows": Condition(changed(TABLE, text("age,repaid\n")), LEARNS, "no rows"),
    "the training table is another": Condition(changed(TABLE, text("a,b\n1,2\n3,4\n")), LEARNS, "repaid"),
    "the training table is a folder": Condition(changed(TABLE, folder), LEARNS, "folder|is a directory"),
    "the training table is closed": Condition(closed(TABLE), LEARNS, CLOSED),
    "the training table is read-only": Condition(read_only(TABLE), ("customer data",), CLOSED),
    # models
    "the models are missing": Condition(changed(MODELS, gone), ("batch",), "player train|promote", strict=SERVES),
    "the models are closed": Condition(closed(MODELS), ("batch", "train"), CLOSED, strict=SERVES),
    "the models are read-only": Condition(read_only(MODELS), ("train", "rollback"), CLOSED),
    "the models are a file": Condition(changed(MODELS, a_file), ("train", "rollback"), "a file stands", strict=SERVES),
    "the models' disk is full": Condition(mounted(MODELS, "full"), ("train",), "the disk is full"),
    "the models' disk is read-only": Condition(mounted(MODELS, "ro"), ("train",), "mount it for writing"),
    "the models are locked": Condition(lock_held(MODELS + "/.lock"), ("train", "rollback"), "Another command holds"),
    "the models are in training": Condition(lock_held(MODELS + "/.retrain.lock")),  # this one leaves it to the other
    "the pointer is missing": Condition(changed(POINTER, gone), ("batch",), "player train|promote", strict=SERVES),
    "the pointer is empty": Condition(broken(POINTER, text("")), ("batch",), "player train", ("train --reason x",)),
    "the pointer is binary": Condition(broken(POINTER, binary), ("batch",), "player train", ("train --reason x",)),
    "the pointer is closed": Condition(closed(POINTER), ("batch",), CLOSED, strict=SERVES),
    "the manifest is missing": Condition(
        broken(MANIFEST, gone), said=MENDED, remedy=("rollback --reason x",), strict=SERVES),
    "the manifest is empty": Condition(
        broken(MANIFEST, text("")), said=MENDED, remedy=("rollback --reason x",), strict=SERVES),
    "the manifest is half": Condition(
        broken(MANIFEST, half), said=MENDED, remedy=("rollback --reason x",), strict=SERVES),
    "the manifest is closed": Condition(closed(MANIFEST), said=CLOSED, strict=SERVES),
    "the pickle is missing": Condition(
        broken(PICKLE, gone), said=MENDED, remedy=("rollback --reason x",), strict=SERVES),
    "the pickle is half": Condition(
        broken(PICKLE, half), said=MENDED, remedy=("rollback --reason x",), strict=SERVES),
    "the pickle is closed": Condition(closed(PICKLE), said=CLOSED, strict=SERVES),
    "the model's receipt is binary": Condition(changed(RECEIPT, binary)),
    "the model is of another version": Condition(
        another_version, said="player train", remedy=("train --reason x",), strict=SERVES),
    # database
    "the database is missing": Condition(changed(DATABASE, gone), strict=SERVES, said="player db upgrade"),
    "the database is empty": Condition(changed(DATABASE, text("")), strict=SERVES, said="player db upgrade"),
    "the database is a text": Condition(damaged_database(text("none\n" * 3000)), STORES, DAMAGED),
    "the database is half": Condition(damaged_database(half), ("monitor",), DAMAGED),
    "the database is a folder": Condition(changed(DATABASE, folder), STORES, "a folder stands where"),
    "the database is closed": Condition(closed(DATABASE), STORES, CLOSED),
    "the database is read-only": Condition(read_only(DATABASE), said=CLOSED),
    "the database is older": Condition(
        broken(DATABASE, sql("DROP TABLE owner", "DROP TABLE batch_runs",
                             "UPDATE alembic_version SET version_num = '0001'")),
        strict=SERVES, said="player db upgrade", remedy=("db upgrade",)),
    "the database is newer": Condition(
        changed(DATABASE, sql("UPDATE alembic_version SET version_num = '9999'")), SERVES, "newer than this code"),
    "the database has other tables": Condition(
        changed(DATABASE, sql("DROP TABLE predictions")), ("monitor",), "a table is not there"),
    "the database is another's": Condition(
        changed(DATABASE, sql("UPDATE owner SET environment = 'acceptance'")), SERVES, "acceptance"),
    "the database is locked": Condition(locked(DATABASE), ("monitor",), "another program holds the file"),
    "the database refuses": Condition(set_to("DATABASE_URL", f"postgresql://player:secret@127.0.0.1:{free_port()}/x"),
                                      ("monitor", "db upgrade"), "nothing listens there: start PostgreSQL"),
    "the database's host is unknown": Condition(set_to("DATABASE_URL", "postgresql://player@no.such.host.invalid/x"),
                                                ("monitor", "db upgrade"), "no machine has this name"),
    # spool
    "the spool is missing": Condition(broken(SPOOL, gone), loses=True),
    "the spool is empty": Condition(broken(SPOOL, text("")), SERVES, FIX[0], FIX, loses=True),
    "the spool is a text": Condition(broken(SPOOL, text("x" * 9999)), SERVES, FIX[0], FIX, loses=True),
    "the spool is half": Condition(broken(SPOOL, half), SERVES, FIX[0], FIX, loses=True),
    "the spool has lost its state": Condition(broken(SPOOL, sql("DELETE FROM state")), SERVES, FIX[0], FIX),
    "the spool is of another version": Condition(
        broken(SPOOL, sql("ALTER TABLE state RENAME TO status")), SERVES, FIX[0], FIX),
    "the spool is a folder": Condition(changed(SPOOL, folder), SERVES, "a folder stands where"),
    "the spool is closed": Condition(closed(SPOOL), SERVES, CLOSED),
    "the spool is read-only": Condition(read_only(SPOOL), SERVES[:1], CLOSED),
    "the spool is locked": Condition(locked(SPOOL), SERVES, "another program holds the file"),
    "another service ships": Condition(lock_held(SPOOL + ".lock")),
    # output folder
    "the output is missing": Condition(
        changed("output", gone), strict=SERVES, said="the folder|player db upgrade|no database|Deleted rows: 0"),
    "the output is a file": Condition(changed("output", a_file), SERVES, "a file stands where a folder should be"),
    "the output is closed": Condition(closed("output"), SERVES, CLOSED),
    "the output is read-only": Condition(read_only("output"), SERVES[:1], CLOSED),
    "the output's disk is full": Condition(mounted("output", "full"), SERVES, "free some space"),
    "the output's disk is read-only": Condition(mounted("output", "ro"), SERVES[:1], "mount it for writing"),
    # a power cut, the kernel's memory killer, an impatient person
    "killed at once": Condition(killed(0.0, 0.2)),
    "killed soon": Condition(killed(0.2, 1.0)),
    "killed later": Condition(killed(1.0, 4.0)),
}  # fmt: skip
