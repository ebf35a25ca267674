"""The tables in the database are those in the code, on both kinds of database."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.engine import make_url
from sqlalchemy.schema import CreateSchema

from player.config import Settings
from player.errors import StorageError
from player.storage.migrations import alembic_config, check, newest_revision, upgrade
from player.storage.tables import Base, create_engine_for
from tests.postgres import PASSWORD, _postgres, _postgres_url  # noqa: F401 - fixtures
from tests.storage_rows import select, with_database


@pytest.fixture(name="anywhere", params=["sqlite", "postgresql"])
def _anywhere(request: pytest.FixtureRequest, settings: Settings) -> Settings:
    """The settings with each of the two kinds of database, empty."""
    if request.param == "sqlite":
        return settings
    return with_database(settings, request.getfixturevalue("postgres_url"))


def test_the_migrations_make_what_the_code_describes(anywhere: Settings) -> None:
    """After an upgrade there is nothing left to change (`alembic check`); a second upgrade changes nothing."""
    upgrade(anywhere)
    upgrade(anywhere)
    engine = create_engine_for(anywhere)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        differences = compare_metadata(context, Base.metadata)
    engine.dispose()

    assert [] == differences
    assert [(newest_revision(),)] == select(anywhere, "SELECT version_num FROM alembic_version")


def test_four_processes_may_upgrade_at_once(anywhere: Settings) -> None:
    """One of them does it, the others find it done."""
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(upgrade, [anywhere] * 4))

    assert [(newest_revision(),)] == select(anywhere, "SELECT version_num FROM alembic_version")


def test_a_migration_that_breaks_leaves_nothing(anywhere: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """All tables or none: a crash half way does not block the next upgrade."""
    with monkeypatch.context() as patch:
        patch.setattr("alembic.op.create_index", lambda *args: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            upgrade(anywhere)

    upgrade(anywhere)

    assert [] == select(anywhere, "SELECT * FROM labels")


def test_what_is_not_ready_is_refused_with_what_to_do(anywhere: Settings) -> None:
    """A check changes nothing: it names the database and the command that helps."""
    with pytest.raises(StorageError, match="player db upgrade"):
        check(anywhere.model_copy(update={"environment": "production"}))

    upgrade(anywhere)

    if "sqlite" in anywhere.database_url.get_secret_value():
        check(anywhere)


def test_a_server_that_may_lose_rows_is_refused(settings: Settings, postgres_url: str) -> None:
    """PostgreSQL with fsync off, as in these tests, is not for users."""
    on_postgres = with_database(settings, postgres_url)
    upgrade(on_postgres)

    with pytest.raises(StorageError, match="fsync is off"):
        check(on_postgres)


def write_text(path: Path) -> None:
    """Make the database file a text."""
    path.write_text("this is no database" * 500, encoding="utf-8")


def truncate(path: Path) -> None:
    """Cut the database file in the middle."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("damage", [write_text, truncate, Path.unlink])
def test_a_damaged_file_is_refused_by_name(settings: Settings, damage: Callable[[Path], None]) -> None:
    """A missing or damaged database is named, and never replaced by an empty one."""
    upgrade(settings)
    path = Path(make_url(settings.database_url.get_secret_value()).database or "")
    damage(path)
    before = path.read_bytes() if path.exists() else None

    with pytest.raises(StorageError, match=r"testing\.db"):
        check(settings.model_copy(update={"environment": "production"}))

    assert before == (path.read_bytes() if path.exists() else None)


def test_schemas_of_one_database_are_databases_of_their_own(settings: Settings, postgres_url: str) -> None:
    """An address may end in `?options=-csearch_path%3D{environment}`: then each environment has a schema of its own."""
    for environment in ("development", "testing"):
        address = f"{postgres_url}?options=-csearch_path%3D{environment}"
        own = with_database(settings, address).model_copy(update={"environment": environment})
        engine = create_engine_for(with_database(settings, postgres_url))
        with engine.begin() as connection:
            connection.execute(CreateSchema(environment))
        engine.dispose()
        upgrade(own)

        assert [(environment,)] == select(own, "SELECT environment FROM owner")
        assert [("1min", "UTC")] == select(
            own, "SELECT current_setting('statement_timeout'), current_setting('timezone')"
        )


def test_an_unreachable_server_is_named_without_its_password(settings: Settings) -> None:
    """The error says where, and keeps the secret."""
    url = make_url("postgresql+psycopg://player@127.0.0.1:1/x").set(password=PASSWORD)
    with pytest.raises(StorageError, match=r"127\.0\.0\.1:1/x") as error:
        upgrade(with_database(settings, url.render_as_string(hide_password=False)))

    assert PASSWORD not in str(error.value)
    assert "\n" not in str(error.value)


def test_there_is_one_newest_migration(settings: Settings) -> None:
    """Two branches of migrations would not know which comes first."""
    upgrade(settings)
    command.heads(alembic_config())

    assert newest_revision() is not None
