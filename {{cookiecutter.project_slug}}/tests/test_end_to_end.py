"""A whole game: the customer asks the running service, and the database holds what was said."""

import json
import os
import re
import subprocess
import sys

import pytest
import sqlalchemy as sa

from player.config import Settings, load_settings
from player.storage.tables import create_engine_for
from tests.conftest import PROJECT
from tests.postgres import free_port
from tests.service import Service
from tests.storage_rows import count


def play(service: Service, seed: int) -> dict[str, object]:
    """Play a short game through all rounds by the customer's command, and return its figures."""
    command = [sys.executable, "-m", "customer.cli", "play", "--json", "--requests", "40", "--seed", str(seed)]
    # The deadline is generous: this test is about answers, not about the speed of the machine that runs it.
    command += ["--url", f"http://127.0.0.1:{service.port}", "--deadline", "20"]
    command += ["--output", str(service.settings.home / "output")]
    home = service.settings.home  # the customer reads the contract in the folder where it is started
    variables = {**os.environ, "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300, cwd=home, env=variables)
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_a_game_is_answered_stored_and_the_same_again(
    model_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every request is answered, each answer is one row, every label arrives; the seed decides the points."""
    monkeypatch.setenv("PLAYER_SERVER__WORKERS", "2")
    service = Service(model_settings)
    try:
        first, again, other = play(service, 1), play(service, 1), play(service, 2)
    finally:
        service.stop()

    engine = create_engine_for(model_settings)
    predictions, labels = count(engine)
    engine.dispose()
    games = (first, again, other)
    rounds = [part for game in games for part in game["rounds"]]  # type: ignore[attr-defined]
    answered = sum(part["correct"] + part["wrong"] for part in rounds)
    probes = 1 + len(games)  # the service was asked whether it is there, and each game warms up once
    assert [part["failed"] for part in rounds] == [0] * len(rounds)
    assert answered < predictions <= answered + probes
    assert labels == sum(game["labels_sent"] for game in games)  # type: ignore[misc]
    assert first["rounds"][0]["points"] == again["rounds"][0]["points"]  # type: ignore[index]
    assert [part["points"] for part in first["rounds"]] == [part["points"] for part in again["rounds"]]  # type: ignore[attr-defined]
    assert [part["best"] for part in first["rounds"]] != [part["best"] for part in other["rounds"]]  # type: ignore[attr-defined]


def test_the_other_contract_plays_the_same_game(model_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the table of the example file in config/base.toml, points and labels are those of the usual contract."""
    monkeypatch.setenv("PLAYER_SERVER__WORKERS", "1")
    service = Service(model_settings)
    try:
        usual = play(service, 1)
    finally:
        service.stop()
    path = model_settings.home / "config" / "base.toml"
    example = (path.parent / "examples" / "other-contract.toml").read_text(encoding="utf-8")
    table = re.compile(r"^\[contract\].*?(?=^\[|\Z)", re.MULTILINE | re.DOTALL)
    (other,) = table.findall(example)
    path.write_text(table.sub(lambda _: other, path.read_text(encoding="utf-8")), encoding="utf-8")
    settings = load_settings("testing")
    service = Service(settings)
    try:
        game = play(service, 1)
    finally:
        service.stop()
    engine = create_engine_for(settings)
    _, stored = count(engine)
    engine.dispose()

    assert "/update" == settings.contract.feedback
    assert [part["points"] for part in usual["rounds"]] == [part["points"] for part in game["rounds"]]  # type: ignore[attr-defined]
    assert 240 == game["labels_sent"] == usual["labels_sent"]
    assert 480 == stored


def test_every_answer_outlives_a_kill(model_settings: Settings) -> None:
    """Killed after a round and asked the same again, the service gives every first answer from its stored row."""
    serve = f'"{sys.executable}" -m player.cli -e {model_settings.environment} serve --port {{port}}'
    command = [sys.executable, "-m", "customer.cli", "play", "--json", "--requests", "60", "--deadline", "20"]
    command += ["--url", f"http://127.0.0.1:{free_port()}", "--start", serve, "--rounds", "as trained,last round"]
    command += ["--output", str(model_settings.home / "output")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    first, last = json.loads(done.stdout)["rounds"]

    engine = create_engine_for(model_settings)
    with engine.connect() as connection:
        stored = list(connection.execute(sa.text("SELECT request_id FROM predictions")).scalars())
    engine.dispose()
    assert (60, 0, 60) == (first["asked"], first["failed"], last["asked"])
    assert (60, 60, 0) == (last["points"], last["correct"], last["failed"])
    assert 61 == len(stored) == len(set(stored))  # with the warm-up
