"""Brings the database's tables to what the code expects, and says whether they are."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from player.config import Settings
from player.errors import StorageError
from player.storage.database import explain, shown_url
from player.storage.owner import check_owner, claim
from player.storage.tables import create_engine_for

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

    Raises StorageError when the database cannot be reached, is damaged, or belongs to another environment.
    """
    engine = create_engine_for(settings, create=True)
    try:
        with engine.connect() as connection:
            if revision(connection) != newest_revision():
                connection.rollback()
                migrate(connection)
            claim(connection, settings)
    except (SQLAlchemyError, OSError) as error:
        raise StorageError(
            f"The database {shown_url(settings)} cannot be prepared: {explain(error, settings)}."
        ) from None
    finally:
        engine.dispose()


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
    """Make the tables when the database of *engine* has none; where users depend on it, raise StorageError instead."""
    with engine.connect() as connection:
        if connection.dialect.has_table(connection, "owner"):
            check_owner(connection, settings)
            return
    if settings.strict:
        raise StorageError(f"The database {shown_url(settings)} has no tables, or old ones; run `player db upgrade`.")
    upgrade(settings)


def check(settings: Settings) -> None:
    """Raise StorageError, with what to do, when the database is not there, not up to date or not safe to use."""
    engine = create_engine_for(settings, create=False)
    try:
        with engine.connect() as connection:
            found = revision(connection)
            unsafe = unsafe_settings(connection)
            if found == newest_revision():
                check_owner(connection, settings)
    except (SQLAlchemyError, OSError) as error:
        raise StorageError(
            f"The database {shown_url(settings)} cannot be used: {explain(error, settings)}. "
            "A new one is made by `player db upgrade`."
        ) from None
    finally:
        engine.dispose()
    if found != newest_revision():
        raise StorageError(
            f"The database {shown_url(settings)} is at revision {found}, the code needs {newest_revision()}; "
            "run `player db upgrade`."
        )
    if unsafe:
        raise StorageError(f"PostgreSQL may lose rows: {', '.join(unsafe)}; switch it on in postgresql.conf.")


def revision(connection: Connection) -> str | None:
    """Return the revision the tables are at; None when there are none."""
    return MigrationContext.configure(connection).get_current_revision()


def newest_revision() -> str | None:
    """Return the revision of the newest migration."""
    return ScriptDirectory.from_config(alembic_config()).get_current_head()


def unsafe_settings(connection: Connection) -> list[str]:
    """Return the settings of a PostgreSQL server with which a committed row may be lost."""
    if connection.dialect.name != "postgresql":
        return []
    found = {name: connection.exec_driver_sql(f"SHOW {name}").scalar_one() for name in UNSAFE}
    return [f"{name} is {value}" for name, value in found.items() if value == UNSAFE[name]]
