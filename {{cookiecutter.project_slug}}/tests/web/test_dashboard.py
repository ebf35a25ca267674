"""The monitoring page shows what happened, whatever the data holds, and needs nothing from elsewhere."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from player.config import Settings
from player.storage.tables import Base, Chapter, Label, Prediction
from player.web.dashboard import create_blueprint, page

START = datetime(2026, 11, 23, 7, 22, 40, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*7}}\ud800\x00\u202e"


class FakeWriter:
    """A writer that only knows its state."""

    def __init__(self) -> None:
        """Start with a database that is well."""
        self.state: dict[str, Any] = {"spooled": 0, "set_aside": 0, "database": "ok", "last_error": ""}

    def status(self) -> dict[str, Any]:
        """Return the state."""
        return self.state


@dataclass
class FakeParts:
    """What the page asks for, without threads."""

    settings: Settings
    engine: sa.Engine
    writer: FakeWriter = field(default_factory=FakeWriter)
    predictor: Any = field(default_factory=lambda: SimpleNamespace(version="m1"))
    troubles: list[str] = field(default_factory=list)

    def complaints(self) -> list[str]:
        """Return what is not as it should be."""
        return self.troubles


@pytest.fixture(name="engine")
def _engine() -> Iterator[sa.Engine]:
    """An empty database in memory."""
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool, connect_args={"check_same_thread": False})
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture(name="parts")
def _parts(model_settings: Settings, engine: sa.Engine) -> FakeParts:
    """Parts with a trained model and an empty database."""
    return FakeParts(model_settings, engine)


def add_rows(engine: sa.Engine, rows: int, label: Any = 1, **columns: Any) -> None:
    """Store *rows* ordinary predictions and, unless *label* is None, a label for each."""
    values = {
        "model": "m1", "pred": 1, "proba": 0.8, "degraded": False, "features": {"age": 42, "housing": "rent"},
        "warnings": [], "latency_ms": 5.0, "client": "127.0.0.1", **columns,
    }  # fmt: skip
    with engine.begin() as connection:
        for i in range(rows):
            at = START + timedelta(seconds=i)
            name = columns.get("request_id", f"r{i}")
            connection.execute(sa.insert(Prediction).values({**values, "request_id": name, "received_at": at}))
            if label is not None:
                known = {"label": label, "status": "stored", "sender": "customer"}
                connection.execute(sa.insert(Label).values(id=f"l{i}", request_id=name, received_at=at, **known))


def client_of(parts: FakeParts) -> FlaskClient:
    """Return a client of an application that holds nothing but the page."""
    app = Flask("player", static_folder=None)
    app.extensions["player"] = parts
    app.register_blueprint(create_blueprint())
    return app.test_client()


def page_of(parts: FakeParts, query: str = "") -> str:
    """Return the page as HTML."""
    answer = client_of(parts).get(f"/dashboard{query}")

    assert answer.status_code == 200
    return answer.get_data(as_text=True)


class Collector(HTMLParser):
    """Notes every tag and attribute of a page, and whether what is opened is closed."""

    EMPTY = ("meta", "link", "br", "img", "input")

    def __init__(self) -> None:
        """Start with nothing seen."""
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the tag."""
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag that closes itself."""
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close the tag that was opened last; anything else is a mistake in the template."""
        if tag not in self.EMPTY:
            assert self.open.pop() == tag


def collect(html: str) -> Collector:
    """Return what the page consists of."""
    found = Collector()
    found.feed(html)
    assert found.open == []
    return found


@pytest.mark.parametrize("path", ["/dashboard", "/dashboard/"])
def test_both_slash_forms_answer_without_a_redirect(parts: FakeParts, path: str) -> None:
    """The page has one address, with or without a slash at its end."""
    assert client_of(parts).get(path).status_code == 200


