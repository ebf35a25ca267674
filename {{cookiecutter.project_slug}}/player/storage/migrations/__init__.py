"""Brings the database's tables to what the code expects, and says whether they are."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from player.config import Settings
from player.errors import DatabaseAway, StorageError, TablesOutdated
from player.settings.remedies import is_away
from player.storage.database import advise, shown_url, within
from player.storage.owner import check_owner, claim
from player.storage.tables import create_engine_for

CHECK_SECONDS = 10.0
UNSAFE = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
ONE_AT_A_TIME = 7_301_774  # any number: who upgrades a PostgreSQL database holds the lock of this number


def alembic_config() -> Config:
    """Return Alembic's configuration: the folder with the migrations is this one."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def upgrade(settings: Settings) -> None:
    """Bring the tables to the newest revision; a missing SQLite file is made. Does nothing when they are there.

    Raises StorageError with what to do when it is damaged or belongs to another environment: DatabaseAway when it
    cannot be reached now.
    """
    engine = create_engine_for(settings, create=True)
    try:
        with engine.connect() as connection:
            found = revision(connection)
            if found not in known_revisions():
                raise another_revision(found, settings)
            if found != newest_revision():
                connection.rollback()
                migrate(connection)
            claim(connection, settings)
    except (SQLAlchemyError, CommandError, OSError) as error:
        raise trouble(error, settings, "prepared") from None
    finally:
        engine.dispose()


def trouble(error: Exception, settings: Settings, wanted: str) -> StorageError:
    """Return what to raise for an *error* of the database: which one, what stopped it, what to do."""
    kind = DatabaseAway if is_away(error) else StorageError
    return kind(f"The database {shown_url(settings)} cannot be {wanted}: {advise(error, settings)}.")


def migrate(connection: Connection) -> None:
    """Run the migrations in one transaction, one process at a time."""
    # By hand, because Python's SQLite driver starts no transaction for CREATE TABLE.
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({ONE_AT_A_TIME})")
    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    connection.commit()


def prepare(settings: Settings, engine: Engine) -> None:
    """Bring the tables of *engine* up to date; where users depend on them, raise StorageError instead."""
    with engine.connect() as connection:
        found = revision(connection)
        if found == newest_revision():
            check_owner(connection, settings)
            return
    if settings.strict:
        raise another_revision(found, settings)
    upgrade(settings)


def check(settings: Settings) -> None:
    """Raise StorageError, with what to do, when the database is not there, not up to date or not safe to use.

    It is a DatabaseAway when the database cannot be reached now.
    """
    engine = create_engine_for(settings, create=False)
    try:
        found, unsafe = within(CHECK_SECONDS, look, engine, settings)
    except (SQLAlchemyError, OSError) as error:
        raise trouble(error, settings, "used") from None
    finally:
        engine.dispose()
    if found != newest_revision():
        raise another_revision(found, settings)
    if unsafe:
        raise StorageError(f"PostgreSQL may lose rows: {', '.join(unsafe)}; switch it on in postgresql.conf.")


def look(engine: Engine, settings: Settings) -> tuple[str | None, list[str]]:
    """Return the revision of the tables and the settings that may lose a row; StorageError for another owner."""
    with engine.connect() as connection:
        found, unsafe = revision(connection), unsafe_settings(connection)
        if found == newest_revision():
            check_owner(connection, settings)
        return found, unsafe


def another_revision(found: str | None, settings: Settings) -> StorageError:
    """Return what to raise, with what to do, for tables at another revision: newer ones cannot be mended here."""
    where = f"The database {shown_url(settings)}"
    if found is None:
        return TablesOutdated(f"{where} has no tables yet; run `player db upgrade`.")
    if found in known_revisions():
        return TablesOutdated(
            f"{where} is at revision {found}, the code needs {newest_revision()}; run `player db upgrade`."
        )
    return StorageError(f"{where} is at revision {found}, which is newer than this code: install the code that goes "
                        "with it, or restore the backup from before the upgrade.")  # fmt: skip


def revision(connection: Connection) -> str | None:
    """Return the revision the tables are at; None when there are none."""
    return MigrationContext.configure(connection).get_current_revision()


def newest_revision() -> str | None:
    """Return the revision of the newest migration."""
    return ScriptDirectory.from_config(alembic_config()).get_current_head()


def known_revisions() -> set[str | None]:
    """Return every revision that this code can bring to the newest one; None is that of a database without tables."""
    return {None, *(script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions())}


def unsafe_settings(connection: Connection) -> list[str]:
    """Return the settings of a PostgreSQL server with which a committed row may be lost."""
    if connection.dialect.name != "postgresql":
        return []
    found = {name: connection.exec_driver_sql(f"SHOW {name}").scalar_one() for name in UNSAFE}
    return [f"{name} is {value}" for name, value in found.items() if value == UNSAFE[name]]
