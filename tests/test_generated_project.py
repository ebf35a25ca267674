"""What a generated project does: its own tests pass, its documents are true, its package is whole."""

import re
import sys
import zipfile
from pathlib import Path

import pytest

from conftest import Bake, run


@pytest.fixture(name="project", scope="module")
def _project(bake: Bake, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated project to run things in."""
    return bake(tmp_path_factory.mktemp("project"), team_name='Zoë\'s "Rockets" 🚀')


def test_its_own_tests_pass(project: Path) -> None:
    """Every test that a participant gets is green, and none is skipped."""
    done = run("pytest", "-q", "--no-header", "-n", "auto", "--dist", "loadfile", cwd=project)
    closing = done.stdout.strip().splitlines()[-1]
    sys.stdout.write(f"the generated project: {closing}\n")

    assert re.match(r"\d+ passed", closing.strip("= ")), closing
    assert "skipped" not in closing


def test_documents_name_only_what_exists(project: Path) -> None:
    """Every command, target and file that a document names is there."""
    pages = [project / "README.md", *(project / "docs").glob("*.md"), *(project / "server").glob("*.md")]
    targets = re.findall(r"^([a-z]+):", (project / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    known = {"make": set(targets)}
    for package in ("player", "customer"):
        listed = run(f"{package}.cli", "--help", cwd=project).stdout.split("Options:")[1]
        known[package] = set(re.findall(r"^  ([a-z]+) ", listed, re.MULTILINE))
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
