"""Whoever wants to know of another verdict is told once, whoever notices it."""

import http.server
import json
import logging
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from pydantic import ValidationError
from sqlalchemy import Engine

from player.cli import main
from player.config import Settings, load_settings
from player.errors import ConfigError
from player.monitoring import reports
from player.monitoring.diagnosis import ALL_WELL, ANOTHER_NATURE, ANOTHER_POPULATION, TOO_FEW_ROWS, Diagnosis
from player.monitoring.on_change import notice
from player.settings.sections import Monitoring
from player.storage.migrations import upgrade
from player.storage.tables import Verdict, create_engine_for
from player.storage.verdict import change_verdict
from tests.postgres import _postgres, _postgres_url  # noqa: F401 - fixtures
from tests.storage_rows import NOON, with_database

STATES = {ALL_WELL: "ok", ANOTHER_POPULATION: "warn", ANOTHER_NATURE: "alarm", TOO_FEW_ROWS: "unknown"}
KEEPS = """
import json, os, pathlib, sys
with pathlib.Path(sys.argv[1]).open("a") as file:
    secrets = [name for name in os.environ if name.startswith("PLAYER_")]
    file.write(json.dumps({**json.load(sys.stdin), "secrets": secrets}) + "\\n")
"""


def verdict(cause: str) -> Any:
    """Return a report with this diagnosis."""
    diagnosis = Diagnosis(cause, STATES[cause], "A sentence.", "Some advice.")
    return SimpleNamespace(diagnosis=diagnosis, figures=SimpleNamespace(model="m1"))


@pytest.fixture(name="told")
def _told(tmp_path: Path) -> Path:
    """Where the command writes what it is told, a line each time."""
    (tmp_path / "keep it.py").write_text(KEEPS, encoding="utf-8")
    return tmp_path / "told"


