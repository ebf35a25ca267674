"""Hostile answers: whatever is typed, nothing in it is run, and a project is whole or refused in one sentence.

Everybody's run gives each answer through the API and some the other ways; PLAYER_TEST_ANSWERS=full (`tox -e matrix`)
gives each in every way.
"""

import json
import os
import re
import shutil
import tomllib
from pathlib import Path

import pytest
import yaml
from cookiecutter.exceptions import FailedHookException
from cookiecutter.main import cookiecutter

from conftest import Bake
from test_bake import VERBATIM
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


@pytest.fixture(name="short", scope="session")
def _short(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template without what is copied as it is: no answer gets into that, and 384 projects are made sooner."""
    copy = tmp_path_factory.mktemp("short") / "template"
    shutil.copytree(template, copy, ignore=shutil.ignore_patterns(*VERBATIM))
    return copy


@pytest.fixture(name="empty")
def _empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder where everything happens; a command in an answer would leave its file somewhere in it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ask_the_api(template: Path, user_config: Path, into: Path, field: str, text: str) -> str:
    """Give one answer to the API; return what was said when it refused."""
    into.mkdir()
    answers = {field: text}
    try:
        cookiecutter(str(template), no_input=True, extra_context=answers, output_dir=into, config_file=str(user_config))
    except FailedHookException as error:
        return str(error)
    return ""


@pytest.mark.parametrize("field", FIELDS)
def test_a_hostile_answer_to_the_api_is_a_text(short: Path, user_config: Path, empty: Path, field: str) -> None:
    """Each of more than a hundred texts, for each question that takes one."""
    for number, text in enumerate(TEXTS):
        refused = ask_the_api(short, user_config, empty / f"{number}", field, text)

        check(empty / f"{number}", field, text, refused)
    check_nothing_ran(empty)


def can_be_typed(text: str) -> bool:
    """Tell whether a terminal takes *text* as one line that is not the default."""
    return bool(text.strip()) and not CONTROL.search(text) and len(text.splitlines()) == 1


SAMPLE = ANSWERS if FULL else ANSWERS[3 :: len(ANSWERS) // 6]


@pytest.mark.parametrize("way", ["command line", "prompt"])
def test_a_hostile_answer_that_is_typed_is_a_text(short: Path, user_config: Path, empty: Path, way: str) -> None:
    """As a word of the command, or at the prompt; one sentence when it is refused, and no traceback."""
    for number, (field, text) in enumerate(SAMPLE):
        if not can_be_typed(text):
            continue
        into = empty / f"{number}"
        into.mkdir()
        options = ["--config-file", str(user_config), "-o", str(into), str(short)]
        if way == "prompt":
            lines = [text if name == field else "" for name in FIELDS]
            done = generate(*options, typed="\n".join([*lines, "", "", "", "", ""]))
        else:
            done = generate("--no-input", *options, f"{field}={text}")
        said = done.stdout.rpartition("): ")[2] if way == "prompt" else done.stdout
        check(into, field, text, said.strip() if done.returncode else "")
        assert done.stderr == ""
    check_nothing_ran(empty)


def test_a_hostile_answer_that_was_recorded_is_a_text(short: Path, user_config: Path, empty: Path) -> None:
    """What was made once is made again; a name that was refused is refused again."""
    for number, (field, text) in enumerate(SAMPLE):
        if ask_the_api(short, user_config, empty / f"first {number}", field, text):
            (empty / f"record {number}").mkdir()
            record = recorded(short, user_config, empty / f"record {number}", **{field: text})
        else:
            record = user_config.parent / "replay" / f"{short.name}.json"
        into, refused = empty / f"{number}", ""
        into.mkdir()
        try:
            cookiecutter(str(short), replay=str(record), output_dir=into, config_file=str(user_config))
        except FailedHookException as error:
            refused = str(error)
        check(into, field, text, refused)
    check_nothing_ran(empty)


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