@pytest.mark.parametrize("name", ["dashboard.css", "favicon.svg"])
def test_what_the_page_needs_is_served(parts: FakeParts, name: str) -> None:
    """Style and icon come from the same place as the page."""
    assert f"/dashboard/static/{name}" in page_of(parts)
    with client_of(parts).get(f"/dashboard/static/{name}") as answer:
        assert answer.status_code == 200


def test_an_empty_database_says_what_to_do_next(parts: FakeParts) -> None:
    """Before the first request the page names the command that brings requests."""
    html = page_of(parts)

    assert "Nobody has asked yet" in html
    assert "customer play" in html


def test_without_labels_the_page_says_so(parts: FakeParts) -> None:
    """Requests without labels are shown, and no accuracy is made up."""
    add_rows(parts.engine, 20, label=None)

    html = page_of(parts)

    assert "No labels yet" in html
    assert "too few rows" in html


def test_labels_give_an_accuracy_with_its_interval(parts: FakeParts) -> None:
    """The measured accuracy, its interval and the number of labels stand on the page."""
    add_rows(parts.engine, 20)

    html = page_of(parts)

    assert "100%" in html
    assert "84% to 100%, of 20 labelled" in html


def test_a_spooling_writer_is_seen(parts: FakeParts) -> None:
    """While the database is down the page says how many rows wait."""
    parts.writer.state = {"spooled": 1234, "set_aside": 2, "database": "down", "last_error": "refused"}
    parts.troubles = ["database down: spooling 1234 rows"]

    html = page_of(parts)

    assert "spooling 1,234 rows; 2 it refused are set aside" in html
    assert 'role="alert"' in html


def test_a_database_without_tables_is_a_trouble_not_an_error(parts: FakeParts) -> None:
    """The page comes also when the database cannot be read."""
    Base.metadata.drop_all(parts.engine)

    assert "The database does not answer (OperationalError)" in page_of(parts)


