"""Who asks, how much it counts, and when a signature or a share of a minute is over: at the bounds."""

import time
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr
from werkzeug.exceptions import Forbidden, TooManyRequests, Unauthorized

from player.config import Settings
from player.settings.api_keys import fingerprint
from player.web import access, quota, signature
from player.web.access import COUNTED_BYTES, OPEN, caller, check_key, given_key, weight
from player.web.quota import SLOTS, TRIES, Quota


@pytest.mark.parametrize(
    ("body", "query", "counts"),
    [
        (0, 0, 1),
        (COUNTED_BYTES - 1, 0, 1),
        (COUNTED_BYTES, 0, 2),
        (COUNTED_BYTES - 10, 10, 2),
        (0, COUNTED_BYTES, 2),
        (3 * COUNTED_BYTES, 0, 4),
    ],
)
def test_a_large_request_counts_for_several(body: int, query: int, counts: int) -> None:
    """Whether it is large in its body or its query."""
    with Flask("x").test_request_context("/", method="POST", data=b"x" * body, query_string="q" * query):
        assert counts == weight()


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ({}, ""),
        ({"Authorization": "Bearer word"}, "word"),
        ({"Authorization": "Basic YW55Ym9keTp3b3Jk"}, "word"),
        ({"Authorization": "Basic YW55Ym9keTo="}, ""),
        ({"Authorization": "Digest username=x"}, ""),
    ],
    ids=["none", "bearer", "a browser's login", "a login without a password", "another kind"],
)
def test_a_key_comes_as_a_token_or_a_password(headers: dict[str, str], key: str) -> None:
    """Programs send the one, browsers the other."""
    with Flask("x").test_request_context("/", headers=headers, environ_base={"REMOTE_ADDR": "192.0.2.7"}):
        assert key == given_key()
        assert {"word": "key Ann", "": "192.0.2.7"}[key] == caller({fingerprint("word"): "key Ann"})
        assert key == "" or f"key {fingerprint('word')[:8]}" == caller({})


@pytest.mark.parametrize(
    ("required", "predicting", "endpoint", "key", "is_refused"),
    [
        (False, False, "api.feedback", "", False),
        (True, False, "api.feedback", "", True),
        (True, False, "api.feedback", "word", False),
        (True, False, "api.feedback", "ward", True),
        (True, False, "api.predict", "", False),
        (True, True, "api.predict", "", True),
        (True, True, "api.predict", "word", False),
        (True, True, "api.live", "", False),
        (True, True, None, "", False),
    ],
)
def test_a_key_is_asked_for_where_it_is_needed(
    settings: Settings, required: bool, predicting: bool, endpoint: str | None, key: str, is_refused: bool
) -> None:
    """Nobody needs one to ask how the service is, or to be told that there is no such page."""
    changes = {"key_required": required, "predict_key_required": predicting}
    one = settings.model_copy(update={"access": settings.access.model_copy(update=changes)})
    app = Flask("x")
    if endpoint:
        app.add_url_rule("/", endpoint, lambda: "")
    refused = pytest.raises(Unauthorized, match="PLAYER_API_KEY") if is_refused else nullcontext()
    with app.test_request_context("/", headers={"Authorization": f"Bearer {key}"} if key else {}), refused:
        check_key(one, {fingerprint("word"): "key Ann"})


def test_what_is_open_without_a_key_is_no_more_than_this(client: FlaskClient) -> None:
    """Labels, counters and the dashboard are closed; a new page is, too, until somebody decides about it."""
    closed = {"api.feedback", "api.show_metrics", "dashboard.show", "dashboard.feature", "dashboard.answer"}

    assert closed == set(client.application.view_functions) - set(OPEN)


