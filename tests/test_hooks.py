"""What is refused, and how."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from cookiecutter.exceptions import FailedHookException
from cookiecutter.main import cookiecutter

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

SENTENCE = r"ERROR: the project name .+; choose another, for example my-player\."


@pytest.mark.parametrize("slug", REFUSED.values(), ids=REFUSED.keys())
def test_a_bad_name_leaves_nothing_behind(bake: Bake, tmp_path: Path, slug: str) -> None:
    """A name that cannot work is refused before a file is written, and text in it is never run."""
    into = tmp_path / "into"
    into.mkdir()

    with pytest.raises(FailedHookException, match=SENTENCE):
        bake(into, project_slug=slug)

    assert list(tmp_path.rglob("*")) == [into]


def generate(*words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command `cookiecutter` with these *words*, answering its questions with what is *typed*."""
    return subprocess.run(
        [sys.executable, "-m", "cookiecutter", *words],
        input=typed,
        text=True,
        encoding="utf-8",
        capture_output=True,
        check=False,
    )


def recorded(template: Path, user_config: Path, folder: Path, **changes: object) -> Path:
    """Generate once with every default; return the record for --replay-file, with other answers written into it."""
    cookiecutter(str(template), no_input=True, output_dir=folder / "first", config_file=str(user_config))
    record = json.loads((user_config.parent / "replay" / f"{template.name}.json").read_text(encoding="utf-8"))
    record["cookiecutter"].update(changes)
    path = folder / "record.json"
    path.write_text(json.dumps(record), encoding="utf-8")
    return path


@pytest.mark.parametrize("slug", ["class", "teams/alpha", "My Player", "..", ""])
@pytest.mark.parametrize("way", ["command line", "prompt", "replay"])
def test_the_refusal_is_one_sentence(template: Path, tmp_path: Path, user_config: Path, slug: str, way: str) -> None:
    """A person reads what is wrong and a name that works, and nothing else, however the name was given."""
    into = tmp_path / "into"
    into.mkdir()
    options = ["--config-file", str(user_config), "-o", str(into), str(template)]
    if way == "command line":
        done = generate("--no-input", *options, f"project_slug={slug}")
    elif way == "prompt":
        done = generate(*options, typed=f"The Team\n{slug or '-'}\n")  # nothing typed is the default
    else:
        record = recorded(template, user_config, tmp_path, project_slug=slug)
        done = generate("--replay-file", str(record), *options)

    said = done.stdout.rpartition("): ")[2]  # what comes after the question
    assert re.fullmatch(SENTENCE + r"\n", said), done.stdout
    assert (done.returncode, done.stderr) == (1, "")
    assert list(into.iterdir()) == []


def test_the_hook_refuses_by_itself(template: Path, tmp_path: Path, user_config: Path) -> None:
    """A record that switches the extension off does not get past the rules."""
    record = recorded(template, user_config, tmp_path, project_slug="class", _extensions=[])

    with pytest.raises(FailedHookException):
        cookiecutter(str(template), replay=str(record), output_dir=tmp_path / "into", config_file=str(user_config))

    assert list((tmp_path / "into").iterdir()) == []


def test_a_record_without_our_own_variables_is_replayed(template: Path, tmp_path: Path, user_config: Path) -> None:
    """What was recorded by an older version of the template can be generated again."""
    path = recorded(template, user_config, tmp_path)
    record = json.loads(path.read_text(encoding="utf-8"))
    for name in ("__name", "__ready", "_extensions"):
        del record["cookiecutter"][name]
    path.write_text(json.dumps(record), encoding="utf-8")

    made = cookiecutter(str(template), replay=str(path), output_dir=tmp_path / "into", config_file=str(user_config))

    assert (Path(made) / "README.md").exists()


