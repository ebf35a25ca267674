"""Copies the database and the models of an environment to another place, while the service goes on."""

import os
import shutil
import sqlite3
import subprocess
import tarfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.engine import URL, make_url

from player.config import Settings
from player.errors import StorageError
from player.settings.remedies import LOCKED, of_postgresql, of_system
from player.storage.database import advise
from player.storage.retention import forget_files

MOST_SECONDS, LOCKED_SECONDS = 3600, 60


def back_up(settings: Settings, folder: Path) -> list[Path]:
    """Write database and models into *folder* and return the two files; each appears whole or not at all.

    Backups that are older than [storage].keep_days are deleted: they hold what must no longer be there. Raises
    StorageError.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    url = make_url(settings.database_url.get_secret_value())
    stamp = f"{settings.environment}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    models = settings.path(settings.model.folder) / settings.environment
    try:
        if url.get_backend_name() == "sqlite":
            database = whole(folder / f"{stamp}.db", lambda part: copy_sqlite(Path(url.database or ""), part))
        else:
            database = whole(folder / f"{stamp}.dump", lambda part: dump_postgresql(url, part))
        packed = whole(folder / f"{stamp}-models.tar.gz", lambda part: pack(models, part))
    except (OSError, sqlite3.Error) as error:
        why = of_system(error) if isinstance(error, OSError) else advise(error, settings)
        raise StorageError(f"The backup into {folder} failed: {why}.") from None
    forget_files(settings, folder)
    return [database, packed]


def whole(path: Path, write: Callable[[Path], None]) -> Path:
    """Let *write* make the file under another name, readable by its owner alone, then give it its own; return it."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.touch(mode=0o600)
        write(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def copy_sqlite(source: Path, target: Path) -> None:
    """Copy a SQLite file as it is at one moment, also while others write to it (sqlite.org/backup.html).

    Raises StorageError when another program lets nobody read for a minute.
    """
    until = time.monotonic() + LOCKED_SECONDS

    def give_up(status: int, _left: int, _total: int) -> None:
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) and time.monotonic() > until:
            raise StorageError(f"{source} could not be copied: {LOCKED}.")

    with closing(sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True)) as here, \
         closing(sqlite3.connect(target)) as there:  # fmt: skip
        here.backup(there, progress=give_up)


def dump_postgresql(url: URL, target: Path) -> None:
    """Let PostgreSQL's own program write the dump; the password goes through the environment, where nobody sees it."""
    if shutil.which("pg_dump") is None:
        raise StorageError("pg_dump is not installed; it comes with PostgreSQL's client programs.")
    plain = URL.create("postgresql", url.username, None, url.host, url.port, url.database, url.query)
    variables = {**os.environ, "PGPASSWORD": url.password or ""}
    command = ["pg_dump", "--format=custom", f"--file={target}", plain.render_as_string()]
    done = subprocess.run(  # noqa: S603 - our own command, no shell
        command, env=variables, capture_output=True, text=True, timeout=MOST_SECONDS, check=False
    )
    if done.returncode:
        said = " ".join(done.stderr.split())
        raise StorageError(f"pg_dump failed: {of_postgresql(said) or said[:300]}")


def pack(folder: Path, target: Path) -> None:
    """Write a folder, without its hidden files, into an archive."""
    with tarfile.open(target, "w:gz") as archive:
        for path in sorted(folder.glob("[!.]*")):
            archive.add(path, path.name)
