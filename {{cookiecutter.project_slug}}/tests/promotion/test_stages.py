"""What belongs to a stage: its keys, its data, the comparison of production with acceptance, all four at once."""

import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from player.cli import main
from player.config import Settings, load_settings
from player.errors import DataError, PromotionRefused
from player.model import saving, store
from player.promotion import dtap
from player.promotion.stage_data import SAMPLE_ROWS, TEST_ROWS, fill
from player.settings.controls import key_files_private, strong
from player.storage import queries
from player.storage.migrations import upgrade
from player.storage.tables import create_engine_for
from player.storage.writer import LabelRow, PredictionRow, Writer
from player.training import Trained
from tests.postgres import free_port
from tests.service import wait_until

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(name="staged")
def _staged(keys: Path, trained: Trained) -> Path:
    """A project with keys and tables in all four environments, and the same model in each."""
    manifest = saving.save(trained, load_settings("development"))
    _, data = store.verify(manifest.version, load_settings("development"))
    for environment in ("development", "testing", "acceptance", "production"):
        settings = load_settings(environment)
        upgrade(settings)
        store.put(manifest, data, settings)
        store.activate(manifest.version, settings)
    return keys


def stored(environment: str) -> Any:
    """Return the rows of an environment's database."""
    engine = create_engine_for(load_settings(environment))
    rows = queries.recent(engine, 100_000)
    engine.dispose()
    return rows


def answer(environment: str, count: int, pred: int, model: str, latency_ms: float) -> None:
    """Store *count* answers *pred* to the same questions; the label of each is 1."""
    writer = Writer(load_settings(environment))
    writer.start()
    writer.put_predictions(
        [PredictionRow(f"r{i}", NOW, model, pred, 0.5, False, {"age": i}, [], latency_ms, "test") for i in range(count)]
    )
    writer.put_labels([LabelRow(f"{environment}{i}", f"r{i}", 1, NOW, "test") for i in range(count)])
    writer.stop()


def run(*arguments: str) -> Result:
    """Call `player` with *arguments*."""
    return CliRunner().invoke(main, list(arguments))


