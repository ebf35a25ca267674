"""Who is answered when the key of a tournament is set."""

import json
import time
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from customer.host.keys import signer
from player.app import create_app
from player.settings.loading import load_settings
from player.settings.sections import Settings

KEY = "1-0123456789abcdef0123456789abcdef"
BODY = json.dumps({"features": {"age": 42}}).encode()


@pytest.fixture(name="signed")
def _signed(model_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[FlaskClient]:
    """A client of a player that answers only the customer of its tournament."""
    monkeypatch.setenv("PLAYER_CUSTOMER_KEY", KEY)
    app = create_app(load_settings("testing"))
    yield app.test_client()
    app.extensions["player"].stop()


def test_what_the_customer_signs_is_answered(signed: FlaskClient) -> None:
    """Requests and labels signed by the tournament's own code get through; pages and health need no signature."""
    labels = json.dumps([{"request_id": "a", "label": 1}]).encode()

    assert 200 == signed.post("/api", data=BODY, headers=signer(KEY)("/api", BODY)).status_code
    assert 200 == signed.post("/feedback", data=labels, headers=signer(KEY)("/feedback", labels)).status_code
    assert 200 == signed.get("/health/live").status_code


@pytest.mark.parametrize("change", ["key", "body", "path", "old", "future", "words", "nothing", "time alone"])
def test_what_somebody_else_sends_is_refused(signed: FlaskClient, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    """Another key, another body, another path, an old signature or none at all: no answer, and the reason."""
    now = time.time()
    if change in ("old", "future"):
        monkeypatch.setattr("customer.host.keys.time.time", lambda: now + (-900 if change == "old" else 900))
    headers = signer("2-other" if change == "key" else KEY)("/feedback" if change == "path" else "/api", BODY)
    monkeypatch.undo() if change in ("old", "future") else None
    if change == "words":
        headers = {"X-Customer-Time": "now", "X-Customer-Signature": "é"}
    if change == "nothing":
        headers = {}
    if change == "time alone":
        headers["X-Customer-Time"] = str(int(headers["X-Customer-Time"]) + 1)
    answer = signed.post("/api", data=BODY + b" " if change == "body" else BODY, headers=headers)

    assert 401 == answer.status_code
    assert "signed" in answer.get_json()["detail"]


def test_without_the_key_everybody_is_answered(client: FlaskClient) -> None:
    """A player that plays on its own machine needs no signature."""
    assert 200 == client.post("/api", data=BODY).status_code
