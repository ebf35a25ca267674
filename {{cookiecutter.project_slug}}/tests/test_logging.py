"""One event is one line, whatever a value holds, and the line says which request it belongs to."""

import logging
import os
import sys

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from player import logging_config
from player.config import Settings
from player.errors import ConfigError
from player.logging_config import OneLineFormatter, QuietLog, begin, one_line, setup_logging, tell_who_waits
from player.training import Trained


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


def test_the_five_things_worth_logging_are_logged(
    client: FlaskClient, caplog: pytest.LogCaptureFixture, trained: Trained
) -> None:
    """Loading, preprocessing, the request, who made it, and the database write each leave a line."""
    number = next(feature.name for feature in trained.schema.features if feature.kind == "number")
    with caplog.at_level(logging.DEBUG):
        client.application.extensions["player"].predictor.reload()
        client.post("/api", json={"request_id": "logged", "features": {number: "42"}})
        client.application.extensions["player"].writer.ship()

    assert f"preprocessing repaired: {number}: number given as text" in caplog.text
    assert "predicted" in caplog.text
    assert "for 127.0.0.1" in caplog.text
    assert "loaded model" in caplog.text
    assert "database" in caplog.text


def test_control_characters_are_shown_by_their_names_or_codes() -> None:
    """Everything else stays as it is, up to 8,000 characters."""
    assert "a\\tb\\nc\\rd" == one_line("a\tb\nc\rd")
    assert "\\x00\\x08\\x0b\\x0c\\x1f ~\\x7f\\x9f\xa0\\u2028\\u2029" == one_line(
        "\0\b\v\f\x1f ~\x7f\x9f\xa0\u2028\u2029"
    )
    assert 8000 == len(one_line("x" * 9000))


def test_a_line_names_project_and_host(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the host only its own name, not that of its network."""
    setup_logging(settings)
    logging.getLogger("player.test").info("hello")
    line = capsys.readouterr().out

    assert settings.project.name in line
    assert logging_config.RequestContext.host
    assert "." not in logging_config.RequestContext.host
    assert logging_config.RequestContext.host in line


@pytest.mark.parametrize("shown", [True, False])
def test_the_text_of_an_error_is_shown_where_values_may_be(shown: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere its kind and the place are all that is written."""
    monkeypatch.setattr(OneLineFormatter, "show_values", shown, raising=False)
    value = 42
    try:
        raise ValueError(f"age {value}")
    except ValueError:
        text = OneLineFormatter().formatException(sys.exc_info())

    assert "test_logging.py" in text
    assert "ValueError" in text
    assert shown == ("age 42" in text)


def test_a_file_may_stand_in_a_folder_of_folders(settings: Settings) -> None:
    """They are made; without a file there is none."""
    setup_logging(settings)
    assert not list((settings.home / "output").rglob("*.log"))

    logging_settings = settings.logging.model_copy(update={"file": "output/a/b/player.log"})
    setup_logging(settings.model_copy(update={"logging": logging_settings}))
    assert (settings.home / "output" / "a" / "b" / "player.log").exists()


def test_a_full_disk_puts_no_traceback_where_an_answer_should_be(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A handler that fails is silent."""
    monkeypatch.setattr(logging, "raiseExceptions", True)
    setup_logging(settings)

    assert not logging.raiseExceptions


def test_a_command_logs_beside_its_result(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines go to standard error, so that the output can be piped; those of a file stay there."""
    monkeypatch.setenv("PLAYER_LOGGING__FILE", "output/own.log")
    assert settings.environment == begin(settings.environment).environment
    logging.getLogger("player.test").info("a line")
    said = capsys.readouterr()

    assert "" == said.out
    assert "a line" in said.err
    assert "a line" in (settings.home / "output" / "own.log").read_text(encoding="utf-8")


@pytest.mark.parametrize("watched", [True, False])
def test_only_who_watches_is_told_what_takes_long(
    watched: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a program reads standard error, it holds only what went wrong."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: watched)
    tell_who_waits("Starting ...")

    assert ("", "Starting ...\n" if watched else "") == tuple(capsys.readouterr())


@pytest.mark.skipif(os.name != "posix", reason="Windows has other rights")
@pytest.mark.parametrize(("environment", "mode"), [("testing", 0o644), ("acceptance", 0o600)])
def test_where_users_are_what_a_command_writes_is_for_its_own_user(
    settings: Settings, environment: str, mode: int
) -> None:
    """The log as well as everything that comes after it."""
    begin(environment)
    (settings.home / "output" / "new").touch()

    assert mode == (settings.home / "output" / "new").stat().st_mode & 0o777


def test_a_log_that_cannot_be_written_is_one_sentence(settings: Settings) -> None:
    """It names the file, or what stands in its place, and what to do."""
    (settings.home / "output" / "a").touch()
    for file, said in (
        ("output/a/own.log", "a file stands where a folder"),
        ("output", "a folder stands where a file"),
    ):
        changed = settings.logging.model_copy(update={"file": file})
        with pytest.raises(ConfigError, match=said) as refusal:
            setup_logging(settings.model_copy(update={"logging": changed}))
        assert str(refusal.value).startswith("The log cannot be set up")


def test_a_line_of_the_quiet_log_has_the_traceback(caplog: pytest.LogCaptureFixture) -> None:
    """With the level that was asked for."""
    error = ValueError("odd")
    QuietLog(logging.getLogger("player.test")).say(logging.ERROR, "it failed", error)
    (record,) = caplog.records

    assert (logging.ERROR, error) == (record.levelno, record.exc_info and record.exc_info[1])


def test_the_same_thing_is_said_once_a_minute(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thing is said at once."""
    now = [1000.0]
    monkeypatch.setattr(logging_config.time, "monotonic", lambda: now[0])
    quiet = QuietLog(logging.getLogger("player.test"))
    for seconds, what in ((0, "a"), (1, "a"), (1, "b"), (59, "a"), (60, "a"), (61, "a"), (61, "b")):
        now[0] = 1000.0 + seconds
        quiet.say(logging.WARNING, what)

    assert ["a", "b", "a", "b"] == [record.getMessage() for record in caplog.records]
    assert {"a", "b"} == set(quiet.said)


@pytest.mark.parametrize("text", ["[root", "version = 1", "loggers = 1\nversion = 1", "loggers = []\nversion = 1", ""])
def test_a_broken_log_configuration_is_one_sentence(settings: Settings, text: str) -> None:
    """Not TOML, a table that is missing, or something else in its place: the file is named."""
    path = settings.home / "config" / "logging.toml"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(ConfigError, match="The log cannot be set up from") as refusal:
        setup_logging(settings)

    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)
