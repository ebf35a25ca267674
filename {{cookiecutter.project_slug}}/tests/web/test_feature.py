"""Behind the name of a feature stands how it went over time, and the newest requests with their value of it."""

from typing import Any

import pytest
import sqlalchemy as sa
from conftest import KEYS
from flask.testing import FlaskClient

from player.app import create_app
from player.config import load_settings
from player.storage import chapters
from player.storage.tables import Base
from player.web.dashboard.feature import Moment, psi_line, read_moments, share_line, through
from tests.storage_rows import NOON
from tests.web.test_dashboard import FakeParts, _engine, _parts, add_rows, client_of, collect, page_of  # noqa: F401


def with_history(parts: FakeParts, rows: int = 100) -> FakeParts:
    """Return *parts* with rows and a chapter for each twenty of them."""
    limits = parts.settings.monitoring.model_copy(update={"window_rows": 20, "min_rows": 20})
    parts.settings = parts.settings.model_copy(update={"monitoring": limits})
    add_rows(parts.engine, rows)
    return parts


def get(client: FlaskClient, path: str, status: int = 200) -> str:
    """Return a page as HTML."""
    answer = client.get(path)
    assert status == answer.status_code
    return answer.get_data(as_text=True)


def test_the_dashboard_leads_to_each_feature(parts: FakeParts) -> None:
    """Its page leads to the newest requests, and back."""
    client = client_of(with_history(parts))
    links = [value for name, value in collect(get(client, "/dashboard")).attributes
             if name == "href" and value.startswith("/dashboard/features")]  # fmt: skip

    assert "/dashboard/features/age" in links
    html = get(client, "/dashboard/features/age")
    found = [value for name, value in collect(html).attributes if name == "href"]
    assert "/dashboard/answers/r99" in found
    assert "/dashboard/" in {value.rstrip("/") + "/" for value in found}
    assert ">42</td>" in html


def test_it_has_a_place_for_each_chapter(parts: FakeParts) -> None:
    """With the distance and the share missing that the history has."""
    client = client_of(with_history(parts))
    get(client, "/dashboard")

    found = read_moments(parts.engine, "income")

    assert [1, 2, 3, 4, 5] == [each.number for each in found]
    assert {1.0} == {each.missing for each in found}
    assert 5 == get(client, "/dashboard/features/income").count('class="hit"')


def test_before_the_first_chapter_it_says_so(parts: FakeParts) -> None:
    """And draws no empty picture."""
    add_rows(parts.engine, 30)

    html = get(client_of(parts), "/dashboard/features/age")

    assert "No chapter is full yet" in html
    assert 'd=""' not in html


@pytest.mark.parametrize(
    "path", ["/dashboard/features/nothing", "/dashboard/features", "/dashboard/features?id=%3Cb%3E"]
)
def test_an_unknown_feature_is_a_sentence(parts: FakeParts, path: str) -> None:
    """404; what was asked for stays text."""
    add_rows(parts.engine, 30)

    html = get(client_of(parts), path, 404)

    assert "no feature of this name" in html
    assert "<b>" not in html


def test_a_database_that_goes_away_is_a_sentence(parts: FakeParts) -> None:
    """What is known of now is shown all the same."""
    add_rows(parts.engine, 30)
    client = client_of(parts)
    get(client, "/dashboard")
    Base.metadata.drop_all(parts.engine)

    assert "The database does not answer (OperationalError)" in get(client, "/dashboard/features/age")


@pytest.mark.parametrize("shown", [True, False])
def test_values_are_shown_only_where_the_settings_allow_it(parts: FakeParts, shown: bool) -> None:
    """As on the dashboard."""
    logging = parts.settings.logging.model_copy(update={"show_values": shown})
    parts.settings = parts.settings.model_copy(update={"logging": logging})
    add_rows(parts.engine, 30, features={"age": 424242})

    html = get(client_of(parts), "/dashboard/features/age")

    assert shown == ("424242" in html)
    assert shown != ("hidden</span></td>" in html)


def moments(*psi: float) -> list[Moment]:
    """Return chapters with these distances, a tenth of it missing."""
    return [Moment(i, NOON, "all well", each, each / 10) for i, each in enumerate(psi)]


def test_an_alarm_is_in_the_middle() -> None:
    """Twice that is at the top, and more stays there."""
    assert "M16.67,100 L50.0,50 L83.33,0" == psi_line(moments(0, 0.25, 3), 0.25)


def test_what_is_missing_goes_from_none_to_all() -> None:
    """At the bottom and at the top."""
    assert "M16.67,100 L50.0,50 L83.33,0" == share_line(moments(0, 5, 10))
    assert "" == through([])


def test_it_needs_the_key_that_the_dashboard_needs(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The names of features are nobody else's business."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    settings = load_settings("acceptance")
    app = create_app(settings.model_copy(update={"storage": settings.storage}))

    assert 401 == app.test_client().get("/dashboard/features/age").status_code
    app.extensions["player"].stop()


def test_a_chapter_that_did_not_know_it_has_no_place(parts: FakeParts) -> None:
    """A model before had other features."""
    with_history(parts)
    get(client_of(parts), "/dashboard")
    with parts.engine.begin() as connection:
        connection.execute(sa.text("UPDATE chapters SET features = '{}' WHERE number < 4"))

    assert [4, 5] == [each.number for each in read_moments(parts.engine, "age")]
    assert (5, True) == (chapters.last(parts.engine)[0], bool(page_of(parts)))