def test_keys_are_good_and_private_and_stay(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each environment gets two different ones that only their owner can read; a second call changes nothing."""
    result = run("keys")
    for variable, name in re.findall(r"export (\w+)=(\S+)", result.output):
        monkeypatch.setenv(variable, str(home / name))
    before = {path: path.read_text(encoding="utf-8") for path in (home / "keys").iterdir()}

    assert "8 keys made" in result.output
    assert 12 == len(set(before.values()))  # two secrets and a public key each
    for environment in ("acceptance", "production"):
        settings = load_settings(environment)
        assert strong(settings.signing_key)
        assert strong(settings.api_key)
        assert key_files_private(settings)
    assert "0 keys made" in run("keys").output
    assert before == {path: path.read_text(encoding="utf-8") for path in (home / "keys").iterdir()}


def test_testing_has_the_same_few_rows_each_time(staged: Path) -> None:
    """The newest rows of the training table are there once, and what others asked is still there."""
    answer("testing", 3, 1, "older", 1.0)
    for _ in range(2):
        filled = fill(load_settings("testing"))
        rows = stored("testing")

        assert {"r0", "r1", "r2"} <= set(rows["request_id"])
        rows = rows[~rows["request_id"].isin(["r0", "r1", "r2"])]
        assert TEST_ROWS == filled.rows == filled.labels == len(rows)
        assert {f"testing-{number}" for number in range(2000 - TEST_ROWS, 2000)} == set(rows["request_id"])
        assert rows["label"].notna().all()


def test_development_has_a_sample(staged: Path) -> None:
    """Of the training table as long as nobody asked production, and of production from then on."""
    first = fill(load_settings("development"))
    answer("production", SAMPLE_ROWS + 100, 1, "live", 1.0)
    second = fill(load_settings("development"))

    assert (SAMPLE_ROWS, "a sample of data/train_data.csv") == (first.rows, first.source)
    assert (SAMPLE_ROWS, "a sample of production") == (second.rows, second.source)
    assert SAMPLE_ROWS == sum(name.startswith("r") for name in stored("development")["request_id"])


def test_confidential_rows_stay_in_production(staged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where confidentiality is high no real request goes to a developer's machine."""
    answer("production", 20, 1, "live", 1.0)
    monkeypatch.setenv("PLAYER_RATING__CONFIDENTIALITY", "high")

    assert "a sample of data/train_data.csv" == fill(load_settings("development")).source


def test_acceptance_is_a_copy_of_production(staged: Path) -> None:
    """The same requests and labels, answered by acceptance's own model."""
    answer("production", 20, 1, "live", 1.0)
    filled = fill(load_settings("acceptance"))
    here, there = stored("production"), stored("acceptance")

    assert (20, 20, "production") == (filled.rows, filled.labels, filled.source)
    assert here[["request_id", "received_at", "label"]].equals(there[["request_id", "received_at", "label"]])
    assert here["features"].tolist() == there["features"].tolist()
    assert {store.current_manifest(load_settings("acceptance")).version} == set(there["model"])


def test_nothing_is_filled_into_production_and_nothing_copied_from_nowhere(staged: Path) -> None:
    """Production has real data only; before it has any there is nothing to copy."""
    with pytest.raises(DataError, match="from its users"):
        fill(load_settings("production"))
    with pytest.raises(DataError, match="no requests yet"):
        fill(load_settings("acceptance"))


def test_production_and_its_shadow_are_compared(staged: Path) -> None:
    """Only the requests that both had count; points are those of production's labels."""
    answer("production", 100, 0, "old", 8.0)
    answer("acceptance", 60, 1, "new", 2.0)
    found = json.loads(run("shadow", "--json").output)

    assert (60, 60, 60, {"0 -> 1": 60}) == tuple(found[key] for key in ("rows", "labelled", "changed", "changes"))
    assert ("old", 0, 8.0) == tuple(found["before"][key] for key in ("model", "points", "p50_ms"))
    assert ("new", 60, 2.0) == tuple(found["after"][key] for key in ("model", "points", "p50_ms"))
    assert "it is no chance" in found["verdict"]
    assert all(word in run("shadow").output for word in ("production", "acceptance", "60 answers differ"))


def test_without_common_requests_the_comparison_says_what_to_do(staged: Path) -> None:
    """The error names the setting that was forgotten."""
    answer("production", 3, 0, "old", 8.0)
    result = run("shadow")

    assert 1 == result.exit_code
    assert "set [shadow].url" in result.stderr


@pytest.fixture(name="own_ports")
def _own_ports(home: Path, small_gate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ports that are free here, few workers, and a small unit test as the gate."""
    for environment in ("development", "testing", "acceptance", "production"):
        path = home / "config" / f"{environment}.toml"
        text = re.sub(r"port = \d+\n", "", path.read_text(encoding="utf-8"))
        path.write_text(text.replace("[server]", f"[server]\nport = {free_port()}"), encoding="utf-8")
    monkeypatch.setenv("PLAYER_SERVER__WORKERS", "1")
    monkeypatch.setattr("os.environ", dict(os.environ))  # use_keys writes into it


@pytest.mark.usefixtures("own_ports")
def test_all_four_run_side_by_side(home: Path) -> None:
    """From an empty project to four services with a model each; what production is asked, acceptance is asked too."""
    done = dtap.prepare()
    again = dtap.prepare()
    services = dtap.start_all()
    try:
        for environment in services:
            assert dtap.is_ready(load_settings(environment))
        address = dtap.address(load_settings("production"))
        assert ask(f"{address}/api?age=42&request_id=mirrored")["model"] != "none"
        wait_until(lambda: "mirrored" in stored("acceptance")["request_id"].tolist())
    finally:
        dtap.stop_all(services)

    assert 14 == len(done)  # eight keys, four models, data for development and testing
    assert [] == again
    assert {0} == {process.returncode for name, process in services.items() if name != "development"}
    assert not any(dtap.is_ready(load_settings(environment)) for environment in services)


def test_a_port_in_a_variable_is_the_first_of_four(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would otherwise be the port of all four; the shadow is found at its own."""
    started: list[tuple[list[str], dict[str, str]]] = []
    monkeypatch.setenv("PLAYER_SERVER__PORT", "7110")
    monkeypatch.setattr(dtap, "wait_until_ready", lambda settings, process: None)
    monkeypatch.setattr("subprocess.Popen", lambda command, env, **more: started.append((command, env)))

    services = dtap.start_all()

    assert ["7110", "7111", "7112", "7113"] == [command[command.index("--port") + 1] for command, _ in started]
    assert [f"http://127.0.0.1:{port}" for port in range(7110, 7114)] == [
        dtap.address(load_settings(environment)) for environment in services
    ]
    assert [None, None, None, "http://127.0.0.1:7112"] == [more.get("PLAYER_SHADOW__URL") for _, more in started]


def ask(url: str) -> Any:
    """Return the JSON at *url*."""
    import urllib.request

    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.loads(answer.read())


@pytest.mark.usefixtures("own_ports")
def test_high_integrity_waits_for_a_second_person(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody promotes alone there, not even the command that makes everything else."""
    monkeypatch.setenv("PLAYER_RATING__INTEGRITY", "high")

    with pytest.raises(PromotionRefused, match="acceptance waits for a second person"):
        dtap.prepare()

    assert store.pointer(load_settings("testing")) is not None
    assert store.pointer(load_settings("acceptance")) is None


@pytest.mark.usefixtures("own_ports")
def test_one_that_does_not_start_stops_the_others(home: Path, settings: Settings) -> None:
    """The error has the last line of its log."""
    dtap.prepare()
    (home / "models" / "acceptance" / "current.json").write_text("{}", encoding="utf-8")

    with pytest.raises(Exception, match=r"acceptance did not get ready: Error: .*current\.json is broken"):
        dtap.start_all()

    assert not any(dtap.is_ready(load_settings(environment)) for environment in ("testing", "production"))
