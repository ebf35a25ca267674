"""An environment that is not safe does not start, and says why in one line."""

import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from pydantic import SecretStr

from player.config import load_settings
from player.errors import ConfigError
from player.settings import controls
from player.settings.controls import (
    CONTROLS,
    has_fresh_backup,
    key_files_private,
    only_this_machine,
    refuse_unsafe,
    strong,
    unmet,
)

GOOD = {
    "PLAYER_SIGNING_KEY": "9f8e7d6c5b4a39281706f5e4d3c2b1a0",
    "PLAYER_API_KEY": "0a1b2c3d4e5f60718293a4b5c6d7e8f9",
}


@pytest.fixture(name="safe")
def _safe(home: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Variables with which production starts."""
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.mark.parametrize("environment", ["development", "testing"])
def test_coding_and_testing_need_no_secrets(home: Path, environment: str) -> None:
    """Development and testing start as they are generated."""
    assert unmet(load_settings(environment)) == []


@pytest.mark.parametrize("environment", ["acceptance", "production"])
def test_a_safe_environment_starts(safe: pytest.MonkeyPatch, environment: str) -> None:
    """With two good keys every required control is met."""
    assert unmet(load_settings(environment)) == []


@pytest.mark.parametrize(
    ("variable", "value", "control"),
    [
        ("PLAYER_SERVER__DEBUG", "true", "debug off"),
        ("PLAYER_SIGNING_KEY", "", "signing key"),
        ("PLAYER_SIGNING_KEY", "short", "signing key"),
        ("PLAYER_SIGNING_KEY", "change-me-change-me-change-me-change-me", "signing key"),
        ("PLAYER_SIGNING_KEY", "a" * 64, "signing key"),
        ("PLAYER_API_KEY", "", "API key"),
        ("PLAYER_API_KEY", GOOD["PLAYER_SIGNING_KEY"], "different keys"),
        ("PLAYER_ACCESS__KEY_REQUIRED", "false", "key required"),
        ("PLAYER_MODEL__ALLOW_UNSIGNED", "true", "signed models only"),
        ("PLAYER_LOGGING__SHOW_VALUES", "true", "values not in the log"),
        ("PLAYER_LOGGING__LEVEL", "DEBUG", "no debug log"),
        ("PLAYER_MODEL__FOLDER", "data", "model folder apart"),
        ("PLAYER_ACCESS__LABELS_PER_MINUTE", "0", "labels limited"),
        ("PLAYER_STORAGE__DATABASE_URL", "postgresql://me:words@localhost/player", "password not in a file"),
    ],
)
def test_an_unsafe_production_is_refused(safe: pytest.MonkeyPatch, variable: str, value: str, control: str) -> None:
    """Each unsafe setting alone stops production, in one line that names the control and the fix."""
    safe.setenv(variable, value)

    with pytest.raises(ConfigError) as refusal:
        refuse_unsafe(load_settings("production"))

    assert control in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_key_file_that_others_can_read_is_refused(safe: pytest.MonkeyPatch, home: Path) -> None:
    """A key that every user of the machine can read is no secret."""
    path = home / "key"
    path.write_text(GOOD["PLAYER_API_KEY"], encoding="utf-8")
    path.chmod(0o644)
    safe.delenv("PLAYER_API_KEY")
    safe.setenv("PLAYER_API_KEY_FILE", str(path))

    assert [control.name for control in unmet(load_settings("production"))] == ["key files private"]


def test_listening_to_everybody_needs_a_key(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond this machine nobody is served without a key being set."""
    monkeypatch.setenv("PLAYER_SERVER__HOST", "0.0.0.0")

    assert "reachable only with a key" in [control.name for control in unmet(load_settings("production"))]


@pytest.mark.parametrize(
    ("concern", "variable", "value", "control"),
    [
        ("INTEGRITY", "PLAYER_STORAGE__DURABILITY", "process", "rows survive a power cut"),
        ("CONFIDENTIALITY", "PLAYER_STORAGE__KEEP_DAYS", "0", "retention"),
        ("AVAILABILITY", "PLAYER_SERVER__WORKERS", "1", "enough workers"),
        ("AVAILABILITY", "PLAYER_DATABASE_URL", "sqlite:///output/x.db", "database server"),
    ],
)
def test_a_high_rating_needs_its_control(
    safe: pytest.MonkeyPatch, concern: str, variable: str, value: str, control: str
) -> None:
    """What a high rating switches on cannot be switched off again."""
    safe.setenv(f"PLAYER_RATING__{concern}", "high")
    safe.setenv(variable, value)

    assert control in [missing.name for missing in unmet(load_settings("production"))]


ALWAYS = {
    "signing key",
    "API key",
    "different keys",
    "key required",
    "signed models only",
    "key files private",
    "password not in a file",
    "reachable only with a key",
    "model folder apart",
    "labels limited",
    "enough workers",
}  # where users are


@pytest.mark.parametrize(
    ("environment", "level", "needed"),
    [
        ("development", "low", set()),
        ("development", "high", {"values not in the log", "no copies for development"}),
        ("testing", "medium", {"debug off", "values not in the log"}),
        ("acceptance", "low", {*ALWAYS, "debug off", "values not in the log"}),
        (
            "acceptance",
            "medium",
            {*ALWAYS, "debug off", "values not in the log", "promotion says why", "key for predictions"},
        ),
        ("production", "low", {*ALWAYS, "debug off", "values not in the log", "no debug log"}),
        ("production", "high", {control.name for control in CONTROLS}),
    ],
)
def test_what_is_needed_grows_with_environment_and_rating(
    home: Path, monkeypatch: pytest.MonkeyPatch, environment: str, level: str, needed: set[str]
) -> None:
    """Nothing where somebody codes, everything where much depends on it."""
    for concern in ("CONFIDENTIALITY", "INTEGRITY", "AVAILABILITY"):
        monkeypatch.setenv(f"PLAYER_RATING__{concern}", level)
    settings = load_settings(environment)

    assert needed == {control.name for control in CONTROLS if control.required(settings)}


@pytest.mark.parametrize(("mode", "private"), [(0o600, True), (0o640, False), (0o604, False), (0o700, True)])
@pytest.mark.skipif(os.name != "posix", reason="elsewhere files have no mode")
def test_a_key_file_is_for_its_owner(home: Path, monkeypatch: pytest.MonkeyPatch, mode: int, private: bool) -> None:
    """Neither the group nor others may read it; without a file there is nothing to read."""
    assert key_files_private(load_settings("testing"))
    path = home / "testing.key"
    path.write_text(GOOD["PLAYER_API_KEY"], encoding="utf-8")
    path.chmod(mode)
    monkeypatch.setenv("PLAYER_API_KEY_FILE", str(home / "{environment}.key"))

    assert private == key_files_private(load_settings("testing"))


def test_where_files_have_no_mode_there_is_nothing_to_check(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """As on Windows."""
    settings = load_settings("testing")
    monkeypatch.setattr(controls, "os", SimpleNamespace(name="nt"))

    assert key_files_private(settings)


@pytest.mark.parametrize(
    ("hours", "age", "fresh"), [(0, None, True), (2, None, False), (2, 1.9, True), (2, 2.1, False)]
)
def test_a_backup_must_be_young_where_one_is_asked_for(home: Path, hours: int, age: float | None, fresh: bool) -> None:
    """Older ones beside it do not matter."""
    settings = load_settings("testing")
    storage = settings.storage.model_copy(update={"backup_hours": hours})
    folder = settings.path(storage.backup_folder)
    folder.mkdir(parents=True)
    for old in [age, 100.0] if age else []:
        path = folder / str(old)
        path.touch()
        os.utime(path, (time.time() - 3600 * old,) * 2)

    assert fresh == has_fresh_backup(settings.model_copy(update={"storage": storage}))


@pytest.mark.parametrize(
    ("host", "alone"),
    [("localhost", True), ("127.0.0.1", True), ("::1", True), ("0.0.0.0", False), ("example.org", False)],
)
def test_a_loopback_address_is_this_machine(host: str, alone: bool) -> None:
    """Any other, and any name but one, may be reached from elsewhere."""
    assert alone == only_this_machine(host)


@pytest.mark.parametrize(
    ("text", "good"),
    [("0123456789abcdef" * 2, True), ("0123456789abcdef" * 2 + "0", True), ("0123456789abcdef0123456789abcde", False),
     ("01234567" * 4, True), ("0123456" * 5, False)],
)  # fmt: skip
def test_a_strong_key_is_long_and_varied(text: str, good: bool) -> None:
    """At least 32 characters, eight of them different."""
    assert good == strong(SecretStr(text))
