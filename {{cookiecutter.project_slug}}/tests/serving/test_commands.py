"""`player serve`, as it is typed."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from player.cli import main
from player.config import Settings, load_settings
from player.model import store
from player.serving import doctor, service, supervisor
from player.serving.commands import put_signing_key_away
from player.serving.doctor import Finding
from player.settings.public_keys import public_key_of
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
    monkeypatch.setattr(supervisor, "load_libraries", lambda: steps.append("libraries"))
    monkeypatch.setattr(service, "check_port", lambda given: steps.append(given.server.port))
    monkeypatch.setattr(service, "serve", lambda given: steps.append((given.server.host, given.server.port)))
    return steps


def serve(*arguments: str, environment: str = "testing") -> Result:
    """Run `player serve`."""
    return CliRunner().invoke(main, ["-e", environment, "serve", *arguments], catch_exceptions=False)


def test_it_prepares_and_serves(steps: list[Any]) -> None:
    """Where nobody depends on it the database is brought up to date first; the service says itself where it is.

    The port is looked at before what takes long, and libraries are loaded meanwhile.
    """
    result = serve()

    assert (0, "") == (result.exit_code, result.stdout)
    assert [5001, "libraries", "check_current", "upgrade", ("127.0.0.1", 5001)] == steps
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

    assert [5002, "libraries", "check_current", "check"] == steps[:-1]


def test_for_coding_no_worker_needs_libraries(steps: list[Any]) -> None:
    """Flask's own server is this one process."""
    serve("--debug", environment="development")

    assert [5000, "check_current", "upgrade", ("127.0.0.1", 5000)] == steps


def test_what_the_first_process_has_looked_at_its_child_does_not(
    steps: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flask's reloader runs the command again after each change of a file: the port is its own by then."""
    monkeypatch.setenv("WERKZEUG_RUN_MAIN", "true")
    serve("--debug", environment="development")

    assert [("127.0.0.1", 5000)] == steps


KEY = "9f8e7d6c5b4a39281706f5e4d3c2b1a0"
LISTED = "ab" * 32


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ({"PLAYER_SIGNING_KEY": KEY}, public_key_of(KEY)),
        ({"PLAYER_SIGNING_KEY_FILE": "{home}/key"}, public_key_of(KEY)),
        ({"PLAYER_SIGNING_KEY": KEY, "PLAYER_PUBLIC_KEYS": f"{LISTED} Ann"}, f"{LISTED} Ann"),
        ({"PLAYER_APPROVER_KEY": KEY}, ""),
        ({}, ""),
    ],
    ids=["a key", "a key in a file", "a key that is listed", "the key of a person", "no key"],
)
def test_what_answers_strangers_cannot_sign(
    home: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, str], left: str
) -> None:
    """It, and the processes that it starts, have the public keys alone; which ones count stays as it was."""
    (home / "key").write_text(KEY, encoding="utf-8")
    monkeypatch.setenv("PLAYER_PUBLIC_KEYS", "")  # forgotten afterwards
    monkeypatch.delenv("PLAYER_PUBLIC_KEYS")
    for name, value in given.items():
        monkeypatch.setenv(name, value.format(home=home))
    found = put_signing_key_away(load_settings("testing"))

    assert (None, None, left) == (found.signing_key, found.approver_key, found.public_keys)
    assert not [name for name in os.environ if name.startswith(("PLAYER_SIGNING", "PLAYER_APPROVER_"))]
    assert left == os.environ.get("PLAYER_PUBLIC_KEYS", "")


@pytest.mark.parametrize(
    ("finding", "code"),
    [
        (Finding("it", False, True, "Why.", "do"), 1),
        (Finding("it", False, False, "Why.", "", warns=True), 0),
        (Finding("it", True, True, "Why.", "do"), 0),
    ],
    ids=["missing", "a warning", "met"],
)
def test_only_what_is_missing_is_an_error(
    home: Path, monkeypatch: pytest.MonkeyPatch, finding: Finding, code: int
) -> None:
    """One of many is enough; a machine reads all that a person does."""
    asked: list[bool] = []
    well = Finding("other", True, True, "", "")
    monkeypatch.setattr(doctor, "examine", lambda _, fix: asked.append(fix) or [well, finding, well])
    for more in ((), ("--json", "--fix")):
        result = CliRunner().invoke(main, ["-e", "testing", "doctor", *more])
        assert code == result.exit_code
        if more:
            assert [vars(well), vars(finding), vars(well)] == json.loads(result.stdout)
        else:
            assert 3 == sum(not line.startswith(" ") for line in result.stdout.splitlines())

    assert [False, True] == asked