def test_large_rows_do_not_fill_the_memory(parts: FakeParts, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page looks at so many of the newest rows as have room, and says that it does; ordinary ones all have."""
    monkeypatch.setattr(page, "MOST_BYTES", 100_000)
    add_rows(parts.engine, 30)
    assert "so large" not in page_of(parts)
    with parts.engine.begin() as connection:
        connection.execute(sa.update(Prediction).values(features={"x": 5_000 * "y"}, warnings=[5_000 * "z"]))

    assert "only 9 are looked at" in page_of(parts)


UNUSUAL: dict[str, dict[str, Any]] = {
    "no labels": {"label": None},
    "one class alone": {"label": 1, "pred": 1},
    "constant features": {"features": {"age": 42.0, "housing": "rent"}},
    "no features": {"features": {}},
    "no probabilities": {"proba": None},
    "three rows": {"rows": 3},
    "texts of which none comes twice": {"texts": True},
    "labels that are no class": {"label": "perhaps"},
}


@pytest.mark.parametrize("without_profile", [False, True])
@pytest.mark.parametrize("name", UNUSUAL)
def test_whatever_the_rows_are_the_page_says_a_sentence(
    parts: FakeParts, name: str, without_profile: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And has no picture without anything in it; also when nothing is known of the training."""
    given = {"rows": 300, "texts": False, **UNUSUAL[name]}
    texts = given.pop("texts")
    add_rows(parts.engine, **given)
    if texts:
        with parts.engine.begin() as connection:
            housing = '{"age": 42, "housing": "' + sa.cast(Prediction.request_id, sa.Text) + '"}'
            connection.execute(sa.update(Prediction).values(features=sa.type_coerce(housing, sa.Text)))
    if without_profile:
        known = page.store.current_manifest(parts.settings)
        monkeypatch.setattr(page.store, "current_manifest", lambda _: replace(known, profile={}))

    html = page_of(parts)

    collect(html)
    title, sentence = re.findall(r"<h1[^>]*>\s*([^<]+)|<p class=\"lead\">\s*([^<]+)", html)[:2]
    assert title[0].strip()
    assert sentence[1].strip().endswith((".", ":"))
    assert not re.findall(r"<svg[^>]*>\s*</svg>", html)


def test_a_missing_model_is_a_trouble_not_an_error(settings: Settings, engine: sa.Engine) -> None:
    """Without a model there is nothing to compare with, and the page says which command makes one."""
    add_rows(engine, 3)

    assert "player train" in page_of(FakeParts(settings, engine))


def test_hostile_texts_stay_texts(parts: FakeParts) -> None:
    """Markup in ids, models, predictions, labels, features, warnings and troubles is shown, never obeyed."""
    add_rows(
        parts.engine, 1, label=HOSTILE, request_id=HOSTILE, model=HOSTILE, pred=HOSTILE,
        features={HOSTILE: HOSTILE, "housing": HOSTILE}, warnings=[HOSTILE],
    )  # fmt: skip
    parts.troubles = [HOSTILE]

    html = page_of(parts)

    found = collect(html)
    assert "&lt;script&gt;" in html
    assert "{{7*7}}" in html
    assert not {"script", "img"} & set(found.tags)


@pytest.mark.parametrize("rows", [0, 30])
def test_the_page_obeys_a_strict_content_security_policy(parts: FakeParts, rows: int) -> None:
    """No script, no inline style, no handler, and nothing from another site."""
    add_rows(parts.engine, rows, warnings=["age: missing"])

    found = collect(page_of(parts))

    names = {name for name, _ in found.attributes}
    addresses = [value for name, value in found.attributes if name in ("href", "src", "action")]
    assert not {"script", "style", "iframe"} & set(found.tags)
    assert "style" not in names
    assert not [name for name in names if name.startswith("on")]
    assert addresses
    assert all(address.startswith(("/dashboard", "#chapter-")) for address in addresses)


def test_every_picture_has_a_title_and_every_id_is_used_once(parts: FakeParts) -> None:
    """What a screen reader is pointed to exists, once."""
    add_rows(parts.engine, 30)

    found = collect(page_of(parts))

    ids = [value for name, value in found.attributes if name == "id"]
    named = [one for name, value in found.attributes if name == "aria-labelledby" for one in value.split()]
    assert len(ids) == len(set(ids))
    assert set(named) <= set(ids)


@pytest.mark.parametrize("shown", [True, False])
def test_values_are_shown_only_where_the_settings_allow_it(parts: FakeParts, shown: bool) -> None:
    """The features of a request are hidden where log lines may not hold them either, also inside warnings."""
    logging = parts.settings.logging.model_copy(update={"show_values": shown})
    parts.settings = parts.settings.model_copy(update={"logging": logging})
    add_rows(parts.engine, 1, features={"age": 424242}, warnings=["age: not a number (secret), taken as missing",
                                                                      "ignored: a name of theirs"])  # fmt: skip

    html = page_of(parts)

    assert shown == ("424242" in html)
    assert shown == ("a name of theirs" in html)
    assert "secret" not in html
    assert "age: not a number, taken as missing" in html


@pytest.mark.parametrize(
    ("query", "seconds"),
    [("?refresh=10", "10"), ("?refresh=0", ""), ("?refresh=x", ""), ("?refresh=1e9", ""), ("", "")],
)
def test_the_page_refreshes_itself_when_asked(parts: FakeParts, query: str, seconds: str) -> None:
    """A sensible number of seconds is obeyed, anything else ignored."""
    found = re.findall(r'http-equiv="refresh" content="(\d+)"', page_of(parts, query))

    assert found == ([seconds] if seconds else [])


def test_many_viewers_cost_as_much_as_one(parts: FakeParts) -> None:
    """Two requests at once read the database once."""
    statements: list[str] = []
    sa.event.listen(parts.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    client = client_of(parts)

    client.get("/dashboard")
    read_once = len(statements)
    client.get("/dashboard")

    assert len(statements) == read_once > 0


@pytest.mark.parametrize("query", ["?last=hour", "?last=day", "?from=2026-11-23&to=2026-11-23", "?from=x", "?last=eon"])
def test_a_span_of_time_can_be_chosen(parts: FakeParts, query: str) -> None:
    """What lies in it is drawn; what cannot be read is as if it had not been asked."""
    add_rows(parts.engine, 30)

    html = page_of(parts, query)

    assert ("Nothing happened in this time" in html) == ("last=hour" in query or "last=day" in query)
    assert "of 30 labelled since the first request" in html


def test_spans_share_what_is_now(parts: FakeParts) -> None:
    """Another span reads the history alone, and the same one again reads nothing."""
    add_rows(parts.engine, 30)
    statements: list[str] = []
    sa.event.listen(parts.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    client = client_of(parts)
    client.get("/dashboard")
    whole = len(statements)
    client.get("/dashboard?last=day")
    again = len(statements)
    client.get("/dashboard?last=day")

    assert whole < again == len(statements) < 2 * whole


def test_the_page_counts_as_the_board_does(parts: FakeParts) -> None:
    """All right answers since the first request, however few of them the newest rows hold."""
    limits = parts.settings.monitoring.model_copy(update={"window_rows": 20, "min_rows": 20})
    parts.settings = parts.settings.model_copy(update={"monitoring": limits})
    add_rows(parts.engine, 130)

    html = page_of(parts)

    assert '<dd class="value">130</dd>' in html
    assert "of 130 labelled since the first request, as a board counts them; 20 of the newest" in html


def test_without_its_history_the_page_still_comes(parts: FakeParts) -> None:
    """A database from before this version has no table for it: a sentence."""
    add_rows(parts.engine, 30)
    Chapter.__table__.drop(parts.engine)

    html = page_of(parts)

    assert "The history cannot be written (OperationalError)" in html
    assert "84% to 100%" not in html or "of 30 labelled" in html


def rows_of_one_class(engine: sa.Engine) -> None:
    """Store answers that are all the same, and all right."""
    add_rows(engine, 300)


def rows_without_labels(engine: sa.Engine) -> None:
    """Store answers nobody ever judged."""
    add_rows(engine, 300, label=None)


def rows_of_many_texts(engine: sa.Engine) -> None:
    """Store features that are another text each time, as names and as values."""
    add_rows(engine, 300)
    with engine.begin() as connection:
        for i in range(300):
            text = {f"feature {i}": f"text {i}", "housing": f"text {i}"}
            connection.execute(sa.update(Prediction).where(Prediction.request_id == f"r{i}").values(features=text))


def rows_without_features(engine: sa.Engine) -> None:
    """Store requests that brought nothing."""
    add_rows(engine, 300, features={})


def three_rows(engine: sa.Engine) -> None:
    """Store three answers."""
    add_rows(engine, 3)


BAD = [rows_of_one_class, rows_without_labels, rows_of_many_texts, rows_without_features, three_rows]


@pytest.mark.parametrize("fill", BAD)
@pytest.mark.parametrize("model", [True, False])
def test_whatever_is_stored_there_is_a_page(
    request: pytest.FixtureRequest, settings: Settings, engine: sa.Engine, fill: Any, model: bool
) -> None:
    """With and without a model to compare with: no error, no empty picture."""
    if model:
        request.getfixturevalue("model_settings")
    fill(engine)

    html = page_of(FakeParts(settings, engine))

    assert ("player train" in html) == (not model)
    assert collect(html).tags.count("svg") >= 4
    assert '<path class="line" d="M"' not in html
    assert "nan" not in re.sub("<[^>]*>", "", html).casefold().split()


def test_a_page_that_notices_another_verdict_tells_it(parts: FakeParts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside what it shows: a slow command must not hold the page."""
    told: list[Any] = []
    monkeypatch.setattr(page, "notice", lambda *given, wait: told.append((given[2].diagnosis.title, wait)))
    add_rows(parts.engine, 3)

    page_of(parts)

    assert [("too few rows", False)] == told
