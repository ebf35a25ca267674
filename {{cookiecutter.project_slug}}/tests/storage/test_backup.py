"""A backup is whole, holds everything, is nobody else's to read, and disturbs nobody."""

import sqlite3
import subprocess
import tarfile
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner
from sqlalchemy.engine import make_url

from player.cli import main
from player.config import Settings
from player.errors import StorageError
from player.model import store
from player.storage.backup import back_up
from player.storage.writer import Writer
from tests.postgres import PASSWORD, Postgres, _postgres, _postgres_url, find_program  # noqa: F401 - fixtures
from tests.storage_rows import prediction, with_database


def filled(settings: Settings) -> Writer:
    """Return a writer that put fifty rows into the database."""
    writer = Writer(settings)
    writer.put_predictions([prediction(f"r{n}") for n in range(50)])
    writer.ship()
    return writer


def test_sqlite_is_copied_while_it_is_written(model_settings: Settings) -> None:
    """The command writes both files, and the service goes on writing; only the owner can read them."""
    writer = filled(model_settings)
    result = CliRunner().invoke(main, ["-e", "testing", "db", "backup"])
    writer.put_prediction(prediction("later"))
    writer.ship()
    writer.stop()
    files = sorted((model_settings.home / "output" / "backups" / "testing").iterdir())

    assert result.exit_code == 0, result.output
    assert [".gz", ".db"] == [path.suffix for path in files]
    assert {0o600} == {path.stat().st_mode & 0o777 for path in files}
    with closing(sqlite3.connect(files[1])) as copy:
        assert [(50,)] == copy.execute("SELECT count(*) FROM predictions").fetchall()
    with tarfile.open(files[0]) as archive:
        assert f"{store.current_manifest(model_settings).version}.pkl" in archive.getnames()
        assert "current.json" in archive.getnames()


def test_a_file_that_stays_locked_is_not_waited_for_without_end(
    model_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program that lets nobody read is named, and nothing half is left."""
    filled(model_settings).stop()
    monkeypatch.setattr("player.storage.backup.LOCKED_SECONDS", 0.1)
    with closing(sqlite3.connect(model_settings.home / "output" / "testing.db", isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StorageError, match="could not be copied: another program holds the file"):
            back_up(model_settings, tmp_path / "backups")

    assert [] == list((tmp_path / "backups").iterdir())


def test_postgresql_is_dumped_and_comes_back(
    model_settings: Settings, postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Into an empty database the dump brings every row; the password is in no file and no process list."""
    settings = with_database(model_settings, postgres.database())
    filled(settings).stop()
    monkeypatch.setenv("PATH", str(Path(find_program("pg_dump")).parent), prepend=":")
    dump, _ = back_up(settings, tmp_path / "backups")
    again = make_url(postgres.database()).set(drivername="postgresql").render_as_string(hide_password=False)
    subprocess.run([find_program("pg_restore"), f"--dbname={again}", str(dump)], check=True)

    with psycopg.connect(again) as connection:
        assert [(50,)] == connection.execute("SELECT count(*) FROM predictions").fetchall()
    assert PASSWORD.encode() not in dump.read_bytes()


def test_without_pg_dump_one_line_says_so(
    model_settings: Settings, postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It also leaves nothing half done."""
    monkeypatch.setenv("PATH", "")

    with pytest.raises(StorageError, match="pg_dump is not installed"):
        back_up(with_database(model_settings, postgres_url), tmp_path / "backups")

    assert [] == list((tmp_path / "backups").iterdir())


def test_a_database_that_is_not_there_is_no_backup(model_settings: Settings, tmp_path: Path) -> None:
    """An empty copy would be worse than none."""
    with pytest.raises(StorageError, match="failed"):
        back_up(model_settings, tmp_path / "backups")

    assert [] == list((tmp_path / "backups").iterdir())
