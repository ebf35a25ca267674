"""Every combination of answers gives a project whose files can be read; some of them run their tests and play a game.

Everybody's run takes nine ratings in which each pair of levels occurs. PLAYER_TEST_ANSWERS=full (`tox -e matrix`) takes
all 27 with four kinds of names, and lints each; the nine then play, and run their own tests (`=game`: only play).
"""

import ast
import json
import os
import tomllib
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest
import yaml

from conftest import Bake, play, run
from test_bake import VERBATIM

WANTED = os.environ.get("PLAYER_TEST_ANSWERS", "")
LEVELS = ("low", "medium", "high")
NAMES = {"plain": "My Player", "quoted": 'O\'Brien & "Sons" \\ Co', "far": "数据队 🚀", "long": "x" * 300}
PAIRS = [(LEVELS[i], LEVELS[j], LEVELS[(i + j) % 3]) for i, j in product(range(3), repeat=2)]
NINE = [(kind, *rating) for kind, rating in zip([*NAMES, *NAMES, "plain"], PAIRS, strict=True)]
ALL = list(product(NAMES, LEVELS, LEVELS, LEVELS))


def made(bake: Bake, into: Path, combination: tuple[str, ...]) -> Path:
    """Return the project of one combination: a kind of name and three levels."""
    kind, confidentiality, integrity, availability = combination
    rating = {"confidentiality": confidentiality, "integrity": integrity, "availability": availability}
    return bake(into, team_name=NAMES[kind], author_name=NAMES[kind], **rating)


@pytest.mark.parametrize("combination", ALL if WANTED else NINE, ids="-".join)
def test_every_file_can_be_read(bake: Bake, tmp_path: Path, combination: tuple[str, ...]) -> None:
    """No file has a brace of ours left, and each is what its name says."""
    project = made(bake, tmp_path, combination)
    readers: dict[str, Callable[[str], object]] = {
        ".toml": tomllib.loads,
        ".json": json.loads,
        ".ipynb": json.loads,
        ".py": ast.parse,
    }
    readers |= dict.fromkeys((".yml", ".yaml"), lambda text: list(yaml.safe_load_all(text)))
    for path in project.rglob("*"):
        if path.suffix in readers:
            readers[path.suffix](path.read_text(encoding="utf-8"))
        if path.is_file() and path.relative_to(project).parts[0] not in VERBATIM:
            assert "cookiecutter." not in path.read_text(encoding="utf-8"), path
    base = tomllib.loads((project / "config" / "base.toml").read_text(encoding="utf-8"))
    assert tuple(base["rating"].values()) == combination[1:]
    if WANTED:
        run("ruff", "check", "--no-cache", "--quiet", ".", cwd=project)


def test_nine_have_every_pair() -> None:
    """Whatever two answers do together, one of the nine has them."""
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert {(rating[one], rating[other]) for rating in PAIRS} == set(product(LEVELS, repeat=2))


@pytest.mark.long
@pytest.mark.parametrize("combination", NINE, ids="-".join)
def test_it_plays_and_its_tests_are_green(bake: Bake, tmp_path: Path, combination: tuple[str, ...]) -> None:
    """Trained, asked in six rounds without a lost point, and tested."""
    project = made(bake, tmp_path, combination)
    run("player.cli", "train", cwd=project)
    played = play(project)

    assert played["total"]["asked"] == 120
    assert played["total"]["failed"] == 0
    if WANTED == "full":
        run("pytest", "-q", "-n", "auto", "--dist", "loadfile", cwd=project)
