"""What is refused, and how."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from cookiecutter.exceptions import FailedHookException, OutputDirExistsException
from jinja2.exceptions import UndefinedError

from conftest import FOLDER, ROOT, Bake

REFUSED = {
    "empty": "",
    "dot": ".",
    "dots": "..",
    "slash": "teams/alpha",
    "up": "../alpha",
    "backslash": "teams\\alpha",
    "space": "My Player",
    "capital": "Player1",
    "dash first": "-player",
    "dash last": "player-",
    "accent": "zoë",
    "long": "x" * 51,
    "keyword": "class",
    "windows": "con",
    "windows port": "com1",
    "our package": "player",
    "customer": "customer",
    "a library": "flask",
    "an import name": "sklearn",
    "newline": "a\nb",
    "quotes": 'a"""; import os; os.system("touch hacked")  #',
    "apostrophes": "a'''; import os; os.system('touch hacked')  #",
    "escape": 'a\\"""; import os; os.system("touch hacked")  #',
}


@pytest.mark.parametrize("slug", REFUSED.values(), ids=REFUSED.keys())
def test_a_bad_name_leaves_nothing_behind(bake: Bake, tmp_path: Path, slug: str) -> None:
    """A name that cannot work is refused before a file is written, and text in it is never run."""
    into = tmp_path / "into"
    into.mkdir()

    with pytest.raises((FailedHookException, UndefinedError, OutputDirExistsException)):
        bake(into, project_slug=slug)

    assert list(tmp_path.rglob("*")) == [into]


@pytest.mark.parametrize("slug", ["class", "teams/alpha", "My Player", "flask", "nul", ""])
def test_the_refusal_is_one_sentence(template: Path, tmp_path: Path, user_config: Path, slug: str) -> None:
    """A person reads what is wrong and a name that works."""
    command = ["--no-input", "--config-file", str(user_config), "-o", str(tmp_path), str(template)]
    done = subprocess.run(
        [sys.executable, "-m", "cookiecutter", *command, f"project_slug={slug}"],
        text=True,
        encoding="utf-8",
        capture_output=True,
        check=False,
    )

    assert done.returncode != 0
    assert re.search(r"ERROR: the project name .+ choose another, for example my-player\.", done.stderr), done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("slug", ["a", "my-player", "my_player", "100-player", "x" * 50])
def test_a_good_name_is_taken(bake: Bake, tmp_path: Path, slug: str) -> None:
    """A name that works is the folder's name."""
    assert tmp_path / slug == bake(tmp_path, project_slug=slug)


def test_every_dependency_is_a_refused_name() -> None:
    """A project cannot be called like a library it needs: pip would then take one for the other."""
    about = tomllib.loads((ROOT / FOLDER / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = [*about["dependencies"], *(name for extra in about["optional-dependencies"].values() for name in extra)]
    names = {str(re.match(r"[\w-]+", requirement)[0]) for requirement in needed}  # type: ignore[index]
    hook = (ROOT / "hooks" / "pre_gen_project.py").read_text(encoding="utf-8")
    texts = {node.value for node in ast.walk(ast.parse(hook)) if isinstance(node, ast.Constant)}
    refused = {word for text in texts if isinstance(text, str) for word in text.split()}

    assert names - refused == set()


def test_the_next_commands_are_printed(template: Path, tmp_path: Path, user_config: Path) -> None:
    """After generating, a newcomer knows what to type."""
    done = subprocess.run(
        [sys.executable, "-m", "cookiecutter", "--no-input", "--config-file", str(user_config), str(template)],
        cwd=tmp_path,
        text=True,
        encoding="utf-8",
        capture_output=True,
        check=True,
    )

    assert "cd my-player" in done.stdout
    assert "make play" in done.stdout
    assert "Activate.ps1" in done.stdout
