"""Behind each of the newest requests on the page stands why it got its answer."""

from typing import Any

import pytest
import sqlalchemy as sa
from conftest import KEYS
from flask import Flask
from flask.testing import FlaskClient

from player.app import create_app
from player.config import load_settings
from player.model import loading
from player.storage.migrations import upgrade
from player.storage.tables import Base, Prediction
from player.web.dashboard.rows import path_of
from tests.web.test_dashboard import HOSTILE, collect

ODD_IDS = ["r-17", "a/b", "/", "..", ".", "?x=1", "#", "Zoë 7", "100%", "a&b=c", "//example.org/", "\u202e", "%2F"]


def ask(app: Flask, request_id: str, **features: Any) -> str:
    """Let the application answer and store a request; return its id as it is stored."""
    answer = app.test_client().post("/api", json={"request_id": request_id, "features": features})
    assert 200 == answer.status_code
    app.extensions["player"].writer.ship()
    with app.extensions["player"].engine.connect() as connection:
        newest = sa.select(Prediction.request_id).order_by(Prediction.received_at.desc()).limit(1)
        return connection.execute(newest).scalar_one()


def page_of(client: FlaskClient, request_id: str) -> str:
    """Return the page of a request that is there."""
    answer = client.get(path_of(request_id))
    assert 200 == answer.status_code, path_of(request_id)
    return answer.get_data(as_text=True)


def test_the_dashboard_leads_to_it(app: Flask, client: FlaskClient) -> None:
    """The link of a row on the page opens the page of that row, which leads back."""
    ask(app, "r-17", age=42)
    links = [value for name, value in collect(client.get("/dashboard").get_data(as_text=True)).attributes
             if name == "href" and "answers" in value]  # fmt: skip

    assert ["/dashboard/answers/r-17"] == links
    html = client.get(links[0]).get_data(as_text=True)
    assert "r-17" in html
    assert ("href", "/dashboard") in [(name, value.rstrip("/")) for name, value in collect(html).attributes]


@pytest.mark.parametrize("request_id", ODD_IDS)
def test_every_id_has_a_page(app: Flask, client: FlaskClient, request_id: str) -> None:
    """An id that a path could not hold stands in the query; a browser does not turn it into another address."""
    stored = ask(app, request_id, age=42)

    assert "what each value did" in page_of(client, stored).casefold()
    assert path_of(stored).startswith(("/dashboard/answers/", "/dashboard/answers?id="))
    assert not path_of(stored).endswith(("/.", "/.."))


def test_it_shows_what_came_and_what_became_of_it(app: Flask, client: FlaskClient) -> None:
    """The value as text, the number the model was asked with, the repair, the answer and the label."""
    ask(app, "mine", age="42 years", income="31000")
    client.post("/feedback", json={"request_id": "mine", "label": 1})
    app.extensions["player"].writer.ship()

    html = page_of(client, "mine")

    assert "&#34;31000&#34;" in html
    assert ">31000</td>" in html
    assert "income: number given as text" in html
    assert "1: the answer was" in html
    assert "not sent" in html


def test_hostile_texts_stay_texts(app: Flask, client: FlaskClient) -> None:
    """In the id, the names and the values; nothing of it is markup, and the policy of the site holds."""
    stored = ask(app, HOSTILE[:60], **{HOSTILE: HOSTILE, "age": HOSTILE, "housing": HOSTILE})

    found = collect(page_of(client, stored))

    assert not {"script", "img", "style", "iframe"} & set(found.tags)
    assert "style" not in {name for name, _ in found.attributes}
    addresses = [value for name, value in found.attributes if name in ("href", "src")]
    assert all(address.startswith("/dashboard") for address in addresses)


def test_an_unknown_request_is_a_sentence(app: Flask, client: FlaskClient) -> None:
    """404, and what may be the matter."""
    ask(app, "somebody")
    for path in ("/dashboard/answers/nobody", "/dashboard/answers", "/dashboard/answers?id=nobody"):
        answer = client.get(path)
        assert 404 == answer.status_code
        assert "no request with this id" in answer.get_data(as_text=True)


def test_a_database_without_tables_is_a_sentence(app: Flask, client: FlaskClient) -> None:
    """503, not a traceback."""
    Base.metadata.drop_all(app.extensions["player"].engine)

    answer = client.get("/dashboard/answers/r-17")

    assert 503 == answer.status_code
    assert "The database does not answer (OperationalError)" in answer.get_data(as_text=True)


def test_another_model_is_loaded_once(app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that no longer runs is taken from its files, and kept for the next look."""
    ask(app, "mine", age=42)
    loads: list[str] = []
    load = loading.load
    monkeypatch.setattr("player.monitoring.why.explain.load", lambda *given: loads.append(given[0]) or load(*given))
    predictor = app.extensions["player"].predictor
    version = predictor.version
    monkeypatch.setattr(predictor, "look", lambda: None)
    predictor.chain = predictor.chain.__class__()

    pages = [page_of(client, "mine"), page_of(client, "mine")]

    assert [version] == loads
    assert all("raised it" in page for page in pages)


def test_it_needs_the_key_that_the_dashboard_needs(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it nobody learns whether a request exists."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    settings = load_settings("acceptance")
    upgrade(settings)
    app = create_app(settings)
    client = app.test_client()
    key = {"Authorization": f"Bearer {KEYS['PLAYER_API_KEY']}"}

    assert [401, 401] == [client.get(f"/dashboard/answers{end}").status_code for end in ("/r-17", "?id=r-17")]
    assert 404 == client.get("/dashboard/answers/r-17", headers=key).status_code
    app.extensions["player"].stop()
