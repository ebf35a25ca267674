"""What a newcomer meets who generates a project and types the README's commands, with port 5000 taken."""

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from conftest import Bake, free_port

MAKE = ["make"] if shutil.which("make") else ["tox", "-e"]  # Windows: as its README says
OURS = ("PLAYER_", "PYTHON", "TOX_", "VIRTUAL_ENV")  # variables of these tests that a newcomer does not have


@pytest.fixture(name="taken", scope="module")
def _taken() -> Iterator[int]:
    """Port 5000, on which something else listens."""
    with ExitStack() as stack:
        with suppress(OSError):  # then it is taken already
            stack.enter_context(socket.create_server(("127.0.0.1", 5000)))
        yield 5000


@pytest.fixture(name="fresh", scope="module")
def _fresh(bake: Bake, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated project outside of any repository, with nothing installed; these tests share what they make in it."""
    return bake(tmp_path_factory.mktemp("newcomer"), team_name='Zoë\'s "Rockets" 🚀')


def make(target: str, project: Path, **variables: str) -> str:
    """Run `make` *target* in *project* and return what it said; fail with that when it fails."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    done = subprocess.run(
        [*MAKE, target],
        cwd=project,
        env={**inherited, "COLUMNS": "200", "PYTHONUTF8": "1", **variables},
        text=True,
        encoding="utf-8",
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, f"make {target}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def played_at(project: Path) -> str:
    """Return the address of the game that was played last, after a look at its result."""
    game = json.loads((project / "output" / "game.json").read_text(encoding="utf-8"))
    assert [played["failed"] for played in game["rounds"]] == [0] * 6
    assert game["rounds"][0]["points"] >= 0.97 * game["rounds"][0]["best"]
    return str(game["url"])


def has_tests(project: Path) -> bool:
    """Tell whether what the tests need is installed, which playing does not need."""
    return any((project / ".venv").glob("*/pytest*"))


def test_the_first_game_finds_a_free_port(fresh: Path, taken: int) -> None:
    """From nothing, `make play` installs, trains, serves on a port that is free, says which, and plays a whole game."""
    said = make("play", fresh)
    address = played_at(fresh)

    assert address != f"http://127.0.0.1:{taken}"
    assert f"http://127.0.0.1:{taken} is taken; the player gets {address} instead." in said
    assert not has_tests(fresh)


def test_the_port_of_the_variable_is_used(fresh: Path) -> None:
    """Whoever names a port with PLAYER_SERVER__PORT gets it."""
    port = str(free_port())
    make("play", fresh, PLAYER_SERVER__PORT=port)

    assert played_at(fresh) == f"http://127.0.0.1:{port}"


def test_lint_finds_nothing_in_a_fresh_project(fresh: Path) -> None:
    """Before `git init`, with everything that make, tox and a build leave behind, `make lint` has nothing to say."""
    for folder in (".cache", "build/lib", ".later"):
        (fresh / folder).mkdir(parents=True, exist_ok=True)
        (fresh / folder / "litter.py").write_text("import not_ours, os\n", encoding="utf-8")

    make("lint", fresh)
    assert has_tests(fresh)
    make("play", fresh)
    assert has_tests(fresh)
