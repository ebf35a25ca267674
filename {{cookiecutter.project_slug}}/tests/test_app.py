"""What holds for every route of the application."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from player.app import create_app
from player.config import Settings, load_settings


def test_nobody_is_sent_elsewhere(client: FlaskClient) -> None:
    """A customer follows no redirect, so a path with too many slashes is simply not there."""
    assert 404 == client.get("/health//live").status_code


def test_an_answer_is_written_in_the_order_it_was_made(client: FlaskClient) -> None:
    """The prediction stands before what is said about it."""
    keys = list(client.post("/api", json={"request_id": "a", "features": {}}).get_json())

    assert keys.index("request_id") < keys.index("pred") < keys.index("proba") < keys.index("degraded")


def test_without_settings_those_of_the_environment_are_taken(
    model_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a server calls it, which knows nothing of settings."""
    monkeypatch.setenv("PLAYER_ENV", model_settings.environment)
    app = create_app()
    components = app.extensions["player"]
    components.stop()

    assert (model_settings.environment, model_settings.home) == (
        components.settings.environment,
        components.settings.home,
    )


@pytest.mark.parametrize("debug", [False, True])
def test_a_debugger_sees_the_error_itself(home: Path, debug: bool) -> None:
    """Everybody else gets an answer that tells nothing."""
    settings = load_settings("development")
    server = settings.server.model_copy(update={"debug": debug})
    app = create_app(settings.model_copy(update={"server": server}))
    app.extensions["player"].stop()

    assert debug == app.config["DEBUG"]
    assert debug == (Exception not in app.error_handler_spec[None][None])
