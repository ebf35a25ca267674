"""An environment that is not safe does not start, and says why in one line."""

from pathlib import Path

import pytest

from player.config import load_settings
from player.errors import ConfigError
from player.settings.controls import refuse_unsafe, unmet

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
