"""What a generated project does: its own checks and tests pass, and it plays a game."""

import json
import re
import shlex
import socket
import sys
import zipfile
from pathlib import Path

import pytest

from conftest import Bake, run


@pytest.fixture(name="project", scope="module")
def _project(bake: Bake, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated project to run things in."""
    return bake(tmp_path_factory.mktemp("project"), team_name='Zoë\'s "Rockets" 🚀')


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check"],
        ["ruff", "format", "--check"],
        ["mypy"],
        ["importlinter.cli", "lint-imports"],
        ["deptry", "."],
    ],
    ids=" ".join,
)
def test_its_own_lint_passes(project: Path, command: list[str]) -> None:
    """The style, type, import and dependency checks that it ships find nothing."""
    run(*command, cwd=project)


def test_its_own_tests_pass(project: Path) -> None:
    """Every test that a participant gets is green, and none is skipped."""
    closing = run("pytest", "-q", "--no-header", cwd=project).stdout.strip().splitlines()[-1]
    sys.stdout.write(f"the generated project: {closing}\n")

    assert re.match(r"\d+ passed", closing.strip("= ")), closing
    assert "skipped" not in closing


def test_documents_name_only_what_exists(project: Path) -> None:
    """Every command, target and file that a document names is there."""
    pages = [project / "README.md", *(project / "docs").glob("*.md"), *(project / "server").glob("*.md")]
    targets = re.findall(r"^([a-z]+):", (project / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    known = {"make": set(targets)}
    for package in ("player", "customer"):
        listed = run(f"{package}.cli", "--help", cwd=project).stdout.split("Commands:")[1].split("\n\n")[0]
        known[package] = set(re.findall(r"^  (\w+)", listed, re.MULTILINE))
    for page in pages:
        text = page.read_text(encoding="utf-8")
        code = re.sub(r"#.*", "", "\n".join(code_in(text)))
        for program, word in re.findall(r"(?<![\w/.-])(?<!-u )(make|player|customer) (?!-)([a-z]+)", code):
            assert word in known[program], f"{page.name}: {program} {word}"
        for name in re.findall(r"\]\((?!http)([^)]+)\)|(?<![\w/.-])((?:player|config|tests|docs)/[\w/.]+\.\w+)", text):
            assert (page.parent / name[0]).exists() if name[0] else (project / name[1]).exists(), f"{page.name}: {name}"


def code_in(markdown: str) -> list[str]:
    """Return what stands in code blocks and between backticks."""
    blocks = re.findall(r"```(.*?)```", markdown, re.DOTALL)
    return blocks + re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", markdown, flags=re.DOTALL))


def test_a_game_is_played(project: Path) -> None:
    """A new player trains, serves and answers every request of a game; the first round is nearly as good as can be."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    serve = shlex.join([sys.executable, "-m", "player.cli", "serve", "--no-debug"])
    run("player.cli", "train", cwd=project)
    url = f"http://127.0.0.1:{port}"
    command = ["customer.cli", "play", "--json", "--url", url, "--requests", "200", "--start", serve]
    game = json.loads(run(*command, cwd=project, PLAYER_SERVER__PORT=port).stdout)

    assert game["rounds"]
    assert [played["failed"] for played in game["rounds"]] == [0] * len(game["rounds"])
    assert game["rounds"][0]["points"] >= 0.97 * game["rounds"][0]["best"]


def test_the_package_holds_every_file(bake: Bake, tmp_path: Path) -> None:
    """What is not Python travels with the package, too: pages, styles, migrations."""
    project = bake(tmp_path)
    run("pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), ".", cwd=project)
    (wheel,) = tmp_path.glob("*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    needed = {
        path.relative_to(project).as_posix()
        for package in ("player", "customer")
        for path in (project / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert needed - packed == set()
