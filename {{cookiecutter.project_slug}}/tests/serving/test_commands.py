"""`player serve`, as it is typed."""

import os
from typing import Any

import pytest
from click.testing import CliRunner, Result

from player.cli import main
from player.config import Settings
from player.model import store
from player.serving import service
from player.storage import migrations

VARIABLES = ("PLAYER_SERVER__HOST", "PLAYER_SERVER__PORT", "PLAYER_SERVER__DEBUG")


@pytest.fixture(name="steps")
def _steps(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the command did, in order; nothing is served, and its variables are forgotten afterwards."""
    steps: list[Any] = []
    for name in VARIABLES:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    for module, name in ((store, "check_current"), (migrations, "check"), (migrations, "upgrade")):
        monkeypatch.setattr(module, name, lambda _, name=name: steps.append(name))
    monkeypatch.setattr(service, "serve", lambda given: steps.append((given.server.host, given.server.port)))
    return steps


def serve(*arguments: str, environment: str = "testing") -> Result:
    """Run `player serve`."""
    return CliRunner().invoke(main, ["-e", environment, "serve", *arguments], catch_exceptions=False)


def test_it_prepares_and_serves(steps: list[Any]) -> None:
    """Where nobody depends on it the database is brought up to date first; the service says itself where it is."""
    result = serve()

    assert (0, "") == (result.exit_code, result.stdout)
    assert ["check_current", "upgrade", ("127.0.0.1", 5001)] == steps
    assert not set(VARIABLES) & set(os.environ)


def test_options_hold_for_the_worker_processes_too(steps: list[Any]) -> None:
    """They are passed on as variables."""
    serve("--host", "localhost", "--port", "7000", "--no-debug")

    assert ("localhost", 7000) == steps[-1]
    assert ["localhost", "7000", "false"] == [os.environ[name] for name in VARIABLES]


@pytest.mark.parametrize("port", ["0", "65536", "http"])
def test_what_is_no_port_is_refused(steps: list[Any], port: str) -> None:
    """Before anything is done."""
    assert (2, []) == (serve("--port", port).exit_code, steps)


def test_where_users_are_nothing_is_changed_on_the_way(steps: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Model and database are only looked at."""
    for name, key in (
        ("PLAYER_SIGNING_KEY", "9f8e7d6c5b4a39281706f5e4d3c2b1a0"),
        ("PLAYER_API_KEY", "0a1b2c3d4e5f6071" * 2),
    ):
        monkeypatch.setenv(name, key)

    serve(environment="acceptance")

    assert ["check_current", "check"] == steps[:-1]
