"""The routes answer as the contract says: always a prediction, always JSON, one row for one request."""

import html
import json
import re
import tomllib
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from player.app import create_app
from player.config import Settings, load_settings
from player.errors import NotDurable
from player.storage import queries

APPLICANT = {"age": 42, "income": 31_000}


def ask(client: FlaskClient, features: Any, **more: Any) -> Any:
    """Send one request for a prediction and return the answer's body."""
    response = client.post("/api", data=json.dumps({"features": features, **more}))
    assert response.status_code == 200, response.text
    return response.get_json()


def stored(app: Flask) -> Any:
    """Return the rows in the database, after what is spooled was shipped."""
    parts = app.extensions["player"]
    parts.writer.ship()
    return queries.recent(parts.engine, 1000)


@pytest.mark.parametrize("path", ["/api", "/api/"])
def test_both_slash_forms_answer(client: FlaskClient, path: str) -> None:
    """A slash at the end makes no difference, and there is no redirect."""
    assert client.post(path, json={"features": APPLICANT}).status_code == 200
    assert client.get(f"{path}?age=42&income=31000").status_code == 200


def test_an_answer_holds_what_the_contract_promises(client: FlaskClient) -> None:
    """Prediction, probability, model, warnings and the id as it was sent."""
    answer = ask(client, APPLICANT, request_id=7)

    assert answer["request_id"] == 7
    assert answer["pred"] in (0, 1)
    assert 0 <= answer["proba"] <= 1
    assert answer["degraded"] is False
    assert answer["model"] == client.get("/version").get_json()["model"]


def test_by_the_other_contract_the_answer_is_the_probability_alone(
    model_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The example file is a contract the player speaks: its paths, its keys, and an answer of one number."""
    example = model_settings.home / "config" / "examples" / "other-contract.toml"
    names = tomllib.loads(example.read_text(encoding="utf-8"))["contract"]
    for name, value in names.items():
        monkeypatch.setenv(f"PLAYER_CONTRACT__{name.upper()}", str(value))
    app = create_app(load_settings("testing"))
    client = app.test_client()
    try:
        asked = {"id": "first", "observation": APPLICANT}
        answers = [client.post("/predict", json=asked), client.get("/predict/?age=42&income=31000")]
        label = client.post("/update", json={"id": "first", "true_class": 1}).get_json()
        found = stored(app)
    finally:
        app.extensions["player"].stop()

    assert [["proba"], ["proba"]] == [list(each.get_json()) for each in answers]
    assert {"id": "first", "status": "stored"} == label
    assert [answers[0].get_json()["proba"]] == [row.proba for row in found.itertuples() if row.request_id == "first"]
    described = client.get("/openapi.json").get_json()["paths"]["/predict"]["post"]["responses"]["200"]
    assert ["proba"] == list(described["content"]["application/json"]["schema"]["properties"])


@pytest.mark.parametrize(
    "body",
    [
        {}, {"features": None}, {"features": []}, {"features": {}}, {"features": "x"}, APPLICANT,
        {"request_id": None, "features": APPLICANT}, {"request_id": {}, "features": APPLICANT},
        {"features": {"age": "42,5", "income": [1, 2]}, "extra": 1},
        {"features": {"\u0000": "\ud800", "age": "\u0000"}},
    ],
)  # fmt: skip
def test_every_object_gets_a_prediction(client: FlaskClient, app: Flask, body: Any) -> None:
    """Whatever is in the object, there is a prediction of a known class, and it is stored."""
    answer = client.post("/api", data=json.dumps(body)).get_json()

    assert answer["pred"] in (0, 1)
    assert [str(answer["request_id"])] == list(stored(app)["request_id"])


def test_an_id_in_any_script_is_answered(client: FlaskClient) -> None:
    """An id beyond Latin letters comes back in the body as it was, and in the header as a server can send it."""
    response = client.post("/api", json={"request_id": "申請-٤٢", "features": APPLICANT})

    assert "申請-٤٢" == response.get_json()["request_id"]
    assert response.headers["X-Request-ID"].isascii()


def test_every_answer_says_under_which_name_it_is_in_the_log(client: FlaskClient) -> None:
    """X-Request-ID is taken for the log alone: proxies pass the same one on for several requests."""
    named = client.post("/api", json={"features": APPLICANT}, headers={"X-Request-ID": "a trace"})
    other = client.post("/api", json={"request_id": "mine", "features": APPLICANT})

    assert named.headers["X-Request-ID"] == "a trace"
    assert named.get_json()["request_id"] != "a trace"
    assert other.headers["X-Request-ID"] == "mine"


def test_the_get_form_takes_the_slides_features_argument(client: FlaskClient) -> None:
    """`/api?features={…}` works as on the workshop's slides, and gives the same as POST."""
    by_get = client.get("/api", query_string={"features": json.dumps(APPLICANT)}).get_json()

    assert by_get["proba"] == ask(client, APPLICANT)["proba"]


def test_the_same_request_again_gets_the_same_answer_and_one_row(client: FlaskClient, app: Flask) -> None:
    """A retry is answered from what was stored."""
    first = ask(client, APPLICANT, request_id="twice")
    again = ask(client, APPLICANT, request_id="twice")

    assert first == again
    assert len(stored(app)) == 1


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/api", b"[1]", 400),
        ("POST", "/api", b"nonsense", 400),
        ("POST", "/api", b"x" * 2_100_000, 413),
        ("DELETE", "/api", b"", 405),
        ("GET", "/nothing", b"", 404),
        ("GET", "/x//api", b"", 404),
        ("POST", "/feedback", b"{}", 422),
        ("POST", "/feedback", b'{"request_id": [], "label": 1}', 422),
        ("POST", "/feedback", b'{"request_id": "a", "label": {}}', 422),
        ("POST", "/feedback", b"[1]", 422),
        ("POST", "/feedback", b"nonsense", 400),
    ],
)
def test_every_refusal_is_a_problem_document(
    client: FlaskClient, method: str, path: str, body: bytes, status: int
) -> None:
    """Errors are JSON with a title, a status and a sentence, never HTML."""
    response = client.open(path, method=method, data=body)

    assert status == response.status_code
    assert response.content_type == "application/problem+json"
    assert {"type", "title", "status", "detail"} == set(json.loads(response.data))


