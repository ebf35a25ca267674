"""A request belongs to who made it: its id, its answer and its quota."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from werkzeug.exceptions import TooManyRequests

from player.app import create_app
from player.cli import main
from player.config import Settings, load_settings
from player.errors import ConfigError
from player.settings.api_keys import read_api_keys
from player.storage import queries
from player.web import quota
from player.web.quota import Quota

ANN = {"age": 42, "income": 31000, "purpose": "a secret of Ann"}
BOB = {"age": 20}
OTHER = {"REMOTE_ADDR": "10.0.0.9"}


def ask(app: Flask, features: dict[str, Any], request_id: str = "one", address: str = "127.0.0.1", **more: Any) -> Any:
    """Return the answer to a question that comes from *address*."""
    body = {"request_id": request_id, "features": features}
    return app.test_client().post("/api", json=body, environ_base={"REMOTE_ADDR": address}, **more)


def stored(app: Flask) -> Any:
    """Return the rows of the database."""
    components = app.extensions["player"]
    components.writer.ship()
    return queries.recent(components.engine, 100)


@pytest.mark.parametrize(("features", "address"), [(BOB, "127.0.0.1"), (ANN, "10.0.0.9"), (BOB, "10.0.0.9")],
                         ids=["another question", "another caller", "both"])  # fmt: skip
def test_an_id_that_was_used_gives_nobody_the_answer_of_another(
    app: Flask, features: dict[str, Any], address: str
) -> None:
    """The question is answered for itself, under a new id, and a warning says so; nothing of the first row is shown."""
    ask(app, ANN)
    other = ask(app, features, address=address)

    answer = other.get_json()
    assert (200, 36) == (other.status_code, len(answer["request_id"]))
    assert "used before for something else" in answer["warnings"][0]
    assert features == ANN or "secret" not in other.get_data(as_text=True)
    assert 2 == len(stored(app))


def test_two_applicants_under_one_trace_are_two(app: Flask) -> None:
    """A mesh gives both requests the same X-Request-ID; each gets an answer of its own."""
    trace = {"X-Request-ID": "one-trace"}
    ids = {
        app.test_client().post("/api", json={"features": each}, headers=trace).get_json()["request_id"]
        for each in (ANN, BOB)
    }

    assert 2 == len(ids) == len(stored(app))


def test_where_it_is_set_a_used_id_is_refused(model_settings: Settings) -> None:
    """409 says that the id was used, and nothing about by whom or for what."""
    access = model_settings.access.model_copy(update={"reused_ids": "refuse"})
    app = create_app(model_settings.model_copy(update={"access": access}))
    ask(app, ANN)
    again, other = ask(app, ANN), ask(app, BOB)
    app.extensions["player"].stop()

    assert (200, 409) == (again.status_code, other.status_code)
    assert "secret" not in other.get_data(as_text=True)


def test_the_same_question_at_the_same_moment_is_one_row(app: Flask) -> None:
    """Also when two threads take it at once, each of them answers, with the same values."""
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ask(app, ANN).get_json(), range(16)))

    assert 1 == len({(answer["request_id"], answer["proba"]) for answer in answers})
    assert 1 == len(stored(app))


@pytest.fixture(name="guarded")
def _guarded(model_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An application where predictions need a key too, and two people with keys: the application, and the keys."""
    command = ["-e", "testing", "keys", "add"]
    ann, bob = (CliRunner().invoke(main, [*command, name]).stdout.strip() for name in ("ann", "bob"))
    monkeypatch.setenv("PLAYER_API_KEYS_FILE", str(model_settings.home / "keys" / "{environment}-api.keys"))
    monkeypatch.setenv("PLAYER_ACCESS__KEY_REQUIRED", "true")
    monkeypatch.setenv("PLAYER_ACCESS__PREDICT_KEY_REQUIRED", "true")
    app = create_app(load_settings("testing"))
    yield app, ann, bob
    app.extensions["player"].stop()


def bearer(key: str) -> dict[str, str]:
    """Return the header with a key."""
    return {"Authorization": f"Bearer {key}"}


def test_predictions_need_a_key_where_the_rating_asks_for_it(guarded: Any) -> None:
    """No key and a wrong one get 401, and each named key opens the door; health stays open."""
    app, ann, bob = guarded
    asked = [ask(app, BOB, headers=headers).status_code for headers in ({}, bearer("x" * 43), bearer(ann), bearer(bob))]

    assert [401, 401, 200, 200] == asked
    assert 200 == app.test_client().get("/health/live").status_code


def test_the_contract_says_who_is_refused(guarded: Any, app: Flask) -> None:
    """401, 409 and 429 are documented where they are answered, and the key where it is needed."""
    closed, opened = (each.test_client().get("/openapi.json").get_json() for each in (guarded[0], app))
    for method in ("get", "post"):
        described = closed["paths"]["/api"][method]
        assert {"401", "409", "429"} <= set(described["responses"])
        assert ([{"key": []}], []) == (described["security"], opened["paths"]["/api"][method]["security"])
    assert "409" not in closed["paths"]["/feedback"]["post"]["responses"]


