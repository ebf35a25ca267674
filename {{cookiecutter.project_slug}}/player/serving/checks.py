"""What is looked at before the port opens, by `player serve` and, beforehand, by `player doctor`: a sentence each."""

import json
import logging
import os
import shutil
import stat
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from player.config import Settings
from player.errors import ConfigError, DatabaseAway, ModelError, PlayerError, StorageError, TablesOutdated
from player.model import kept_rows, store
from player.serving.service import bind
from player.settings.remedies import of_path
from player.storage import migrations
from player.storage.database import sqlite_path
from player.storage.local.rescue import open_spool, prepare_spool
from player.trust import cage

log = logging.getLogger(__name__)

LEAST_FREE_MB = 200


def before_serving(settings: Settings) -> None:
    """Return when requests may come; raises PlayerError when they may not.

    A database that is only away does not stop it: rows wait in the spool, as they do when it goes away later.
    """
    if settings.strict:  # where users are, nothing is made or changed on the way
        store.check_current(settings)
        if trouble := CAGE.trouble(settings):
            log.warning("%s", trouble)
    else:
        with suppress(ModelError):  # an older model or the most frequent label answers; the log says why
            store.check_current(settings)
    prepare_spool(settings)
    try:
        migrations.check(settings) if settings.strict else migrations.upgrade(settings)
    except DatabaseAway as error:
        log.warning("%s Rows wait in the spool until it is back.", error)


@dataclass(frozen=True)
class Check:
    """One thing to look at: *look* raises PlayerError with what to do; *fix* mends it where that is safe.

    One that *warns* is for a person to weigh: it does not keep anything from starting. *how* says what there is.
    """

    name: str
    look: Callable[[Settings], None]
    fix: Callable[[Settings], object] | None = None
    warns: bool = False
    how: Callable[[], str] = str

    def trouble(self, settings: Settings) -> str:
        """Return what is wrong and what to do, "" when all is well."""
        try:
            self.look(settings)
        except PlayerError as error:
            return str(error)
        return ""


def look_at_model(settings: Settings) -> None:
    """Raise ModelError when the current model may not run here, or where users are and there is none."""
    if settings.strict or store.pointer(settings) is not None:
        store.check_current(settings)


def look_at_spool(settings: Settings) -> None:
    """Raise StorageError when the spool is damaged or cannot be used; one that is not there yet will be made."""
    spool = open_spool(settings)
    if spool.path.exists():
        try:
            spool.open()
        finally:
            spool.close()
        return
    made = ("it is not there",) if settings.strict else ("it is not there", "the folder")
    if (why := of_path(spool.path)) and not why.startswith(made):
        raise StorageError(f"The spool cannot be made: {why}.")


def look_at_database(settings: Settings) -> None:
    """Raise StorageError when the database cannot be used; a SQLite file that will be made is no trouble."""
    path = sqlite_path(settings)
    if path is None or path.exists() or settings.strict:
        with suppress(TablesOutdated):
            migrations.check(settings)


def look_at_tables(settings: Settings) -> None:
    """Raise TablesOutdated where nobody brings the tables up to date at the start."""
    if settings.strict:
        try:
            migrations.check(settings)
        except TablesOutdated:
            raise
        except StorageError:  # said of the database itself
            return


def look_at_disk(settings: Settings) -> None:
    """Raise StorageError when there is hardly any room for rows."""
    folder = settings.path(settings.storage.spool).parent
    if folder.is_dir() and (free := shutil.disk_usage(folder).free // 2**20) < LEAST_FREE_MB:
        raise StorageError(f"The disk of {folder} has {free} MB left: free some space.")


def look_at_log(settings: Settings) -> None:
    """Raise ConfigError when the log file cannot be written."""
    if settings.logging.file:
        path = settings.path(settings.logging.file)
        if (why := of_path(path)) and not why.startswith("it is not there"):
            raise ConfigError(f"The log file {path} cannot be written: {why}.")


def look_at_port(settings: Settings) -> None:
    """Raise ConfigError when the port cannot be had; that this very service has it already is no trouble."""
    if is_served(settings):
        return
    with bind(settings) as sock:
        try:
            sock.listen()
        except OSError as error:
            raise ConfigError(f"Cannot listen on port {settings.server.port}: {error.strerror}.") from None


def is_served(settings: Settings) -> bool:
    """Tell whether a service of this project and environment answers on the port."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    host = f"[{settings.server.host}]" if ":" in settings.server.host else settings.server.host
    address = f"http://{host}:{settings.server.port}/version"
    with suppress(OSError, ValueError, LookupError, TypeError), opener.open(address, timeout=2) as answer:
        said = json.load(answer)
        return bool(said["project"] == settings.project.name and said["environment"] == settings.environment)
    return False


def own_files(settings: Settings) -> Iterator[Path]:
    """Yield what an environment has written: database, spool, backups, log."""
    places = [settings.path(settings.storage.spool), sqlite_path(settings)]
    if settings.logging.file:
        places.append(settings.path(settings.logging.file))
    for place in places:
        if place is not None:
            yield from (path for path in place.parent.glob(f"{place.name}*") if path.is_file())  # no /dev/stdout
    backups = settings.path(settings.storage.backup_folder)
    if backups.is_dir():
        yield from (backups, *backups.rglob("*"))


def open_to_others(settings: Settings) -> list[Path]:
    """Return the files that other users of this machine may read or change."""
    if os.name != "posix" or not settings.strict:
        return []
    return [path for path in own_files(settings) if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)]


def look_at_modes(settings: Settings) -> None:
    """Raise StorageError when other users of this machine may read what was asked and answered."""
    if found := open_to_others(settings):
        raise StorageError(
            f"Other users of this machine may read {len(found)} files, such as {found[0]}: chmod go= them."
        )


def close_to_others(settings: Settings) -> None:
    """Take the rights of other users away."""
    for path in open_to_others(settings):
        path.chmod(path.stat().st_mode & ~(stat.S_IRWXG | stat.S_IRWXO))


def look_at_cage(_: Settings) -> None:
    """Raise ConfigError when a model that is tried here could do more than answer."""
    if lacks := cage.missing():
        raise ConfigError(
            f"A model that is tried on this system could reach {', '.join(lacks)}: promote on one where "
            "`player doctor` finds nothing here."
        )


def look_at_kept_rows(settings: Settings) -> None:
    """Raise ConfigError when the current model holds rows as they are, where nobody may see them."""
    with suppress(ModelError):  # said of the model itself
        said = kept_rows.warning(store.current_manifest(settings).globals, settings)
        if said:
            raise ConfigError(said)


CAGE = Check("trial in a cage", look_at_cage, warns=True, how=cage.described)
CHECKS = (
    Check("model", look_at_model),
    Check("spool", look_at_spool, lambda settings: prepare_spool(settings, rescuing=True)),
    Check("database", look_at_database),
    Check("tables", look_at_tables, migrations.upgrade),
    Check("room on the disk", look_at_disk),
    Check("log file", look_at_log),
    Check("files private", look_at_modes, close_to_others),
    Check("port free", look_at_port),
    Check("no rows in the model", look_at_kept_rows, warns=True),
    CAGE,
)