def test_a_label_finds_its_prediction(client: FlaskClient, app: Flask) -> None:
    """Labels come one by one or in lists; each is told what became of it."""
    ask(client, APPLICANT, request_id="a")

    assert client.post("/feedback", json={"request_id": "a", "label": 1}).get_json()["status"] == "stored"
    labels = [{"request_id": "a", "label": 1}, {"request_id": "a", "label": 0}, {"request_id": "later", "label": 0}]
    results = client.post("/feedback", json=labels).get_json()

    assert [result["status"] for result in results] == ["duplicate", "contradicts", "early"]
    assert list(stored(app)["label"]) == [1]


def test_a_label_that_is_no_class_waits_for_a_right_one(client: FlaskClient, app: Flask) -> None:
    """What the model could never answer is not what the answer is measured by."""
    ask(client, APPLICANT, request_id="a")
    labels = [{"request_id": "a", "label": value} for value in ("maybe", 7, "1", 0)]

    results = client.post("/feedback", json=labels).get_json()

    assert ["unknown class", "unknown class", "stored", "contradicts"] == [result["status"] for result in results]
    assert [1] == list(stored(app)["label"])


def test_the_front_door_leads_everywhere(client: FlaskClient) -> None:
    """A browser that only knows the address finds every page, and a first request that needs no repair."""
    page = client.get("/")
    links = re.findall(r'<a href="([^"]+)"', page.text)

    assert page.status_code == 200
    assert {"/dashboard/", "/docs/", "/openapi.json"} <= set(links)
    for link in links:
        assert client.get(f"/{html.unescape(link).lstrip('/')}").status_code == 200, link
    first = next(link for link in links if link.startswith("api?"))
    assert [] == client.get(f"/{html.unescape(first)}").get_json()["warnings"]