@pytest.fixture(name="hooked")
def _hooked(settings: Settings, told: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings with a command that keeps what it is told; a secret stands in the environment."""
    monkeypatch.setenv("PLAYER_API_KEY", "0a1b2c3d4e5f60718293a4b5c6d7e8f9")
    upgrade(settings)
    command = f'"{Path(sys.executable).as_posix()}" "{told.with_name("keep it.py").as_posix()}" {told.as_posix()}'
    return with_hook(settings, on_change=command)


def with_hook(settings: Settings, **hooks: str) -> Settings:
    """Return *settings* with somebody who wants to know."""
    return settings.model_copy(update={"monitoring": settings.monitoring.model_copy(update=hooks)})


@pytest.fixture(name="engine")
def _engine(hooked: Settings) -> Iterator[Engine]:
    """The database that remembers the verdict."""
    engine = create_engine_for(hooked)
    yield engine
    engine.dispose()


def lines(told: Path) -> list[dict[str, Any]]:
    """Return what was told."""
    return [json.loads(line) for line in told.read_text().splitlines()] if told.exists() else []


def test_a_change_is_told_once(hooked: Settings, engine: Engine, told: Path) -> None:
    """Not while it lasts, and again when it is another one, or over."""
    causes = [ALL_WELL, ALL_WELL, ANOTHER_NATURE, ANOTHER_NATURE, ANOTHER_POPULATION, ALL_WELL, ALL_WELL]

    changed = [notice(engine, hooked, verdict(cause)) for cause in causes]

    assert [False, False, True, False, True, True, False] == changed
    assert ["all well", "another nature", "another population"] == [one["before"]["diagnosis"] for one in lines(told)]
    assert ["another nature", "another population", "all well"] == [one["now"]["diagnosis"] for one in lines(told)]


def test_too_few_rows_are_no_verdict(hooked: Settings, engine: Engine, told: Path) -> None:
    """After a new model an alarm that goes on is not told a second time."""
    for cause in (ANOTHER_NATURE, TOO_FEW_ROWS, ANOTHER_NATURE):
        notice(engine, hooked, verdict(cause))

    assert ["another nature"] == [one["now"]["diagnosis"] for one in lines(told)]


def test_it_says_whose_verdict_it_is_and_what_to_do(hooked: Settings, engine: Engine, told: Path) -> None:
    """In words that can be sent on; no secret of ours is in what the command gets."""
    notice(engine, hooked, verdict(ANOTHER_NATURE))

    (one,) = lines(told)
    assert (hooked.project.name, "testing", "m1") == (one["project"], one["environment"], one["model"])
    assert "the same cases now turn out differently. A sentence." in one["text"]
    assert "Some advice." == one["advice"]
    assert [] == one["secrets"]
    assert "0a1b2c3d" not in json.dumps(one)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_of_many_that_notice_it_one_is_told(kind: str, request: pytest.FixtureRequest, settings: Settings) -> None:
    """However close together they look, on each kind of database."""
    if kind == "postgresql":
        settings = with_database(settings, request.getfixturevalue("postgres_url"))
    upgrade(settings)
    engines = [create_engine_for(settings) for _ in range(8)]
    found = []
    for title in ("another nature", "all well", "another nature"):
        with ThreadPoolExecutor(8) as pool:
            news = pool.map(lambda engine, title=title: change_verdict(engine, "ok", title, NOON), engines)
            found.append([one for one in news if one is not None])
    for engine in engines:
        engine.dispose()

    assert [[("", "")], [("ok", "another nature")], [("ok", "all well")]] == found


def test_without_anybody_to_tell_nothing_is_kept(settings: Settings, hooked: Settings, engine: Engine) -> None:
    """Nor noticed: who turns it on later is told of what is then."""
    assert not notice(engine, settings, verdict(ANOTHER_NATURE))
    assert notice(engine, hooked, verdict(ANOTHER_NATURE))


class Listener(http.server.BaseHTTPRequestHandler):
    """Keeps what it is sent, and answers with a status."""

    bodies: list[Any] = []  # noqa: RUF012 - one for the test
    status = 204

    def do_POST(self) -> None:
        """Keep the body."""
        self.bodies.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(name="listener")
def _listener() -> Iterator[str]:
    """An address that listens."""
    Listener.bodies, Listener.status = [], 204
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_an_address_is_told_too(hooked: Settings, engine: Engine, told: Path, listener: str) -> None:
    """The same as the command, as JSON."""
    notice(engine, with_hook(hooked, on_change_url=f"{listener}/hook"), verdict(ANOTHER_NATURE))

    assert [("/hook", "another nature")] == [(path, body["now"]["diagnosis"]) for path, body in Listener.bodies]
    assert 1 == len(lines(told))


@pytest.mark.parametrize(
    ("hook", "said"),
    [
        (
            {"on_change": "no-such-program --token hush"},
            "the command 'no-such-program' was not told: FileNotFoundError",
        ),
        ({"on_change": f'"{sys.executable}" -c "raise SystemExit(3)"'}, "was not told: exit code 3"),
        ({"on_change_url": "http://127.0.0.1:9/hush"}, "the address at 127.0.0.1 was not told: URLError"),
    ],
)
def test_one_that_fails_is_a_line_of_the_log(
    settings: Settings, hook: dict[str, str], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Without its arguments and the path of its address, which may be a secret; and it is not tried again."""
    upgrade(settings)
    engine = create_engine_for(settings)
    hooked = with_hook(settings, **hook)
    with caplog.at_level(logging.INFO, logger="player.monitoring"):
        assert notice(engine, hooked, verdict(ANOTHER_NATURE))
        assert not notice(engine, hooked, verdict(ANOTHER_NATURE))
    engine.dispose()

    assert 1 == len(caplog.messages)
    assert said in caplog.messages[0]
    assert "hush" not in caplog.text


def test_an_answer_that_is_none_is_told_by_its_number(
    hooked: Settings, engine: Engine, listener: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The address is there, and does not want it."""
    Listener.status = 500
    notice(engine, with_hook(hooked, on_change_url=f"{listener}/hush"), verdict(ANOTHER_NATURE))

    assert "HTTP 500" in caplog.messages[-1]
    assert "hush" not in caplog.messages[-1]


def test_a_database_that_does_not_remember_is_a_line_of_the_log(
    hooked: Settings, engine: Engine, told: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """From before this version: better nobody is told than everybody at each look."""
    Verdict.__table__.drop(engine)

    assert not notice(engine, hooked, verdict(ANOTHER_NATURE))
    assert "the database does not keep it" in caplog.messages[-1]
    assert [] == lines(told)


def test_player_monitor_tells(
    model_settings: Settings, hooked: Settings, told: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a timer is enough; its exit code stays."""
    found = verdict(ANOTHER_NATURE)
    found.to_text = lambda: "THE REPORT"
    monkeypatch.setattr(reports, "report", lambda *_: found)
    monkeypatch.setenv("PLAYER_MONITORING__ON_CHANGE", hooked.monitoring.on_change)

    codes = [CliRunner().invoke(main, ["-e", "testing", "monitor", "--check"]).exit_code for _ in range(2)]

    assert [3, 3] == codes
    assert 1 == len(lines(told))


@pytest.mark.parametrize("url", ["ftp://host/x", "http://user:word@host/x", "hook", "http://"])
def test_an_address_is_one_without_a_password(url: str) -> None:
    """Nor any other kind."""
    with pytest.raises(ValidationError):
        Monitoring(window_rows=1, psi_warn=1, psi_alarm=1, min_rows=1, on_change_url=url)


def test_a_command_is_one_that_can_be_read(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An open quotation mark is refused when the configuration is read."""
    monkeypatch.setenv("PLAYER_MONITORING__ON_CHANGE", 'say "it')
    with pytest.raises(ConfigError, match="on_change"):
        load_settings("testing")
