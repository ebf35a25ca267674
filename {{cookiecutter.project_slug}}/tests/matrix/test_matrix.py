"""Whatever is wrong when a command starts: one sentence with the remedy, no row lost, and a healthy start afterwards.

`tox -e matrix` lets every condition meet every command. PLAYER_TEST_MATRIX=short is the short walk: each condition
meets `player serve`, a command it must stop, and one other command.
"""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from conditions import CONDITIONS, Condition
from conftest import PROJECT, clean_environment, scratch_project
from place import COMMANDS, SETPRIV, Place, Said, fill

from player.config import load_settings
from player.model import store
from player.training import Trained

FULL = os.environ.get("PLAYER_TEST_MATRIX", "short") == "full"
CHEAP = ("doctor", "config", "monitor", "db upgrade", "db backup", "promotions", "keys", "rollback", "schedule")
pytestmark = pytest.mark.skipif(os.name != "posix", reason="the conditions are made with POSIX means")


def cells() -> Iterator[tuple[str, str]]:
    """Yield each pair of a condition and a command that is tried."""
    for number, (name, condition) in enumerate(CONDITIONS.items()):
        usual = {"serve", *condition.stops[:1], CHEAP[number % len(CHEAP)]}
        for command in (
            COMMANDS if FULL else usual - ({"serve"} if condition.apart and "serve" not in condition.stops else set())
        ):
            yield name, command


@pytest.fixture(name="whole", scope="module")
def _whole(tmp_path_factory: pytest.TempPathFactory, trained: Trained) -> tuple[Path, set[str]]:
    """A project with everything in it, made once, and the ids of its rows."""
    home = scratch_project(tmp_path_factory.mktemp("matrix") / "project")
    with pytest.MonkeyPatch.context() as patch:
        clean_environment(patch, home)
        patch.setenv("PLAYER_MODEL__TRIAL_SECONDS", "300")  # the machine may be busy
        shutil.copy(PROJECT / "data" / "train_data.csv", home / "data")
        table = (home / "data" / "train_data.csv").read_text(encoding="utf-8").splitlines(keepends=True)
        (home / "data" / "train_data.csv").write_text("".join(table[:1500]), encoding="utf-8")
        settings = load_settings("testing")
        store.activate(store.save(trained, settings).version, settings)
        return home, fill(home)


@pytest.fixture(name="place")
def _place(whole: tuple[Path, set[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A copy of it for one cell."""
    home = tmp_path / "project"
    shutil.copytree(whole[0], home)
    clean_environment(monkeypatch, home)
    monkeypatch.setenv("PLAYER_MODEL__TRIAL_SECONDS", "300")
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR")  # `player serve` sets it, and it must be gone after this test
    return Place(home)


@pytest.mark.parametrize(("name", "command"), sorted(set(cells())))
def test_it_says_what_is_wrong_and_gets_well(
    place: Place, whole: tuple[Path, set[str]], monkeypatch: pytest.MonkeyPatch, name: str, command: str
) -> None:
    """One sentence or the work done, no traceback; then the remedy is followed, and it starts with all its rows."""
    condition: Condition = CONDITIONS[name]
    if condition.apart and not SETPRIV and os.geteuid() == 0:
        pytest.skip("needs setpriv, to be an ordinary user")
    with condition.holds(place, monkeypatch):  # type: ignore[attr-defined]
        said = place.run(*COMMANDS[command])
    one_sentence(said)
    if command in condition.stops:
        assert said.code in (1, 2), said
        assert re.search(condition.said, said.output + said.errors), said
    for remedy in condition.remedy:
        assert 2 > place.run(*remedy).code, remedy
    place.starts()
    if not condition.loses:
        assert whole[1] <= place.rows()


def one_sentence(said: Said) -> None:
    """Check that a failure is one line that begins with Error, and that nothing else looks like a crash."""
    everything = said.output + said.errors
    assert "Traceback" not in everything, everything
    assert "secret" not in everything or "holds the secret" in everything
    assert said.code in (0, 1, 2), everything
    errors = [line for line in said.errors.splitlines() if line.startswith("Error: ")]
    if said.code and "MISSING" not in said.output:
        assert 1 == len(errors), everything
        assert errors[0].rstrip().endswith((".", ")", "?", "`")) or ": " in errors[0], errors


def test_the_matrix_is_large_enough() -> None:
    """Nobody makes it smaller without noticing."""
    assert 30 <= len(CONDITIONS)
    assert {"serve", "train", "doctor", "retrain", "batch", "promote"} <= set(COMMANDS)