@pytest.mark.parametrize(
    ("method", "origin", "is_refused"),
    [
        ("POST", "http://evil.example", True),
        ("POST", "http://localhost", False),
        ("POST", "https://localhost", False),
        ("POST", "localhost", True),
        ("POST", None, False),
        ("GET", "http://evil.example", False),
        ("HEAD", "http://evil.example", False),
        ("OPTIONS", "http://evil.example", False),
        ("DELETE", "http://evil.example", True),
    ],
)
def test_a_browser_changes_nothing_for_another_site(method: str, origin: str | None, is_refused: bool) -> None:
    """To look is harmless; who is no browser says no origin."""
    refused = pytest.raises(Forbidden) if is_refused else nullcontext()
    with Flask("x").test_request_context("/", method=method, headers={"Origin": origin} if origin else {}), refused:
        access.check_origin()


@pytest.mark.parametrize(
    ("seconds", "is_refused"), [(0, False), (300, False), (-300, False), (301, True), (-301, True)]
)
def test_a_signature_holds_for_five_minutes(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, seconds: int, is_refused: bool
) -> None:
    """Clocks differ, to either side; a request that somebody kept is not answered later."""
    monkeypatch.setattr(signature, "time", SimpleNamespace(time=lambda: 1_000_000.0))
    at = str(1_000_000 + seconds)
    headers = {"X-Customer-Time": at, "X-Customer-Signature": signature.sign("word", at, "/api", b"{}")}
    app = Flask("x")
    app.add_url_rule("/api", "api.predict", lambda: "", methods=["POST"])
    one = settings.model_copy(update={"customer_key": SecretStr("word")})
    refused = pytest.raises(Unauthorized, match="300 seconds") if is_refused else nullcontext()
    with app.test_request_context("/api", method="POST", data=b"{}", headers=headers), refused:
        signature.check(one)


def test_callers_whose_places_are_taken_share_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So the file never grows: nobody gets more than a share, and each has its own as long as there is room."""
    monkeypatch.setattr(time, "time", lambda: 600.0)
    one = Quota(10, "labels", tmp_path / "quota")
    places = []
    for number in range(TRIES + 2):  # all of them would like the same place
        place = one.place_of(7 + number * SLOTS, 10)
        places.append(place // quota.SLOT.size)
        if number < TRIES:
            quota.SLOT.pack_into(one.memory, place, 7 + number * SLOTS, 10, 1)

    assert [*range(7, 7 + TRIES), 7, 7] == places
    assert 9 == one.place_of(7 + 2 * SLOTS, 10) // quota.SLOT.size, "who has a place keeps it"
    assert 7 == one.place_of(7 + 2 * SLOTS, 11) // quota.SLOT.size, "in the next minute all are free"
    assert 0 == one.place_of(2 * SLOTS, 10)


def test_who_shares_a_place_has_one_share_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever came first is remembered there."""
    monkeypatch.setattr(time, "time", lambda: 600.0)
    monkeypatch.setattr(Quota, "place_of", lambda *_: 0)
    one = Quota(10, "labels", tmp_path / "quota")
    one.take("a", 6)
    whose = quota.SLOT.unpack_from(one.memory, 0)[0]
    one.take("b", 4)
    with pytest.raises(TooManyRequests):
        one.take("a", 1)

    assert (whose, 10, 10) == quota.SLOT.unpack_from(one.memory, 0)


def test_the_counts_are_those_of_all_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has opened the same file; a later one finds what was counted."""
    monkeypatch.setattr(time, "time", lambda: 600.0)
    Quota(5, "labels", tmp_path / "a" / "quota").take("a", 3)
    other = Quota(5, "labels", tmp_path / "a" / "quota")
    other.take("a", 2)
    with pytest.raises(TooManyRequests):
        other.take("a", 1)

    assert SLOTS * quota.SLOT.size == (tmp_path / "a" / "quota").stat().st_size


def test_a_header_of_a_name_is_kept_short(client: FlaskClient) -> None:
    """It is for logs alone, and nothing of it can end a line."""
    answer = client.get("/health/live", headers={"X-Request-ID": "x" * 5000})

    assert len(answer.headers["X-Request-ID"]) <= 200
