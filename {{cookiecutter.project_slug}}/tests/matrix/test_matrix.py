"""Whatever is wrong when a command starts: one sentence with the remedy, no row lost, and a healthy start afterwards.

`tox -e matrix` lets every condition meet every command in testing, and in production those that it stops and those that
start. PLAYER_TEST_MATRIX=short is the short walk: each condition meets `player serve`, or a command that it must stop.
"""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from conditions import CONDITIONS, Condition
from conftest import LEVELS, PROJECT, clean_environment, scratch_project
from place import COMMANDS, ERASED, IS_ROOT, ROWS, SETPRIV, TABLE_ROWS, WAITING, Place, Said, Zygote, fill

from player.cli import main

FULL = os.environ.get("PLAYER_TEST_MATRIX", "short") == "full"
IDS = {f"shipped-{i}" for i in range(ROWS)} | {f"waiting-{i}" for i in range(WAITING)}
REPORTS = ("doctor", "doctor --fix", "inspect", "erase")  # what is wrong stands in what they show
EVEN_WHEN_WELL = {
    "join": "nobody hosts here",
    "shadow": "nothing was mirrored",
    "skew": "no request has these ids",
    "fill in production": "its data come from its users",
}
pytestmark = pytest.mark.skipif(os.name != "posix", reason="the conditions are made with POSIX means")


def cells() -> Iterator[tuple[str, str, str]]:
    """Yield each environment, condition and command that is tried."""
    for name, condition in CONDITIONS.items():
        stopped = condition.stops or ("serve",)
        if not FULL:
            yield "testing", name, stopped[0]
            continue
        for command in COMMANDS:
            yield "testing", name, command
        for command in sorted({"serve", "doctor", *stopped, *condition.strict}):
            yield "production", name, command


@pytest.fixture(name="zygote", scope="session")
def _zygote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    """What runs the commands."""
    zygote = Zygote(tmp_path_factory.mktemp("zygote"))
    yield zygote
    zygote.close()


def variables() -> dict[str, str]:
    """Return the variables of a shell in which nothing of the player is set but a low rating."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("PLAYER_", "PROMETHEUS_"))}
    return {**mine, **LEVELS, "PLAYER_SERVER__WORKERS": "1", "PLAYER_MODEL__TRIAL_SECONDS": "300"}


@pytest.fixture(name="whole", scope="session")
def _whole(tmp_path_factory: pytest.TempPathFactory, zygote: Zygote) -> Path:
    """A project with everything in it, made once."""
    home = scratch_project(tmp_path_factory.mktemp("matrix") / "project")
    table = (PROJECT / "data" / "train_data.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (home / "data" / "train_data.csv").write_text("".join(table[:TABLE_ROWS]), encoding="utf-8")
    (home / "in.csv").write_text("".join(table[:100]), encoding="utf-8")
    place = Place(home, "development", zygote, variables())
    said = place.run("dtap --prepare")
    assert 0 == said.code, said
    with pytest.MonkeyPatch.context() as patch:
        mask = os.umask(0o077)
        for environment in ("testing", "production"):
            place = Place(home, environment, zygote, variables())
            set_environment(patch, place)
            fill(place)
        os.umask(mask)
    return home


def set_environment(patch: pytest.MonkeyPatch, place: Place) -> None:
    """Let this process see the project as its commands do."""
    clean_environment(patch, place.home)
    for name, value in place.variables.items():
        if name.startswith("PLAYER_"):
            patch.setenv(name, value)


@pytest.fixture(name="place")
def _place(whole: Path, zygote: Zygote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
           environment: str) -> Iterator[Place]:  # fmt: skip
    """A copy of it for one cell."""
    home = tmp_path / "project"
    shutil.copytree(whole, home)
    place = Place(home, environment, zygote, variables())
    set_environment(monkeypatch, place)
    with place.on_leaving:
        yield place
    shutil.rmtree(home)


@pytest.mark.parametrize(("environment", "name", "command"), list(cells()))
def test_it_says_what_is_wrong_and_gets_well(place: Place, environment: str, name: str, command: str) -> None:
    """One sentence or the work done, no traceback; then the remedy is followed, and it starts with all its rows."""
    condition = CONDITIONS[name]
    if ("closed" in name or "only" in name or "disk" in name) and IS_ROOT and not SETPRIV:
        pytest.skip("needs setpriv, to be an ordinary user")
    if "'s disk" in name and not IS_ROOT:
        pytest.skip("needs root, to mount a small disk")
    with condition.holds(place):
        said = place.run(COMMANDS[command])
        if place.kill_after == 0:
            check(said, condition, command, environment)
    place.kill_after = 0
    for remedy in condition.remedy:
        assert 2 > place.run(remedy).code, remedy
    again = place.starts()
    assert (0, "") == (again.code, again.errors if again.code else ""), again
    if not condition.loses:
        assert place.rows() >= IDS - ({ERASED} if command == "erase" else set())
    if command in must_stop(condition, environment):
        again = place.run(COMMANDS[command])
        assert 0 == again.code, again


def check(said: Said, condition: Condition, command: str, environment: str) -> None:
    """Check that a failure is one sentence, the right one, and that a command fails which must."""
    everything = said.output + said.errors
    assert "Traceback" not in everything, everything
    assert "secret@" not in everything
    assert said.code in (0, 1, 2), said
    must = command in must_stop(condition, environment)
    assert said.code or not must, said
    if not said.code or (fails_anyway(command, environment) and not must):
        return
    flat = re.sub(r"\s+", " ", everything)
    assert re.search(condition.said or "condition needs `said`", flat), said
    errors = [line for line in said.errors.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1 or (command in REPORTS and said.output), said


def must_stop(condition: Condition, environment: str) -> tuple[str, ...]:
    """Return the commands that cannot do their work in *condition*."""
    return condition.stops + (condition.strict if environment == "production" else ())


def fails_anyway(command: str, environment: str) -> bool:
    """Tell whether a command has nothing to do here, also when all is well."""
    return command in EVEN_WHEN_WELL or f"{command} in {environment}" in EVEN_WHEN_WELL


def test_every_command_is_tried() -> None:
    """A new command meets every condition, too."""
    assert set(main.commands) <= {line.split()[0] for line in COMMANDS.values()}
    assert 30 <= len(CONDITIONS)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("environment", ["testing", "production"])
def test_nothing_is_said_when_all_is_well(place: Place, environment: str, command: str) -> None:
    """Each command does its work in the project that the conditions are made in: else they would show nothing."""
    said = place.run(COMMANDS[command])

    assert "Traceback" not in said.output + said.errors
    assert fails_anyway(command, environment) == (said.code != 0), said
