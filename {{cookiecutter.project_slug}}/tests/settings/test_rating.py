"""The CIA rating: what each level switches on, that the documentation says so, and that `player doctor` sees it go."""

import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from conftest import KEYS

from player.cli import main
from player.config import ENVIRONMENTS, Settings, load_settings
from player.serving import checks
from player.settings.commands import flatten
from player.settings.controls import CONTROLS, SAMPLE_KEYS

PROJECT = Path(__file__).parents[2]
DOCUMENTED = re.compile(r"^\| \w+ \| ([\w, ]+) \| `([\w.]+) = (\w+)`", re.MULTILINE)
CONCERNS = ("CONFIDENTIALITY", "INTEGRITY", "AVAILABILITY")
POSTGRESQL = "postgresql://player@localhost/player"


@pytest.fixture(autouse=True)
def _controls_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """What else `player doctor` looks at (model, database, port) is not there, and not the subject."""
    monkeypatch.setattr(checks, "CHECKS", ())


def rate(patch: pytest.MonkeyPatch, level: str) -> None:
    """Set all three concerns to *level*."""
    for concern in CONCERNS:
        patch.setenv(f"PLAYER_RATING__{concern}", level)


def effective(patch: pytest.MonkeyPatch, level: str) -> dict[str, Any]:
    """Return every setting of every environment under a rating of *level*."""
    rate(patch, level)
    return {f"{name} {key}": value for name in ENVIRONMENTS for key, value in flatten(load_settings(name))}


@pytest.mark.parametrize("level", ["medium", "high"])
def test_the_documented_settings_are_all_that_differ(home: Path, monkeypatch: pytest.MonkeyPatch, level: str) -> None:
    """Low and a higher level differ in the settings of the table in docs/rating.md, and in nothing else."""
    low, higher = effective(monkeypatch, "low"), effective(monkeypatch, level)
    rows = DOCUMENTED.findall((PROJECT / "docs" / "rating.md").read_text(encoding="utf-8"))
    documented = {(setting, value) for levels, setting, value in rows if level in levels}

    changed = {(key.split()[1], str(value).lower()) for key, value in higher.items() if low[key] != value}

    assert documented == {(key, value) for key, value in changed if not key.startswith("rating.")}
    assert documented


