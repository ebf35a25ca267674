"""Production refuses to start with any of twelve unsafe settings: one line, at once, and nothing was started."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from player.model import saving, store
from player.training import Trained
from tests.postgres import free_port

SAFE = {
    "PLAYER_SIGNING_KEY": "qwertyuiopasdfghjklzxcvbnm0123456789",
    "PLAYER_API_KEY": "mnbvcxzlkjhgfdsapoiuytrewq9876543210",
}
UNSAFE = {
    "debug pages": ({"PLAYER_SERVER__DEBUG": "true"}, "debug off"),
    "no signing key": ({"PLAYER_SIGNING_KEY": ""}, "signing key"),
    "a short signing key": ({"PLAYER_SIGNING_KEY": "only-16-letters!"}, "signing key"),
    "no API key": ({"PLAYER_API_KEY": ""}, "API key"),
    "a sample key": ({"PLAYER_API_KEY": "change-me-change-me-change-me-change-me"}, "API key"),
    "one key for both": ({"PLAYER_API_KEY": SAFE["PLAYER_SIGNING_KEY"]}, "different keys"),
    "labels from anybody": ({"PLAYER_ACCESS__KEY_REQUIRED": "false"}, "key required"),
    "unsigned models": ({"PLAYER_MODEL__ALLOW_UNSIGNED": "true"}, "signed models only"),
    "a key file for all to read": ({"PLAYER_API_KEY": "", "PLAYER_API_KEY_FILE": "api.key"}, "key files private"),
    "values in the log": ({"PLAYER_LOGGING__SHOW_VALUES": "true"}, "values not in the log"),
    "a debug log": ({"PLAYER_LOGGING__LEVEL": "DEBUG"}, "no debug log"),
    "models among reports": ({"PLAYER_MODEL__FOLDER": "output"}, "model folder apart"),
    "a password in a file": (
        {"PLAYER_STORAGE__DATABASE_URL": "postgresql://a:b@127.0.0.1/x"}, "password not in a file"),
    "labels without limit": ({"PLAYER_ACCESS__LABELS_PER_MINUTE": "0"}, "labels limited"),
    "a file for high availability": ({"PLAYER_RATING__AVAILABILITY": "high"}, "database server"),
    "one worker": ({"PLAYER_RATING__AVAILABILITY": "medium", "PLAYER_SERVER__WORKERS": "1"}, "enough workers"),
    "open to the network": ({"PLAYER_SERVER__HOST": "0.0.0.0", "PLAYER_API_KEY": ""}, "reachable only with a key"),
    "losing rows in a power cut": (
        {"PLAYER_RATING__INTEGRITY": "high", "PLAYER_STORAGE__DURABILITY": "process"}, "rows survive a power cut"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNSAFE)
def test_production_refuses(name: str, home: Path, report: Callable[..., None]) -> None:
    """The line names the control that is not met, and the exit code is 2."""
    changed, control = UNSAFE[name]
    (home / "api.key").write_text(SAFE["PLAYER_API_KEY"], encoding="utf-8")
    (home / "api.key").chmod(0o644)
    variables = {key: value for key, value in (SAFE | changed).items() if value}
    command = [sys.executable, "-m", "player.cli", "-e", "production", "serve", "--port", str(free_port())]
    done = subprocess.run(command, env={**os.environ, **variables, "PYTHONPATH": str(Path(__file__).parents[2])},
                          cwd=home, capture_output=True, text=True, timeout=120, check=False)  # fmt: skip
    report(exit_code=done.returncode, lines=done.stderr.count("\n"))

    assert 2 == done.returncode, done.stderr
    assert 1 == done.stderr.count("\n"), done.stderr
    assert f"{control}:" in done.stderr
    assert "" == done.stdout


def test_production_starts_when_it_is_safe(
    home: Path, trained: Trained, monkeypatch: pytest.MonkeyPatch, start: Callable[..., object]
) -> None:
    """With none of them it starts, so that the refusals above mean something."""
    from player.config import load_settings
    from player.storage import migrations

    for name, value in SAFE.items():
        monkeypatch.setenv(name, value)
    settings = load_settings("production")
    store.activate(saving.save(trained, settings).version, settings)
    migrations.upgrade(settings)

    start(settings)
