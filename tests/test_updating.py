"""A project made from an older commit of this template, and changed by its owner, is updated as docs/updating.md says.

Everybody's run takes the oldest commit with Git alone. `tox -e updates` takes all, also with cruft. Each then imports
every module, runs the owner's own tests, trains with the owner's own modules, which are as old as the project, and
plays a game. What cruft has updated, whose files are the same as those by Git alone, also runs the newest tests of all
that touches the two modules.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import FOLDER, ROOT, play, run

COMMITS = {
    "the first": "6b3a528",
    "a supervisor, all on one floor": "1e98a7f",
    "a ground floor and wings": "913c1cf",
    "a room for learning": "4998119",
    "a room for trust": "f9a29bf",
}
WANTED = os.environ.get("PLAYER_TEST_UPDATES", "")
BLOCKS = re.findall(r"^```\n(.*?)^```$", (ROOT / "docs" / "updating.md").read_text(encoding="utf-8"), re.M | re.S)
CRUFT_ONCE, CRUFT_UPDATE, GIT_ONCE, GIT_UPDATE = BLOCKS
(BY_HAND,) = re.findall(r"^```\n(.*?)^```$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M | re.S)
QUICK = ("tests/test_app.py", "tests/test_errors.py", "tests/test_features.py", "tests/test_training.py")
TOUCHING = (
    *(f"tests/{wing}" for wing in ("batch", "learning", "profile", "reading", "retraining")),
    *(f"tests/test_{name}.py" for name in ("bad_tables", "equality", "inspection")),
    "tests/security/test_kept_rows.py",
    *(f"tests/trust/test_{name}.py" for name in ("trial", "unpickler")),
)
OWN_LINE = "\n\nMY_OWN = 42  # what the owner added\n"

Shell = Callable[..., str]


@pytest.fixture(name="shell")
def _shell(tmp_path: Path, user_config: Path) -> Shell:
    """A function: folder, block of commands, what the capital words of the page stand for -> what was printed."""
    home = tmp_path / "home"
    home.mkdir()
    who = {f"GIT_{role}_{what}": "me@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    config = f'--config-file "{user_config}" --no-input'
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])

    def shell(folder: Path, block: str, **meanings: str) -> str:
        lines = [line for line in block.splitlines() if not line.startswith("pip install")]
        text = "\n".join(lines).replace("cookiecutter ", f"cookiecutter {config} ")
        for word, meaning in meanings.items():
            text = text.replace(word, meaning)
        words = [str(shutil.which("sh")), "-ec", text]
        variables = {**os.environ, **who, "HOME": str(home), "PATH": path}
        done = subprocess.run(
            words, cwd=folder, env=variables, text=True, encoding="utf-8", capture_output=True, check=False
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return shell


@pytest.fixture(name="repository")
def _repository(tmp_path: Path, template: Path, shell: Shell) -> Path:
    """A clone of this repository whose newest commit is the template as it lies here."""
    if not shutil.which("sh") or not (ROOT / ".git").exists():
        pytest.skip("needs sh, and this repository with its history")
    shell(tmp_path, f'git clone --quiet "{ROOT.as_posix()}" repository')
    clone = tmp_path / "repository"
    shutil.rmtree(clone / FOLDER)
    shutil.copytree(template, clone, dirs_exist_ok=True)
    shell(clone, "git add --all\ngit commit --quiet --allow-empty --message now")
    return clone


@pytest.fixture(name="owned")
def _owned(request: pytest.FixtureRequest, tmp_path: Path, repository: Path, shell: Shell) -> Path:
    """A project made from the commit that the test names; its owner has changed two modules, a test and the README."""
    commit = COMMITS[request.param]
    old = tmp_path / "old"
    shell(repository, f'git cat-file -e {commit} || exit 0\ngit worktree add --quiet --detach "{old}" {commit}')
    if not old.exists():
        pytest.skip(f"the history here does not go back to {commit}")
    shell(tmp_path, f'cookiecutter --output-dir made "{old}"')  # not here, where the newest answers.py is imported
    (project,) = (tmp_path / "made").iterdir()
    shell(project, "git init --quiet --initial-branch main\ngit add --all\ngit commit --quiet --message generated")
    for name in ("player/features.py", "player/training.py"):
        with (project / name).open("a", encoding="utf-8", newline="\n") as file:
            file.write(OWN_LINE)
    (project / "README.md").write_text(with_own_sentence(project), encoding="utf-8", newline="\n")
    shell(project, "git commit --quiet --all --message mine")
    return project


def with_own_sentence(project: Path) -> str:
    """Return the README of a project with what its owner wrote below the title."""
    return (project / "README.md").read_text(encoding="utf-8").replace("\n", "\n\nWe are on the third floor.\n", 1)


def texts(project: Path, *names: str) -> list[str]:
    """Return the contents of files of a project."""
    return [(project / name).read_text(encoding="utf-8") for name in names]


def check_updated(project: Path, fresh: Path, owned: list[str]) -> None:
    """Fail unless a project has what is *owned*, and beside that all that a *fresh* one has, and nothing else."""
    assert owned == texts(project, "player/features.py", "player/training.py")
    assert owned != texts(fresh, "player/features.py", "player/training.py")
    assert texts(project, "README.md") == [with_own_sentence(fresh)]
    mine = tomllib.loads((fresh / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["cruft"]["skip"]
    theirs = {path.relative_to(fresh): path.read_bytes() for path in fresh.rglob("*") if path.is_file()}
    for path, content in theirs.items():
        if path.as_posix() != "README.md" and not path.as_posix().startswith(tuple(mine)):
            assert content == (project / path).read_bytes(), path
    left = {path.relative_to(project) for room in ("player", "customer") for path in (project / room).rglob("*.py")}
    assert left - set(theirs) == set(), "files of the older template are gone"


def check_works(project: Path, shell: Shell) -> None:
    """Fail unless an updated project can be imported, tested, trained, played without a failed request, and retrained.

    What the changelog has an owner do by hand is done first.
    """
    shell(project, BY_HAND)
    modules = [
        ".".join(path.relative_to(project).with_suffix("").parts)
        for path in sorted((project / "player").rglob("*.py"))
        if "migrations" not in path.parts and path.name != "__init__.py" and path.stem != "spark_worker"
    ]
    program = "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]"
    done = subprocess.run(
        [sys.executable, "-c", program, *modules], cwd=project, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    run("pytest", "-q", "-p", "no:cacheprovider", *QUICK, cwd=project)
    run("player.cli", "train", cwd=project)
    played = play(project)
    assert played["total"]["asked"] == 120
    assert played["total"]["failed"] == 0
    run("player.cli", "retrain", cwd=project)


def check_tests(project: Path) -> None:
    """Fail unless the newest tests are green with the owner's own modules; skipped is only what an older one cannot."""
    done = run("pytest", "-q", "-n", "auto", "--dist", "loadfile", "-p", "no:cacheprovider", *TOUCHING, cwd=project)
    closing = done.stdout.strip().splitlines()[-1]
    skipped = dict(re.findall(r"^SKIPPED \[(\d+)\] .*?: (.*)$", done.stdout, re.MULTILINE))
    older = "left_out" not in "".join(texts(project, "player/features.py"))
    sys.stdout.write(f"the updated project: {closing}\n")

    assert re.match(r"\d+ passed", closing.strip("= ")), closing
    assert skipped == ({"7": "the project's own, older features.py learns from any column"} if older else {})