def test_a_record_without_the_last_question_is_asked_it(template: Path, tmp_path: Path, user_config: Path) -> None:
    """And nothing else: what an older version recorded needs one Enter, and no stops here as well."""
    path = recorded(template, user_config, tmp_path)
    record = json.loads(path.read_text(encoding="utf-8"))
    for name in ("ready", "__ready"):
        del record["cookiecutter"][name]
    record["cookiecutter"]["_extensions"] = ["project_name.ProjectName"]
    path.write_text(json.dumps(record), encoding="utf-8")
    options = ["--config-file", str(user_config), "-o", str(tmp_path / "into"), str(template)]

    stopped = generate("--replay-file", str(path), *options, typed="no\n")
    assert stopped.returncode == 1
    assert stopped.stdout.endswith("Nothing was written; the same command asks again.\n")
    assert not list((tmp_path / "into").glob("*"))

    done = generate("--replay-file", str(path), *options, typed="\n")

    assert done.returncode == 0, done.stdout
    assert "[1/1]" in done.stdout
    assert (tmp_path / "into" / "my-player" / "README.md").exists()


@pytest.mark.parametrize("answer", ["no", " NO ", "n", "q"])
def test_no_to_the_last_question_writes_nothing(template: Path, tmp_path: Path, user_config: Path, answer: str) -> None:
    """All answers are shown once more; no is the way back, said in one sentence."""
    into = tmp_path / "into"
    into.mkdir()
    options = ["--config-file", str(user_config), "-o", str(into), str(template)]

    done = generate(*options, typed=f"The Team\n\nAnn\n2\n\n3\n{answer}\n")

    question = " ".join(done.stdout.partition("[7/7]")[2].split())
    assert "(the-team-player, team The Team, made by Ann; leak medium, wrong data medium, outage high)" in question
    assert question.endswith("Nothing was written; the same command asks again.")
    assert (done.returncode, done.stderr, list(into.iterdir())) == (1, "", [])


def test_an_organisation_has_defaults_of_its_own(template: Path, tmp_path: Path) -> None:
    """A file of cookiecutter's, as docs/forking.md shows it: its defaults are taken, an answer goes over them."""
    page = (ROOT / "docs" / "forking.md").read_text(encoding="utf-8")
    shown = re.findall(r"^```yaml\n(.*?)^```$", page, re.M | re.S)[0]
    where = f"cookiecutters_dir: '{tmp_path / 'templates'}'\nreplay_dir: '{tmp_path / 'replay'}'\n"
    config = tmp_path / "defaults.yaml"
    config.write_text(shown.replace("https://git.example.org/data/{0}.git", f"{template.parent}/{{0}}") + where)

    done = generate(
        "--config-file", str(config), "--no-input", "-o", str(tmp_path), f"work:{template.name}", "integrity=low"
    )

    base = tomllib.loads((tmp_path / "my-player" / "config" / "base.toml").read_text(encoding="utf-8"))
    assert done.returncode == 0, done.stdout
    assert base["rating"] == {"confidentiality": "medium", "integrity": "low", "availability": "medium"}
    assert "Made by Data Science Utrecht." in (tmp_path / "my-player" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("team", "slug"),
    [("Player", "my-player"), ("The Player", "the-player"), ("My Player", "my-player"), ("Ann", "ann-player"),
     ("!!!", "my-player"), ("x" * 5000, "x" * 40 + "-player"), ("Spieler 7", "spieler-7-player")],
)  # fmt: skip
def test_a_team_gives_a_folder_its_name(bake: Bake, tmp_path: Path, team: str, slug: str) -> None:
    """With `player` in it once."""
    assert slug == bake(tmp_path, team_name=team).name


def test_a_name_that_is_far_too_long_is_not_repeated_whole(bake: Bake, tmp_path: Path) -> None:
    """Its beginning is enough to know it again."""
    with pytest.raises(FailedHookException, match="is longer than 50 characters") as refusal:
        bake(tmp_path, project_slug="x" * 5000)

    assert len(str(refusal.value)) < 200


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
    done = generate("--no-input", "--config-file", str(user_config), "-o", str(tmp_path), str(template))

    assert "cd my-player" in done.stdout
    assert "make play" in done.stdout
    assert "Activate.ps1" in done.stdout
