"""`player retrain` and `player schedule`, as they are typed."""

import json
import os
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from player.cli import main
from player.config import Settings
from player.learning import processors
from player.retraining import retrain, schedule
from player.retraining.report import KEPT, Outcome


@pytest.fixture(name="calls")
def _calls(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What the commands wanted done; nothing of it is."""
    calls: list[tuple[Any, ...]] = []
    outcome = Outcome(KEPT, "Kept it.", warnings=["Labels are odd."], page="output/page.html")
    monkeypatch.setattr(processors, "be_nice", lambda: calls.append(("nice",)))
    monkeypatch.setattr(retrain, "retrain", lambda _, *wanted: calls.append(wanted) or outcome)
    scheduler = SimpleNamespace(start=lambda: calls.append(("started",)))
    monkeypatch.setattr(schedule, "create_scheduler", lambda *wanted: calls.append(wanted) or scheduler)
    return calls


def run(*arguments: str) -> Any:
    """Run `player -e testing` with *arguments*."""
    return CliRunner().invoke(main, ["-e", "testing", *arguments], catch_exceptions=False)


def test_a_person_reads_the_sentence_and_where_the_report_is(calls: list[Any]) -> None:
    """Warnings go where the log goes. By default it retrains always and activates what is better."""
    result = run("retrain")

    assert (0, "Kept it.\nReport: output/page.html\n") == (result.exit_code, result.stdout)
    assert "Warning: Labels are odd." in result.stderr
    assert [("nice",), (False, True)] == calls


def test_options_are_passed_on(calls: list[Any]) -> None:
    """And a machine reads JSON, two spaces deep."""
    result = run("retrain", "--if-drifted", "--no-activate", "--json")

    assert (True, False) == calls[-1]
    assert "Kept it." == json.loads(result.stdout)["sentence"]


def test_a_schedule_starts_retraining_of_its_environment(calls: list[Any]) -> None:
    """It says what it does before it does it."""
    result = run("schedule", "--every", "90s")

    command = schedule.retrain_command("testing")
    assert [(command, 90), ("started",)] == calls
    assert "Retraining testing every 90s when it drifted. Stop with Ctrl-C.\n" == result.stdout


@pytest.mark.parametrize(("text", "seconds"), [("1s", 1), ("1m", 60), ("1h", 3600), (" 2d ", 172800)])
def test_periods_are_in_seconds(text: str, seconds: int) -> None:
    """Seconds, minutes, hours and days."""
    assert seconds == schedule.read_period(text)


def test_a_run_that_fails_is_logged_without_the_name_of_python(caplog: pytest.LogCaptureFixture) -> None:
    """The command is named from the module on."""
    command = schedule.retrain_command("testing")
    schedule.run_once([*command[:1], "-c", "raise SystemExit(4)"])

    assert "raise SystemExit(4) ended with exit code 4" == caplog.messages[-1]
    assert not caplog.messages[:-1]


def test_a_run_that_succeeds_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """It has its own log."""
    assert 0 == schedule.run_once([*schedule.retrain_command("testing")[:1], "-c", ""])
    assert not caplog.messages


def test_a_heavy_command_lets_others_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lower priority where there is one, and one thread unless somebody chose another number."""
    steps: list[int] = []
    monkeypatch.setattr(os, "nice", steps.append, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)

    processors.be_nice()

    assert [10] == steps
    assert ("3", "1") == (os.environ["OMP_NUM_THREADS"], os.environ["MKL_NUM_THREADS"])


def test_without_priorities_there_is_still_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows has no `nice`."""
    monkeypatch.delattr(os, "nice", raising=False)
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)

    processors.be_nice()

    assert "1" == os.environ["OPENBLAS_NUM_THREADS"]