def test_labels_tell_who_sent_them_and_ids_belong_to_a_key(guarded: Any) -> None:
    """The name of the key stands beside each row and each label, never the key."""
    app, ann, bob = guarded
    mine = ask(app, ANN, headers=bearer(ann)).get_json()
    other = ask(app, ANN, headers=bearer(bob)).get_json()
    app.test_client().post("/feedback", json={"request_id": "one", "label": 1}, headers=bearer(bob))
    app.extensions["player"].writer.ship()

    with app.extensions["player"].engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT client FROM predictions ORDER BY client").scalars().all()
        senders = connection.exec_driver_sql("SELECT sender FROM labels").scalars().all()
    assert mine["request_id"] != other["request_id"]
    assert (["key ann", "key bob"], ["key bob"]) == (list(rows), list(senders))


def test_a_revoked_key_opens_nothing(guarded: Any) -> None:
    """After the reload that a new application stands for."""
    _, ann, bob = guarded
    listed = CliRunner().invoke(main, ["-e", "testing", "keys", "list"]).output
    done = CliRunner().invoke(main, ["-e", "testing", "keys", "revoke", "ann"])
    app = create_app(load_settings("testing"))
    asked = [ask(app, BOB, headers=bearer(key)).status_code for key in (ann, bob)]
    app.extensions["player"].stop()

    assert done.exit_code == 0, done.output
    assert all(name in listed for name in ("ann", "bob"))
    assert ann not in listed
    assert [401, 200] == asked


def test_the_file_of_keys_holds_no_key(guarded: Any, model_settings: Settings) -> None:
    """Only hashes; and a line that is none is said with its beginning."""
    _, ann, _ = guarded
    text = (model_settings.home / "keys" / "testing-api.keys").read_text(encoding="utf-8")

    assert ann not in text
    assert {"ann", "bob"} == set(read_api_keys(text).values())
    with pytest.raises(ConfigError, match="player keys add NAME"):
        read_api_keys("0" * 63 + " ann")


def test_the_rating_asks_for_the_key_from_medium_on(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In acceptance and production; development and testing stay without keys, and low stays open."""
    for level, needed in (("low", False), ("medium", True), ("high", True)):
        monkeypatch.setenv("PLAYER_RATING__CONFIDENTIALITY", level)
        assert needed == load_settings("production").predict_needs_key == load_settings("acceptance").predict_needs_key
        assert not load_settings("development").predict_needs_key


def test_a_quota_counts_all_workers_together(tmp_path: Path) -> None:
    """Two processes have one file: what one has counted, the other one knows."""
    one, other = (Quota(10, "labels", tmp_path / "quota") for _ in range(2))
    one.take("ann", 6)
    other.take("bob", 10)
    with pytest.raises(TooManyRequests, match="At most 10 labels a minute"):
        other.take("ann", 5)
    other.take("ann", 4)
    with pytest.raises(TooManyRequests):
        one.take("ann", 1)


def test_a_large_request_counts_for_many_and_is_refused_unread(
    model_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For each 4 kB once more, in the body or the query; a refusal reads nothing, so that it costs nothing."""
    monkeypatch.setattr(quota, "time", SimpleNamespace(time=lambda: 1.8e9))  # all in one minute
    access = model_settings.access.model_copy(update={"requests_per_minute": 10})
    app = create_app(model_settings.model_copy(update={"access": access}))
    large = b'{"features": {"note": "' + b"x" * 4 * 4096 + b'"}}'
    client = app.test_client()
    statuses = [client.post("/api", data=each).status_code for each in (large, large, b"{}", b"no JSON" * 4096, b"{}")]
    statuses += [client.get("/api", query_string={"x": "y" * 4096}, environ_base=OTHER).status_code for _ in range(6)]
    app.extensions["player"].stop()

    assert [200, 200, 429, 429, 429] == statuses[:5]
    assert [200] * 5 + [429] == statuses[5:]


def test_many_callers_do_not_make_a_quota_grow(tmp_path: Path) -> None:
    """Invented addresses fill no memory and no disk."""
    quota = Quota(10, "requests", tmp_path / "quota")
    before = (tmp_path / "quota").stat().st_size
    for number in range(20_000):
        with_room = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
        try:
            quota.take(with_room, 1)
        except TooManyRequests:
            continue
    assert before == (tmp_path / "quota").stat().st_size


@pytest.mark.parametrize("address", ["<script>", "1.2.3.4, 5.6.7.8", "", "a" * 1000, "1.2.3.4\nforged"])
def test_what_is_no_address_is_not_stored_as_one(app: Flask, address: str) -> None:
    """A proxy may pass on anything as the address of a client."""
    ask(app, BOB, address=address)

    with app.extensions["player"].engine.connect() as connection:
        app.extensions["player"].writer.ship()
        assert ["unknown"] == connection.exec_driver_sql("SELECT client FROM predictions").scalars().all()
