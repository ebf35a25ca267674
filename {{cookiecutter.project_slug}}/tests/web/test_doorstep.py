"""What is refused by its head is refused as the application would refuse it, and costs no quota."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from player.app import create_app
from player.config import Settings
from player.web.doorstep import make_doorstep

KEY = "a key of thirty-two characters.."
WITH_KEY = {"Authorization": f"Bearer {KEY}"}
PER_MINUTE = 20
LARGE = 40_000  # counts as ten requests


@pytest.fixture(name="guarded")
def _guarded(model_settings: Settings) -> Iterator[Flask]:
    """An application that asks for a key and takes few requests a minute."""
    access = model_settings.access.model_copy(update={"key_required": True, "requests_per_minute": PER_MINUTE})
    key = type(model_settings.database_url)(KEY)
    app = create_app(model_settings.model_copy(update={"access": access, "api_key": key}))
    yield app
    app.extensions["player"].stop()


def head(app: Flask, path: str, size: int, headers: dict[str, str]) -> Any:
    """Return what the doorstep says to a request whose body of *size* bytes has not come."""
    here = {"REMOTE_ADDR": "127.0.0.1"}
    with app.test_request_context(path, method="POST", headers=headers, environ_base=here) as context:
        return make_doorstep(app)({**context.request.environ, "CONTENT_LENGTH": str(size)})


def test_a_request_without_its_key_is_refused_unread(guarded: Flask) -> None:
    """As the application refuses it, word for word; with the key its body is read."""
    refused = head(guarded, "/feedback", LARGE, {})
    as_ever = guarded.test_client().post("/feedback", json=[])

    assert 401 == refused.status_code
    assert (as_ever.get_data(), dict(as_ever.headers)) == (refused.get_data(), dict(refused.headers))
    assert head(guarded, "/feedback", LARGE, WITH_KEY) is None


def test_who_had_its_share_is_refused_unread(guarded: Flask) -> None:
    """A look takes nothing of the share: what is left can still be asked, and labels have a share of their own."""
    answers = [head(guarded, "/api", LARGE, WITH_KEY) for _ in range(5)]
    client = guarded.test_client()
    said = [client.post("/api", json={}, headers=WITH_KEY).status_code for _ in range(PER_MINUTE + 1)]
    refused = head(guarded, "/api", LARGE, WITH_KEY)

    assert [None] * 5 == answers
    assert [200] * PER_MINUTE + [429] == said
    assert (429, "60") == (refused.status_code, refused.headers["Retry-After"])
    assert head(guarded, "/feedback", LARGE, WITH_KEY) is None