def test_a_row_that_cannot_be_stored_is_not_acknowledged(
    client: FlaskClient, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a durable row there is an honest 503 that says to ask again."""

    def full(row: object) -> None:
        raise NotDurable("the disk is full")

    monkeypatch.setattr(app.extensions["player"].writer, "put_prediction", full)
    response = client.post("/api", json={"features": APPLICANT})

    assert response.status_code == 503
    assert response.headers["Retry-After"] == "1"


def test_who_cannot_store_is_not_ready_and_says_why(
    client: FlaskClient, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no 503 without a reason."""
    monkeypatch.setattr(app.extensions["player"].writer, "can_store", lambda: False)
    response = client.get("/health/ready")

    assert (503, False) == (response.status_code, response.get_json()["ready"])
    assert "rows cannot be made durable" in response.get_json()["reasons"][0]


def test_an_unexpected_error_tells_the_client_nothing(
    client: FlaskClient, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody foresaw is a plain 500; the reason is in the log alone."""

    def broken(raw: object) -> None:
        raise RuntimeError("hidden-words")

    monkeypatch.setattr(app.extensions["player"].predictor, "answer", broken)
    response = client.post("/api", json={"features": APPLICANT})

    assert response.status_code == 500
    assert "hidden-words" not in response.text


def test_health_version_metrics_and_contract_are_there(client: FlaskClient) -> None:
    """What operators and tools ask for is answered."""
    ask(client, APPLICANT)

    assert client.get("/health/live").get_json() == {"live": True}
    assert client.get("/health/ready").get_json() == {"ready": True, "reasons": []}
    assert client.get("/version").get_json()["environment"] == "testing"
    assert "player_predictions_total" in client.get("/metrics").text
    assert "/api" in client.get("/openapi.json").get_json()["paths"]
    assert client.get("/docs").text.count("curl http://localhost/") == 2


def test_a_page_of_another_site_cannot_send_labels(client: FlaskClient) -> None:
    """A browser that comes from elsewhere is refused before anything is read."""
    response = client.post(
        "/feedback", json={"request_id": "a", "label": 1}, headers={"Origin": "https://evil.example"}
    )

    assert response.status_code == 403


KEY = "k-" + "0123456789abcdef" * 3


@pytest.fixture(name="guarded")
def _guarded(model_settings: Settings) -> Any:
    """A client of an application that asks for a key."""
    access = model_settings.access.model_copy(update={"key_required": True, "labels_per_minute": 3})
    key = type(model_settings.database_url)(KEY)
    app = create_app(model_settings.model_copy(update={"access": access, "api_key": key}))
    yield app.test_client()
    app.extensions["player"].stop()


@pytest.mark.parametrize("path", ["/feedback", "/feedback/", "/metrics", "/dashboard"])
@pytest.mark.parametrize(
    "given", [None, "Bearer ", "Bearer wrong", f"Bearer {KEY[:-1]}", f"Bearer {KEY.upper()}", "Basic eA=="]
)
def test_without_the_key_nothing_is_shown_or_changed(guarded: FlaskClient, path: str, given: str | None) -> None:
    """No key, a wrong one, a beginning of it or another case: refused."""
    headers = {"Authorization": given} if given else {}
    assert "any user name" in guarded.get("/").text, "the way in is said before anybody meets the lock"
    method = "POST" if "feedback" in path else "GET"

    assert guarded.open(path, method=method, headers=headers, json={"request_id": "a", "label": 1}).status_code == 401


def test_with_the_key_labels_are_taken_up_to_the_quota(guarded: FlaskClient) -> None:
    """The key opens the door, and the quota keeps one sender from flooding the next training set."""
    label = {"request_id": "a", "label": 1}
    headers = {"Authorization": f"Bearer {KEY}"}

    assert guarded.post("/feedback", json=[label] * 3, headers=headers).status_code == 200
    assert guarded.post("/feedback", json=label, headers=headers).status_code == 429
    assert guarded.post("/api", json={"features": APPLICANT}).status_code == 200


def test_every_answer_carries_the_security_headers(client: FlaskClient) -> None:
    """Pages and answers tell browsers what this site never does."""
    for path in ("/api?age=1", "/dashboard", "/nothing"):
        headers = client.get(path).headers
        assert "default-src 'self'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"


def test_a_foreign_label_is_kept_named_and_counted_nowhere(client: FlaskClient, app: Flask) -> None:
    """A "yes" for classes 0 and 1 is no truth; the right label after it is, and others are not touched."""
    for name in ("a", "b"):
        ask(client, APPLICANT, request_id=name)
    sent = [("a", "yes"), ("b", "1.0"), ("a", True)]

    given = [client.post("/feedback", json={"request_id": name, "label": label}).get_json() for name, label in sent]

    rows = stored(app).set_index("request_id")["label"]
    assert ["unknown class", "stored", "stored"] == [one["status"] for one in given]
    assert (1, 1) == (rows["a"], rows["b"])
