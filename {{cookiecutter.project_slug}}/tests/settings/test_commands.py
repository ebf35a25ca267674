"""`player config` and `player doctor`, as they are typed."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result
from pydantic import SecretStr

from player.cli import main
from player.errors import ConfigError
from player.serving import checks, doctor
from player.settings import commands
from player.settings.commands import masked
from player.settings.controls import Control


def run(*arguments: str) -> Result:
    """Run `player -e testing` with *arguments*."""
    return CliRunner().invoke(main, ["-e", "testing", *arguments], catch_exceptions=False)


def test_every_setting_is_one_line(home: Path) -> None:
    """Name, value, and where it comes from; tables, secrets, and what stands alone."""
    result = run("config")
    lines = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines()}

    assert 0 == result.exit_code
    assert ["5001", "config/testing.toml"] == lines["server.port"]
    assert ["testing"] == lines["environment"][:1]
    assert ["(not", "set)"] == lines["signing_key"][:2]
    assert "" == result.stderr


def test_machines_read_the_same(home: Path) -> None:
    """Two spaces deep, numbers as numbers."""
    result = run("config", "--json")

    assert {"value": 5001, "from": "config/testing.toml"} == json.loads(result.stdout)["server.port"]
    assert '\n  "' in result.stdout


def test_of_a_database_address_the_password_is_hidden() -> None:
    """Of every other secret all; one that is not set is named so."""
    assert "(not set)" == masked("signing_key", None)
    assert "********" == masked("signing_key", SecretStr("postgresql://u:p@host/name"))
    assert "postgresql://u:***@host/name" == masked("database_url", SecretStr("postgresql://u:p@host/name"))


@pytest.fixture(name="three")
def _three(home: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Control, ...]:
    """Controls of which one is met, one is missing and one is not needed."""
    three = tuple(
        Control(name, lambda _, met=met: met, f"reason {name}", f"fix {name}", required=lambda _, need=need: need)
        for name, met, need in (("first", True, True), ("second", False, True), ("third", False, False))
    )
    monkeypatch.setattr(doctor, "CONTROLS", three)
    monkeypatch.setattr(checks, "CHECKS", ())
    return three


def test_doctor_explains_what_is_missing_and_only_that(three: tuple[Control, ...]) -> None:
    """Why, and what to do, indented; the exit code is 1."""
    result = run("doctor")

    assert 1 == result.exit_code
    assert [
        "met         first",
        "MISSING     second",
        "            reason second",
        "            -> fix second",
        "not needed  third",
    ] == result.stdout.splitlines()


def test_doctor_tells_machines_everything(three: tuple[Control, ...]) -> None:
    """Each control, met or not; the exit code is the same."""
    result = run("doctor", "--json")

    assert 1 == result.exit_code
    second = {"control": "second", "met": False, "required": True, "reason": "reason second", "fix": "fix second"}
    assert second.items() <= json.loads(result.stdout)[1].items()


def test_doctor_warns_of_what_a_person_weighs(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What there is, and what it lacks; a warning alone is no reason to end with 1."""

    def lacks(_: object) -> None:
        raise ConfigError("it could reach the network")

    cage = checks.Check("cage", lacks, warns=True, how=lambda: "limits")
    monkeypatch.setattr(doctor, "CONTROLS", ())
    monkeypatch.setattr(checks, "CHECKS", (cage, checks.Check("well", lambda _: None, warns=True)))
    result = run("doctor")

    assert 0 == result.exit_code
    assert [
        "warning     cage", "            limits", "            it could reach the network", "met         well"
    ] == result.stdout.splitlines()  # fmt: skip


def test_when_all_is_well_doctor_ends_with_zero(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a script can ask it."""
    monkeypatch.setattr(doctor, "CONTROLS", ())
    monkeypatch.setattr(checks, "CHECKS", ())

    assert 0 == run("doctor").exit_code


def test_config_says_what_is_not_safe(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the table, where the log goes."""
    missing = SimpleNamespace(name="API key", fix="set it")
    monkeypatch.setattr(commands, "unmet", lambda _: [missing])

    assert "not safe to start: API key (set it)\n" == run("config").stderr