def known_paths(block: str, project: Path) -> str:
    """Return a block of the page without the paths, in its last line, that an older project does not have."""
    *lines, last = block.splitlines()
    return "\n".join([*lines, " ".join(word for word in last.split() if "/" not in word or (project / word).exists())])


def commits(*params: str) -> pytest.MarkDecorator:
    """Run a test with a project of each of these commits."""
    return pytest.mark.parametrize("owned", params, indirect=True)


@commits(*(COMMITS if WANTED else ["the first"]))
def test_git_alone_brings_the_new_and_keeps_what_is_mine(
    owned: Path, repository: Path, default_project: Path, shell: Shell
) -> None:
    """Two commands of Git, from the page: the template's files are the newest, the owner's lines are all there."""
    mine = texts(owned, "player/features.py", "player/training.py")

    shell(owned, GIT_ONCE)
    shell(owned, known_paths(GIT_UPDATE, owned), TEMPLATE=f'"{repository}"')
    shell(owned, "git commit --quiet --message updated")

    check_updated(owned, default_project, mine)
    check_works(owned, shell)


@pytest.mark.long
@commits(*COMMITS)
def test_cruft_brings_the_new_and_keeps_what_is_mine(
    owned: Path, repository: Path, default_project: Path, shell: Shell, request: pytest.FixtureRequest
) -> None:
    """The commands of cruft, from the page, do the same as Git alone; .cruft.json knows the newest commit."""
    mine = texts(owned, "player/features.py", "player/training.py")
    commit = COMMITS[request.node.callspec.params["owned"]]

    shell(owned, CRUFT_ONCE, TEMPLATE=f'"{repository}"', COMMIT=commit)
    shell(owned, known_paths(CRUFT_UPDATE, owned))

    assert shell(repository, "git rev-parse HEAD").strip() in (owned / ".cruft.json").read_text(encoding="utf-8")
    check_updated(owned, default_project, mine)
    check_works(owned, shell)
    check_tests(owned)


def test_the_version_is_that_of_the_changelog(default_project: Path) -> None:
    """The newest heading of CHANGELOG.md, in the project, and in what `player --version` says."""
    (about,) = texts(default_project, "player/__init__.py")
    version = re.search(r'^TEMPLATE = "(\d+\.\d+\.\d+)"', about, re.M)
    headings = re.findall(r"^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)

    assert version
    assert version[1] == headings[0]
    assert version[1] in run("player.cli", "--version", cwd=default_project).stdout
