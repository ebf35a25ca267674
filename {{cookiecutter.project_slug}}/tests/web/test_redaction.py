"""Where values must not be seen, no log line, page or error shows one, whatever goes wrong."""

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import KEYS
from flask import Flask
from sqlalchemy.exc import OperationalError

from player.app import create_app
from player.config import load_settings
from player.logging_config import OneLineFormatter
from player.model import saving, store
from player.model.fast.scorecard import Scorecard, Scorecards
from player.storage.migrations import upgrade
from player.training import Trained

MARKER, NUMBER = "Xmarkerx", 987654.125
FEATURES = {"housing": MARKER, "income": NUMBER, "age": f"{MARKER} years", "region": [MARKER], f"key {MARKER}": 1}
AUTHORIZED = {"Authorization": f"Bearer {KEYS['PLAYER_API_KEY']}"}


class Lines(logging.Handler):
    """Keeps every line, as it would stand in the log."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(OneLineFormatter("%(levelname)s %(message)s"))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        self.lines.append(self.format(record))


@pytest.fixture(name="strict_app")
def _strict_app(home: Path, monkeypatch: pytest.MonkeyPatch, trained: Trained) -> Any:
    """The application of acceptance with a model, and the lines it logs."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    settings = load_settings("acceptance")
    upgrade(settings)
    store.activate(saving.save(trained, settings).version, settings)
    app = create_app(settings)
    lines = Lines()
    logging.getLogger().addHandler(lines)
    yield app, lines
    logging.getLogger().removeHandler(lines)
    app.extensions["player"].stop()


def ask(app: Flask, number: int) -> Any:
    """Ask about the marked applicant."""
    return app.test_client().post("/api", json={"request_id": f"r{number}", "features": FEATURES})


def seen(texts: list[str]) -> list[str]:
    """Return the texts that show a value."""
    return [text for text in texts if MARKER in text or str(NUMBER) in text or "987654" in text]


def test_no_log_line_shows_a_value(strict_app: tuple[Flask, Lines]) -> None:
    """Neither of a good answer, nor of repairs, odd bodies, repeated ids and labels."""
    app, lines = strict_app
    client = app.test_client()
    assert 200 == ask(app, 1).status_code == ask(app, 1).status_code
    client.get("/api", query_string={"housing": MARKER, "income": str(NUMBER)})
    client.post("/api", data=f'{{"features": {{"housing": "{MARKER}"')
    client.post("/feedback", json={"request_id": "r1", "label": 1}, headers=AUTHORIZED)
    client.post("/feedback", json={"request_id": "r1"}, headers=AUTHORIZED)
    app.extensions["player"].writer.ship()

    assert len(lines.lines) > 5
    assert [] == seen(lines.lines)


def test_not_when_the_model_fails(strict_app: tuple[Flask, Lines], monkeypatch: pytest.MonkeyPatch) -> None:
    """A library's error often quotes the value it stumbled over."""
    app, lines = strict_app
    link = app.extensions["player"].predictor.chain.links[0]

    def fail(_: Any) -> None:
        raise ValueError(f"could not convert string to float: {MARKER!r}, {NUMBER}")

    monkeypatch.setattr(link, "plan", None)
    monkeypatch.setattr(link.model.pipeline[-1], "predict_proba", fail)
    answer = ask(app, 1)

    assert answer.get_json()["degraded"]
    assert any("stepped over" in line for line in lines.lines)
    assert [] == seen(lines.lines)


def test_not_when_the_plan_is_wrong(strict_app: tuple[Flask, Lines]) -> None:
    """The pipeline answers, and nothing is said of the row."""
    app, lines = strict_app
    link = app.extensions["player"].predictor.chain.links[0]
    broken = Scorecards((Scorecard(float("nan"), (), ()),))
    link.plan = replace(link.plan, members=(replace(link.plan.members[0], source=broken),))

    assert not ask(app, 1).get_json()["degraded"]
    assert [] == seen(lines.lines)


def test_not_when_the_database_fails(strict_app: tuple[Flask, Lines], monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver's error brings the statement with its parameters."""
    app, lines = strict_app

    def fail(*_: Any) -> None:
        raise OperationalError("INSERT INTO predictions …", {"features": json.dumps(FEATURES)}, Exception(MARKER))

    ask(app, 1)
    monkeypatch.setattr("player.storage.shipper.send", fail)
    app.extensions["player"].writer.ship()

    assert any("does not take rows" in line for line in lines.lines)
    assert [] == seen(lines.lines)


def test_not_when_the_code_fails(strict_app: tuple[Flask, Lines], monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake of ours is logged with where it happened, not with what it happened to."""
    app, lines = strict_app

    def fail(*_: Any) -> None:
        raise KeyError(MARKER)

    monkeypatch.setattr("player.web.api.ask_model", fail)
    answer = ask(app, 1)

    assert 500 == answer.status_code
    assert any("KeyError" in line for line in lines.lines)
    assert [] == seen([*lines.lines, answer.get_data(as_text=True)])


def test_no_page_shows_a_value(strict_app: tuple[Flask, Lines]) -> None:
    """What is computed from many rows is shown, what one applicant said is not."""
    app, _ = strict_app
    for number in range(30):
        ask(app, number)
    app.extensions["player"].writer.ship()
    client = app.test_client()
    pages = ["/dashboard", "/docs", "/metrics", "/openapi.json", "/version", "/health/ready", "/nothing", "/feedback"]
    answers = [client.get(page, headers=AUTHORIZED) for page in pages]

    why = client.get("/dashboard/answers/r1", headers=AUTHORIZED)
    answers += [why, client.get("/dashboard/features/housing", headers=AUTHORIZED)]
    assert 200 == answers[-1].status_code
    assert [200] * 6 == [answer.status_code for answer in answers[:6]]
    assert 200 == why.status_code
    assert "are not shown in this environment" in why.get_data(as_text=True)
    assert [] == seen([answer.get_data(as_text=True) for answer in answers])
