"""Hostile answers: whatever is typed, nothing in it is run, and a project is whole or refused in one sentence.

Everybody's run gives each answer through the API and some the other ways; PLAYER_TEST_ANSWERS=full (`tox -e matrix`)
gives each in every way.
"""

import ast
import json
import os
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from cookiecutter.exceptions import FailedHookException

from conftest import Bake
from test_hooks import SENTENCE, generate, recorded

FULL = os.environ.get("PLAYER_TEST_ANSWERS") == "full"
LISTED = json.loads((Path(__file__).parent / "answers.json").read_text(encoding="utf-8"))
TEXTS, HUMAN = [*LISTED["hostile"], "x" * 5000], LISTED["human"]
FIELDS = ("team_name", "project_slug", "author_name")
ANSWERS = [(field, text) for field in FIELDS for text in TEXTS]
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def check_whole(project: Path, field: str, text: str) -> None:
    """Fail unless a project can be read by every tool, and shows an answer as it was given, or as spaces."""
    shown = CONTROL.sub(" ", text)
    base = tomllib.loads((project / "config" / "base.toml").read_text(encoding="utf-8"))
    about = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    readme = (project / "README.md").read_text(encoding="utf-8")
    assert project.name == base["project"]["name"] == about["project"]["name"]
    assert re.fullmatch(r"[a-z0-9][a-z0-9_-]*", project.name)
    if field == "team_name":
        assert base["project"]["team"] == shown
        assert readme.startswith(f"# {shown}\n")
    elif field == "author_name":
        assert f"Made by {shown}.\n" in readme
    for path in project.rglob("*"):
        if path.suffix == ".toml":
            tomllib.loads(path.read_text(encoding="utf-8"))
        elif path.suffix in {".yml", ".yaml"}:
            list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
        elif path.suffix == ".json":
            json.loads(path.read_text(encoding="utf-8"))
    ast.parse((project / "player" / "config.py").read_text(encoding="utf-8"))


def check_nothing_ran(*folders: Path) -> None:
    """Fail when a file stands somewhere that an answer asked for."""
    assert not [path for folder in folders for path in folder.rglob("HACKED*")]


def check(into: Path, field: str, text: str, refused: str) -> None:
    """Fail unless there is one whole project, or none and one sentence."""
    made = list(into.iterdir())
    if refused:
        assert re.fullmatch(SENTENCE, refused), refused
        assert len(refused) < 250
        assert made == []
    else:
        (project,) = made
        check_whole(project, field, text)


@pytest.mark.parametrize("field", FIELDS)
def test_a_hostile_answer_to_the_api_is_a_text(
    bake: Bake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    """Each of more than a hundred texts, for each question that takes one."""
    monkeypatch.chdir(tmp_path)
    for number, text in enumerate(TEXTS):
        into, refused = tmp_path / f"{number}", ""
        into.mkdir()
        try:
            bake(into, **{field: text})
        except FailedHookException as error:
            refused = str(error)
        check(into, field, text, refused)
    check_nothing_ran(tmp_path)


def typed(field: str, text: str) -> str | None:
    """Return the lines that answer the questions of the prompt, or None where the text is no line (or the default)."""
    if not text.strip() or CONTROL.search(text) or "\x85" in text or "\u2028" in text or "\u2029" in text:
        return None
    return "".join(f"{text if name == field else ''}\n" for name in FIELDS) + "\n\n\n\n"


@pytest.mark.parametrize("way", ["command line", "prompt", "replay"])
def test_a_hostile_answer_is_a_text_whichever_way_it_comes(
    template: Path, tmp_path: Path, user_config: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """On the command line, typed, or in a record."""
    monkeypatch.chdir(tmp_path)
    chosen = ANSWERS if FULL else ANSWERS[3 :: len(ANSWERS) // 6]
    for number, (field, text) in enumerate(chosen):
        into = tmp_path / f"{number}"
        into.mkdir()
        options = ["--config-file", str(user_config), "-o", str(into), str(template)]
        lines = typed(field, text)
        if way == "replay":
            (tmp_path / f"r{number}").mkdir()
            record = recorded(template, user_config, tmp_path / f"r{number}", **{field: text, "__team": text})
            if field != "project_slug":  # what a record says is taken: our own variables come from there as well
                continue
            done = generate("--replay-file", str(record), *options)
        elif way == "prompt" and lines:
            done = generate(*options, typed=lines)
        elif way == "command line" and lines:
            done = generate("--no-input", *options, f"{field}={text}")
        else:
            continue
        said = done.stdout.rpartition("): ")[2].strip() if way == "prompt" else done.stdout.strip()
        check(into, field, text, "" if done.returncode == 0 else said)
        assert done.stderr == ""
    check_nothing_ran(tmp_path)


@pytest.mark.parametrize("name", HUMAN)
def test_a_human_name_is_shown_unchanged(bake: Bake, tmp_path: Path, name: str) -> None:
    """Of a team and of an author, in whatever alphabet, wherever it is shown."""
    project = bake(tmp_path, team_name=name, author_name=name)

    check_whole(project, "team_name", name)
    check_whole(project, "author_name", name)


def test_there_are_enough_of_them() -> None:
    """At least 300 answers, and 25 names."""
    assert len(set(ANSWERS)) == len(ANSWERS) >= 300
    assert len(HUMAN) >= 25
