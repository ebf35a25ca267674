"""A database serves one environment, and `fill` deletes only what it wrote."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from player.cli import main
from player.config import Settings, load_settings
from player.errors import StorageError
from player.storage import queries
from player.storage.migrations import check, upgrade
from player.storage.tables import Owner, create_engine_for
from player.storage.writer import PredictionRow, Writer

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(name="shared")
def _shared(home: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Production and testing with one address for both, where production has 30 rows; the settings of production."""
    monkeypatch.setenv("PLAYER_DATABASE_URL", "sqlite:///output/shared.db")
    production = load_settings("production")
    upgrade(production)
    writer = Writer(production)
    writer.start()
    writer.put_predictions([PredictionRow(f"r{i}", NOW, "m", 1, 0.5, False, {}, [], 1.0, "user") for i in range(30)])
    writer.stop()
    return production


def rows(settings: Settings) -> list[str]:
    """Return the ids in the database."""
    engine = create_engine_for(settings)
    found = queries.recent(engine, 1000)["request_id"].tolist()
    engine.dispose()
    return sorted(map(str, found))


@pytest.mark.parametrize("command", [["-e", "testing", "fill"], ["-e", "testing", "db", "upgrade"]])
def test_no_other_environment_touches_the_rows_of_production(shared: Settings, command: list[str]) -> None:
    """One address for two environments is a mistake that is told before anything happens."""
    before = rows(shared)
    result = CliRunner().invoke(main, command)

    assert result.exit_code == 1
    assert "belongs to production, and this is testing" in result.stderr
    assert result.stderr.count("\n") == 1
    assert before == rows(shared)
    assert 30 == len(before)


def test_the_four_environments_do_not_share_one_either(shared: Settings, keys: Path) -> None:
    """`player dtap` fills three of them: it ends before it writes anything."""
    before = rows(shared)
    result = CliRunner().invoke(main, ["dtap", "--prepare"])

    assert result.exit_code == 1
    assert "belongs to production, and this is development" in result.stderr
    assert before == rows(shared)


def test_rows_that_wait_are_not_shipped_into_the_database_of_another(shared: Settings) -> None:
    """They stay in the spool, which says why, until the address is right."""
    testing = Writer(load_settings("testing"))
    testing.start()
    testing.put_predictions([PredictionRow("foreign", NOW, "m", 1, 0.5, False, {}, [], 1.0, "user")])
    testing.ship()
    status = testing.status()
    testing.stop()

    assert 1 == status["spooled"]
    assert "belongs to production" in status["last_error"]
    assert "foreign" not in rows(shared)


def test_a_database_from_before_belongs_to_whose_models_it_recorded(shared: Settings) -> None:
    """Nobody else claims it first."""
    engine = create_engine_for(shared)
    queries.add_model(
        engine, version="v", created_at=NOW, sha256="", rows=1, metrics={}, note="", environment="production"
    )
    with engine.begin() as connection:
        connection.execute(sa.delete(Owner))
    engine.dispose()

    with pytest.raises(StorageError, match="belongs to production"):
        upgrade(load_settings("testing"))
    upgrade(shared)
    check(shared)