@pytest.fixture(name="strictest")
def _strictest(home: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Production with the highest rating, where nothing is missing."""
    rate(monkeypatch, "high")
    approvers = f"{'a' * 64} ann\n{'b' * 64} bob"
    for name, value in {**KEYS, "PLAYER_DATABASE_URL": POSTGRESQL, "PLAYER_APPROVERS": approvers}.items():
        monkeypatch.setenv(name, value)
    backup = home / "output" / "backups" / "production" / "today.dump"
    backup.parent.mkdir(parents=True)
    backup.touch()
    return monkeypatch


def doctor(environment: str = "production") -> tuple[int, list[str]]:
    """Return the exit code of `player doctor` and the names of the required controls that it finds missing."""
    result = CliRunner().invoke(main, ["-e", environment, "doctor", "--json"])
    return result.exit_code, [row["control"] for row in json.loads(result.stdout) if row["required"] and not row["met"]]


def test_nothing_is_missing_in_the_strictest_production(strictest: pytest.MonkeyPatch) -> None:
    """The rating's own settings, two keys, a database server and a backup are enough."""
    assert (0, []) == doctor()


def variable(name: str, value: str) -> Callable[[pytest.MonkeyPatch, Path], None]:
    """Return what weakens a setting by a variable."""
    return lambda patch, home: patch.setenv(f"PLAYER_{name}", value)


def key_in_a_public_file(patch: pytest.MonkeyPatch, home: Path) -> None:
    """Let every user of the machine read a key."""
    path = home / "key"
    path.write_text(KEYS["PLAYER_API_KEY"], encoding="utf-8")
    path.chmod(0o644)
    patch.delenv("PLAYER_API_KEY")
    patch.setenv("PLAYER_API_KEY_FILE", str(path))


def no_api_key_beyond_this_machine(patch: pytest.MonkeyPatch, home: Path) -> None:
    """Listen to everybody, with a key that is none."""
    patch.setenv("PLAYER_SERVER__HOST", "0.0.0.0")
    patch.setenv("PLAYER_API_KEY", SAMPLE_KEYS[0])


def old_backup(patch: pytest.MonkeyPatch, home: Path) -> None:
    """Let the newest backup be a week old."""
    then = time.time() - 7 * 24 * 3600
    os.utime(home / "output" / "backups" / "production" / "today.dump", (then, then))


def weakened_by_the_environments_own_file(patch: pytest.MonkeyPatch, home: Path) -> None:
    """config/production.toml goes over the rating."""
    path = home / "config" / "production.toml"
    path.write_text(path.read_text(encoding="utf-8") + "\n[storage]\nkeep_days = 0\n", encoding="utf-8")


REMOVE: dict[str, Callable[[pytest.MonkeyPatch, Path], None]] = {
    "debug off": variable("SERVER__DEBUG", "true"),
    "signing key": variable("SIGNING_KEY", ""),
    "API key": variable("API_KEY", ""),
    "different keys": variable("API_KEY", KEYS["PLAYER_SIGNING_KEY"]),
    "key required": variable("ACCESS__KEY_REQUIRED", "false"),
    "key for predictions": variable("ACCESS__PREDICT_KEY_REQUIRED", "false"),
    "signed models only": variable("MODEL__ALLOW_UNSIGNED", "true"),
    "key files private": key_in_a_public_file,
    "password not in a file": variable("STORAGE__DATABASE_URL", "postgresql://me:words@localhost/player"),
    "reachable only with a key": no_api_key_beyond_this_machine,
    "values not in the log": variable("LOGGING__SHOW_VALUES", "true"),
    "no debug log": variable("LOGGING__LEVEL", "DEBUG"),
    "model folder apart": variable("MODEL__FOLDER", "data"),
    "labels limited": variable("ACCESS__LABELS_PER_MINUTE", "0"),
    "retention": weakened_by_the_environments_own_file,
    "no copies for development": variable("ACCESS__COPY_TO_DEVELOPMENT", "true"),
    "promotion says why": variable("PROMOTION__REASON_REQUIRED", "false"),
    "two people": variable("PROMOTION__FOUR_EYES", "false"),
    "two approvers": variable("APPROVERS", f"{'a' * 64} ann"),
    "rows survive a power cut": variable("STORAGE__DURABILITY", "process"),
    "no early labels": variable("ACCESS__EARLY_LABELS", "true"),
    "enough workers": variable("SERVER__WORKERS", "3"),
    "database server": variable("DATABASE_URL", "sqlite:///output/production.db"),
    "backups": variable("STORAGE__BACKUP_HOURS", "0"),
    "fresh backup": old_backup,
}
ALSO = {"reachable only with a key": ["API key"], "two people": ["two approvers"],
        "key required": ["key for predictions"]}  # fmt: skip  # what cannot be removed without it


@pytest.mark.parametrize("control", [control.name for control in CONTROLS])
def test_doctor_finds_each_control_that_was_removed(strictest: pytest.MonkeyPatch, home: Path, control: str) -> None:
    """Exactly the one that was removed, and an exit code that a script can see."""
    REMOVE[control](strictest, home)

    code, missing = doctor()

    assert (1, sorted([control, *ALSO.get(control, [])])) == (code, sorted(missing))


def test_doctor_says_why_and_what_to_do(strictest: pytest.MonkeyPatch, home: Path) -> None:
    """A person reads one line for each control, narrow enough for a terminal."""
    strictest.setenv("PLAYER_STORAGE__DURABILITY", "process")
    result = CliRunner().invoke(main, ["-e", "production", "doctor"])

    assert "MISSING" in result.output
    assert "rows survive a power cut" in result.output
    assert "set [storage].durability" in result.output
    assert max(len(line) for line in result.output.splitlines()) <= 80


def test_an_old_backup_does_not_keep_a_service_from_starting(strictest: pytest.MonkeyPatch, home: Path) -> None:
    """A service that is down because its backup is old helps nobody; everything else is refused."""
    from player.settings.controls import blocking

    old_backup(strictest, home)
    assert [] == blocking(load_settings("production"))
    strictest.setenv("PLAYER_STORAGE__BACKUP_HOURS", "0")
    assert ["backups"] == [control.name for control in blocking(load_settings("production"))]


@pytest.mark.parametrize("environment", ["development", "testing"])
def test_what_must_be_kept_secret_is_secret_everywhere(
    home: Path, monkeypatch: pytest.MonkeyPatch, environment: str
) -> None:
    """Where the rating is high, development and testing may not show values either."""
    rate(monkeypatch, "high")
    assert (0, []) == doctor(environment)
    monkeypatch.setenv("PLAYER_LOGGING__SHOW_VALUES", "true")

    assert (1, ["values not in the log"]) == doctor(environment)


def test_two_people_are_needed_only_where_users_are(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In development and testing one person tries things out alone."""
    rate(monkeypatch, "high")
    needed: list[Settings] = [load_settings(name) for name in ENVIRONMENTS]

    assert [False, False, True, True] == [settings.two_people for settings in needed]
