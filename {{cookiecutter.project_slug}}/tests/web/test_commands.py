"""`player report` writes the page as one file that needs nothing and nobody else."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient

from player.cli import main
from player.config import Settings
from player.storage.migrations import upgrade
from player.storage.writer import Writer
from tests.storage_rows import label, prediction
from tests.web.test_dashboard import HOSTILE, collect

ROWS = 30


def run(*arguments: str) -> Result:
    """Call `player` in the testing environment."""
    return CliRunner().invoke(main, ["-e", "testing", *arguments])


@pytest.fixture(name="played")
def _played(model_settings: Settings) -> Iterator[Settings]:
    """A model, and a database with labelled rows, one of them by a stranger."""
    upgrade(model_settings)
    writer = Writer(model_settings)
    rows = [prediction(f"request-{i}", i / 60) for i in range(ROWS - 1)]
    writer.put_predictions([*rows, prediction(HOSTILE, 1, pred=HOSTILE, model=HOSTILE, features={HOSTILE: HOSTILE})])
    writer.put_labels([label(f"request-{i}", int(i % 3 > 0), 2) for i in range(ROWS - 1)])
    writer.ship()
    writer.stop()
    yield model_settings


def body(html: str) -> str:
    """Return what stands between the header and the footer, white space aside."""
    return re.sub(r"\s+", " ", html[html.index("<main>") : html.index("</main>")])


def test_the_file_says_what_the_page_says(played: Settings, client: FlaskClient) -> None:
    """Every figure and shape is that of the page; only single requests and the running service's storage are not."""
    said = run("report")
    page = body(client.get("/dashboard").get_data(as_text=True))
    file = body((played.home / "output" / "report-testing.html").read_text(encoding="utf-8"))

    assert 0 == said.exit_code, said.output
    page = re.sub(r'<section aria-labelledby="newest".*?</section>', "", page)
    page = re.sub(r'<div class="tile ">\s*<dt>Database.*?</div>', "", page)
    page = re.sub(r'<a href="/dashboard/features[^>]*>(.*?)</a>', r"\1", page)
    page = re.sub(r'<p class="legend">Show .*?</p>', "", page)
    page, file = (re.sub(r"[\d.]+ (s|min) old", "old", each) for each in (page, file))
    assert page.split() == file.split()


def test_the_file_needs_nothing_from_elsewhere(played: Settings) -> None:
    """No script, no link, no picture of another place; a browser is told to fetch nothing."""
    run("report", "--output", str(played.home / "new" / "monday.html"))

    html = (played.home / "new" / "monday.html").read_text(encoding="utf-8")
    found = collect(html)
    assert not {"script", "link", "img", "iframe"} & set(found.tags)
    assert not {"src", "action"} & {name for name, _ in found.attributes}
    ids = {value for name, value in found.attributes if name == "id"}
    assert {value.removeprefix("#") for name, value in found.attributes if name == "href"} <= ids
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in found.attributes
    assert "url(" not in html
    assert "@import" not in html


def test_the_file_says_whose_it_is_and_when_it_was_written(played: Settings) -> None:
    """The environment and the moment stand in its head; what the command says names the file and the diagnosis."""
    said = run("report")

    path = played.home / "output" / "report-testing.html"
    html = path.read_text(encoding="utf-8")
    head = html[html.index("<header>") : html.index("</header>")]
    assert "testing" in head
    assert re.search(r"\d\d:\d\d:\d\d UTC, written to keep", head)
    assert f"{path}: too few rows\n" == said.stdout


def test_no_single_request_is_in_the_file(played: Settings) -> None:
    """A file is sent on: neither an id nor the features of a row are in it."""
    run("report")

    html = (played.home / "output" / "report-testing.html").read_text(encoding="utf-8")
    assert "request-1" not in html
    assert "&#34;home&#34;" not in html


def test_without_a_database_there_is_a_sentence_and_no_file(model_settings: Settings) -> None:
    """Exit code 1 and one line; an older file stays."""
    path = model_settings.home / "output" / "report-testing.html"
    path.write_text("older", encoding="utf-8")

    said = run("report")

    assert 1 == said.exit_code
    assert 1 == said.stderr.count("\n")
    assert "the testing database cannot be read" in said.stderr.casefold()
    assert "older" == path.read_text(encoding="utf-8")


def test_without_a_model_the_file_says_so(settings: Settings) -> None:
    """There are rows and nothing to compare them with: that stands on it."""
    upgrade(settings)

    assert 0 == run("report").exit_code
    assert "player train" in (settings.home / "output" / "report-testing.html").read_text(encoding="utf-8")


def test_a_place_that_cannot_be_written_is_one_line(played: Settings) -> None:
    """A file where a folder should be."""
    (played.home / "file").write_text("", encoding="utf-8")

    said = run("report", "--output", str(Path(played.home / "file" / "report.html")))

    assert 1 == said.exit_code
    assert 1 == said.stderr.count("\n")
