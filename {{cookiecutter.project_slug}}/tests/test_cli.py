"""The commands do what they say, and every mistake is one line with an exit code."""

import errno
import json
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest
from click import unstyle
from click.testing import CliRunner, Result
from conftest import KEYS, PROJECT, clean_environment, scratch_project
from rich.cells import cell_len
from sklearn.datasets import load_breast_cancer

from player.cli import main, meaning, show
from player.config import ENVIRONMENTS, Settings, load_settings
from player.inspection import inspect
from player.model import store
from player.storage.local.rescue import open_spool
from player.training import read_table
from tests.postgres import free_port


def run(*arguments: str) -> Result:
    """Call `player` with *arguments*."""
    return CliRunner().invoke(main, list(arguments))


def test_train_makes_a_model_and_says_how_good_it_is(home: Path, settings: Settings) -> None:
    """`player train` ends with a current model and its metrics."""
    result = run("-e", "testing", "train")

    assert result.exit_code == 0, result.output
    assert "accuracy" in result.output
    assert store.pointer(settings) is not None
    assert "A model is there already" in run("-e", "testing", "train", "--if-missing").output


def test_another_table_needs_no_other_code(home: Path, settings: Settings) -> None:
    """`player train --data --label` learns from a table nobody wrote code for."""
    load_breast_cancer(as_frame=True).frame.to_csv(home / "cancer.csv", index=False)

    result = run("-e", "testing", "train", "--data", str(home / "cancer.csv"), "--label", "target")

    assert result.exit_code == 0, result.output
    assert "569 rows" in result.output


@pytest.mark.parametrize(
    ("content", "said"),
    [("a,b\n1,2\n", "no column 'repaid'"), ("", "cannot be read"), ("x,repaid\n" + "1,1\n" * 9, "only the value")],
)
def test_a_table_that_cannot_be_used_keeps_the_old_model(model_settings: Settings, content: str, said: str) -> None:
    """A bad table is refused in one line with exit code 1, and the old model stays."""
    before = store.pointer(model_settings)
    path = model_settings.home / "bad.csv"
    path.write_text(content, encoding="utf-8")

    result = run("-e", "testing", "train", "--data", str(path))

    assert result.exit_code == 1
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert before == store.pointer(model_settings)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_config_shows_where_each_value_comes_from(home: Path, environment: str) -> None:
    """`player config` prints every setting with its source, for each environment."""
    result = run("-e", environment, "config", "--json")
    shown = json.loads(result.output)

    assert result.exit_code == 0
    assert {"value": environment, "from": "start"} == shown["environment"]
    assert shown["server.host"]["from"] == "config/base.toml"


def test_config_masks_secrets(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No secret is printed, not even inside a database URL."""
    monkeypatch.setenv("PLAYER_API_KEY", "hidden-words")
    monkeypatch.setenv("PLAYER_DATABASE_URL", "postgresql://me:hidden-words@localhost/player")
    result = run("config")

    assert result.exit_code == 0, result.output
    assert "hidden-words" not in result.output


def test_doctor_names_what_is_missing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`player doctor` exits with 1 in production without secrets, and says the fix."""
    monkeypatch.setenv("PLAYER_SERVER__PORT", str(free_port()))  # the usual one may be somebody's
    result = run("-e", "production", "doctor")

    assert result.exit_code == 1
    assert "set PLAYER_SIGNING_KEY" in result.output
    assert run("-e", "development", "doctor").exit_code == 0


def test_serve_refuses_an_unsafe_production_in_one_line(home: Path) -> None:
    """Without secrets production does not start."""
    result = run("-e", "production", "serve")

    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1


def test_batch_scores_a_file(model_settings: Settings, table: pd.DataFrame) -> None:
    """`player batch` writes every row with its answer."""
    source, target = model_settings.home / "in.csv", model_settings.home / "out.csv"
    table.head(50).to_csv(source, index=False)

    result = run("-e", "testing", "batch", str(source), str(target))

    assert result.exit_code == 0, result.output
    assert len(pd.read_csv(target)) == 50


def test_a_wrong_environment_is_refused_in_one_line(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong PLAYER_ENV names the allowed ones and exits with 2."""
    monkeypatch.setenv("PLAYER_ENV", "prod")
    result = run("config")

    assert result.exit_code == 2
    assert "allowed: development, testing, acceptance, production" in result.stderr


def test_a_path_may_hold_any_character(table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is in the project, whatever its folder is called."""
    home = scratch_project(tmp_path / "what? 100% [mine] #1")
    clean_environment(monkeypatch, home)

    assert run("-e", "testing", "db", "upgrade").exit_code == 0
    assert (home / "output" / "testing.db").is_file()
    assert run("-e", "testing", "db", "backup").exit_code == 0
    assert ["what? 100% [mine] #1"] == [path.name for path in tmp_path.iterdir()]


def test_production_writes_for_its_own_user_alone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Database, spool, backups and their folders are closed to others."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    assert run("-e", "production", "db", "upgrade").exit_code == 0
    assert run("-e", "production", "db", "backup").exit_code == 0
    spool = open_spool(load_settings("production"))
    spool.open()
    spool.close()

    written = [path for path in (home / "output").rglob("*") if path.name != ".gitkeep"]
    assert 4 <= len(written)
    assert [] == [path for path in written if path.stat().st_mode & 0o077]


@pytest.mark.parametrize("command", ["monitor", "retrain", "fill"])
def test_a_database_of_another_program_is_one_line(model_settings: Settings, command: str) -> None:
    """A command that finds no database where one should be says so in one sentence."""
    (model_settings.home / "output" / "testing.db").write_bytes(b"no database" * 1000)

    result = run("-e", "testing", command)

    assert result.exit_code == 1, result.output
    assert "the file is damaged: move it away and restore the newest backup" in result.stderr


def test_a_command_begins_without_what_it_does_not_need() -> None:
    """Pandas and scikit-learn take seconds to load: `--help`, `config` and what `serve` checks do without them."""
    heavy = "[name for name in ('pandas', 'sklearn') if name in sys.modules]"
    code = f"import sys; import player.cli, player.serving.checks; print({heavy})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT)

    assert "[]" == done.stdout.strip()


def test_a_disk_that_fails_is_told_with_its_file_and_what_to_do() -> None:
    """The same sentence for every command, wherever the error came from."""
    full = OSError(errno.ENOSPC, "No space left on device", "output/x.csv")

    assert "output/x.csv: the disk is full: free some space" == meaning(full, "testing")
    assert "no name at all" == meaning(OSError("no name at all"), "testing")


@pytest.mark.parametrize(("terminal", "widest"), [(True, 60), (False, 160)])
def test_a_table_is_as_wide_as_its_reader_sees(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, terminal: bool, widest: int
) -> None:
    """A terminal has an edge; a file has none, and there nothing is folded."""
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "60")
    file = StringIO()
    monkeypatch.setattr(file, "isatty", lambda: terminal, raising=False)
    show(inspect(read_table(settings.path(settings.data.train)), settings.data), file)

    wide = max(cell_len(line) for line in unstyle(file.getvalue()).splitlines())
    assert wide <= widest
    assert (wide > 60) != terminal
