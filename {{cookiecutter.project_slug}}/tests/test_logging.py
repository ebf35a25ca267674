"""One event is one line, whatever a value holds, and the line says which request it belongs to."""

import logging

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from player.config import Settings
from player.logging_config import one_line, setup_logging


@given(st.text())
def test_no_value_can_start_a_second_line(text: str) -> None:
    """Line breaks of every alphabet and terminal codes are escaped."""
    line = one_line(text)

    assert len(line.splitlines()) <= 1
    assert "\x1b" not in line


def test_a_line_says_when_where_who_and_what(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """A log line has time, host, project, logger, level and request id, as on the workshop's slides."""
    setup_logging(settings)
    logging.getLogger("player.test").info("loaded %s", "model\nJul 4 root: forged")
    line = capsys.readouterr().out

    assert line.count("\n") == 1
    assert "player.test" in line
    assert "INFO" in line
    assert "[-] loaded model\\nJul 4 root: forged" in line


def test_a_traceback_stays_on_its_line(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """Also an exception is one line, so that every line of the file can be read alone."""
    setup_logging(settings)
    try:
        raise ValueError("two\nlines")
    except ValueError:
        logging.getLogger("player.test").exception("it failed")

    assert capsys.readouterr().out.count("\n") == 1


def test_lines_go_to_the_file_of_the_settings(settings: Settings) -> None:
    """With a file configured, lines are in it as well."""
    logging_settings = settings.logging.model_copy(update={"file": "output/{environment}.log"})
    setup_logging(settings.model_copy(update={"logging": logging_settings}))
    logging.getLogger("player.test").info("written")

    assert "written" in (settings.home / "output" / "testing.log").read_text(encoding="utf-8")


def test_the_five_things_worth_logging_are_logged(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    """Loading, preprocessing, the request, who made it, and the database write each leave a line."""
    with caplog.at_level(logging.DEBUG):
        client.application.extensions["player"].predictor.reload()
        client.post("/api", json={"request_id": "logged", "features": {"age": "42"}})
        client.application.extensions["player"].writer.ship()

    assert "preprocessing repaired: age: number given as text" in caplog.text
    assert "predicted" in caplog.text
    assert "for 127.0.0.1" in caplog.text
    assert "loaded model" in caplog.text
    assert "database" in caplog.text
