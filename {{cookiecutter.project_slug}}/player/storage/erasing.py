"""Deletes one request wherever its environment keeps it: spool, database, and the backups that can be rewritten."""

import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from player.config import Settings
from player.errors import StorageError
from player.storage.columns import to_text
from player.storage.database import advise
from player.storage.local.spool import Spool
from player.storage.migrations import check, upgrade
from player.storage.retention import clean_up
from player.storage.tables import Label, Prediction, create_engine_for


@dataclass(frozen=True)
class Erased:
    """How many rows are gone from where, and which files may still hold the request, as they cannot be rewritten."""

    spool: int
    database: int
    backups: int
    left: list[Path]


def erase(settings: Settings, request_id: str) -> Erased:
    """Delete the request *request_id* with all its labels; raises StorageError when something could not be deleted.

    The spool first, then the database, and both once more: a row may just be on its way from the one to the other.
    """
    check(settings) if settings.strict else upgrade(settings)
    power = settings.storage.durability == "power"
    spool = Spool(settings.path(settings.storage.spool), power, lenient=not settings.strict)
    engine = create_engine_for(settings)
    try:
        found = [(erase_spooled(spool, request_id), erase_stored(engine, request_id))]
        time.sleep(2 * settings.storage.ship_seconds)
        found.append((erase_spooled(spool, request_id), erase_stored(engine, request_id)))
        clean_up(engine)
    except SQLAlchemyError as error:
        raise StorageError(f"The request could not be erased: {advise(error, settings)}; try again.") from None
    finally:
        spool.close()
        engine.dispose()
    folder = settings.path(settings.storage.backup_folder)
    rewritten = sum(erase_in_backup(path, request_id) for path in sorted(folder.glob("*.db")))
    left = [*sorted(folder.glob("*.dump")), *sorted(spool.path.parent.glob(f"{spool.path.name}.damaged-*"))]
    return Erased(sum(one for one, _ in found), sum(two for _, two in found), rewritten, left)


def erase_spooled(spool: Spool, request_id: str) -> int:
    """Delete the request in the spool, when there is one; return how many rows."""
    return spool.erase(to_text(request_id)) if spool.path.exists() else 0


def erase_stored(engine: Engine, request_id: str) -> int:
    """Delete the request in the database; return how many rows."""
    with engine.begin() as connection:
        labels = connection.execute(sa.delete(Label).where(Label.request_id == request_id)).rowcount
        return labels + connection.execute(sa.delete(Prediction).where(Prediction.request_id == request_id)).rowcount


def erase_in_backup(path: Path, request_id: str) -> int:
    """Delete the request in a SQLite backup, its bytes overwritten; return how many rows."""
    key = to_text(request_id)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA secure_delete=ON")
        rows = connection.execute("DELETE FROM labels WHERE request_id = ?", (key,)).rowcount
        rows += connection.execute("DELETE FROM predictions WHERE request_id = ?", (key,)).rowcount
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return rows
