"""Deletes what is older than `[storage].keep_days`: rows with their labels, in database and spool, backups, damage."""

import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Engine

from player.config import Settings
from player.storage.columns import to_text
from player.storage.local.spool import Spool
from player.storage.tables import Chapter, Label, Prediction

DAY = 24 * 3600


def forget(engine: Engine, spool: Spool, before: datetime) -> int:
    """Delete the predictions received before *before* with all their labels, and older labels; return how many rows.

    SQLite overwrites what it deletes (`secure_delete`), and its logs are emptied. PostgreSQL is told to clean up
    (`VACUUM`); it may reuse the place on its disk later.
    """
    old = sa.select(Prediction.request_id).where(Prediction.received_at < before)
    with engine.begin() as connection:
        labels = sa.delete(Label).where((Label.received_at < before) | Label.request_id.in_(old))
        deleted = connection.execute(labels).rowcount
        deleted += connection.execute(sa.delete(Prediction).where(Prediction.received_at < before)).rowcount
    spool.forget(before.timestamp())
    if deleted:
        clean_up(engine)
    return deleted


def forget_written_by(name: str, engine: Engine, spool: Spool) -> None:
    """Delete the predictions that *name* asked for and the labels that *name* sent, and no others."""
    with engine.begin() as connection:
        keys = connection.scalars(sa.select(Prediction.request_id).where(Prediction.client == name)).all()
        labels = connection.scalars(sa.select(Label.id).where(Label.sender == name)).all()
        connection.execute(sa.delete(Label).where(Label.sender == name))
        connection.execute(sa.delete(Prediction).where(Prediction.client == name))
        if keys:
            connection.execute(sa.delete(Chapter))  # the history told of rows that were never asked for
    spool.forget_keys("prediction", map(to_text, keys))
    spool.forget_keys("label", map(to_text, labels))


def clean_up(engine: Engine) -> None:
    """Leave as little as possible of deleted rows on the disk."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if engine.dialect.name == "sqlite":
            connection.execute(sa.text("PRAGMA wal_checkpoint(TRUNCATE)"))
        else:
            connection.execute(sa.text("VACUUM predictions, labels"))


def forget_files(settings: Settings, folder: Path, names: str = "*") -> None:
    """Delete the files in *folder* with such *names* that are older than the rows that may be kept."""
    if not settings.storage.keep_days:
        return
    oldest = time.time() - settings.storage.keep_days * DAY
    for path in folder.glob(names):
        with suppress(OSError):  # another process may have been faster
            if path.is_file() and path.stat().st_mtime < oldest:
                path.unlink()
