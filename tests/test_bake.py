"""What is generated."""

import filecmp
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from cookiecutter.main import cookiecutter

from conftest import FOLDER, ROOT, Bake

PATTERNS = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))["_copy_without_render"]
VERBATIM = [pattern for pattern in PATTERNS if "*" not in pattern]
RENDERED = {
    ".devcontainer/devcontainer.json",
    ".editorconfig",
    ".gitattributes",
    ".gitignore",
    ".gitlab-ci.yml",
    ".pre-commit-config.yaml",
    "LICENSE",
    "Makefile",
    "README.md",
    "config/acceptance.toml",
    "config/base.toml",
    "config/data.toml",
    "config/development.toml",
    "config/examples/other-contract.toml",
    "config/logging.toml",
    "config/production.toml",
    "config/rating.toml",
    "config/testing.toml",
    "constraints.txt",
    "models/.gitkeep",
    "output/.gitkeep",
    "pyproject.toml",
    "server/Dockerfile",
    "server/Dockerfile.dockerignore",
    "server/README.md",
    "server/compose.yaml",
    "server/crontab",
    "server/grafana-dashboard.json",
    "server/kubernetes/acceptance/kustomization.yaml",
    "server/kubernetes/base/kustomization.yaml",
    "server/kubernetes/base/network.yaml",
    "server/kubernetes/base/service.yaml",
    "server/kubernetes/base/trainer.yaml",
    "server/kubernetes/production/kustomization.yaml",
    "server/logrotate.conf",
    "server/player-batch.service",
    "server/player-batch.timer",
    "server/player-retrain.service",
    "server/player-retrain.timer",
    "server/player.service",
    "server/player.socket",
    "server/prometheus-alerts.yml",
    "tox.ini",
}
TEAMS = {
    "defaults": "My Player",
    "apostrophe": "O'Brien",
    "accent": "Zoë & Renée",
    "quotes": 'the "quoted" ones',
    "emoji": "🚀 Rocket",
    "percent": "100 %",
    "backslash": "AC\\DC",
    "chinese": "数据队",
    "punctuation": "?!",
    "braces": "{curly} <b>#1</b> $HOME `id`",
    "keyword": "class",
    "windows": "CON",
    "package": "Flask",
    "long": "x" * 200,
    "code": "'''); import os; os.system('touch hacked'); print('''",
}


def listing(folder: Path) -> set[str]:
    """Return every file below *folder*, as a path with forward slashes."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_exactly_the_expected_files(default_project: Path, template: Path) -> None:
    """Everything is there, and nothing else: what tools leave behind does not travel."""
    made = listing(default_project)
    copied = {
        path for path in listing(template / FOLDER) if path.startswith(tuple(f"{folder}/" for folder in VERBATIM))
    }

    assert made == RENDERED | copied
    assert not [path for path in made if path.endswith((".pyc", ".db", ".pkl")) or "_cache" in path]


def test_verbatim_folders_are_copied_byte_for_byte(default_project: Path, template: Path) -> None:
    """The code that is linted and tested in the template is the code that is generated."""
    for folder in VERBATIM:
        for name in sorted(listing(template / FOLDER / folder)):
            assert filecmp.cmp(template / FOLDER / folder / name, default_project / folder / name, shallow=False), name


def test_no_braces_are_left(default_project: Path) -> None:
    """Outside the verbatim folders every answer is filled in."""
    for name in sorted(RENDERED):
        text = (default_project / name).read_text(encoding="utf-8")

        assert "{{" not in text, name
        assert "{%" not in text, name
        assert "cookiecutter." not in text, name


@pytest.mark.parametrize("team", TEAMS.values(), ids=TEAMS.keys())
def test_any_team_name_survives(bake: Bake, tmp_path: Path, team: str) -> None:
    """A human name arrives unchanged where people read it, and the project's name is made from it."""
    project = bake(tmp_path, team_name=team)
    base = tomllib.loads((project / "config" / "base.toml").read_text(encoding="utf-8"))
    about = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))

    assert base["project"] == {"name": project.name, "team": team}
    assert about["project"]["name"] == project.name
    assert team in (project / "README.md").read_text(encoding="utf-8")
    assert not list(tmp_path.rglob("hacked"))


@pytest.mark.parametrize("character", ["\n", "\t", "\0", "\x1b", "\x7f", "\x85", "\ud800"])
def test_control_characters_become_spaces(bake: Bake, tmp_path: Path, character: str) -> None:
    """A character that no file should hold cannot break one."""
    project = bake(tmp_path, team_name=f"a{character}b", author_name=f"c{character}d")
    base = tomllib.loads((project / "config" / "base.toml").read_text(encoding="utf-8"))

    assert base["project"]["team"] == "a b"
    assert "c d" in (project / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("level", ["low", "medium", "high"])
def test_the_rating_is_written_down(bake: Bake, tmp_path: Path, level: str) -> None:
    """The three answers about confidentiality, integrity and availability are settings of the project."""
    rating = {"confidentiality": level, "integrity": level, "availability": level}
    project = bake(tmp_path, **rating)
    base = tomllib.loads((project / "config" / "base.toml").read_text(encoding="utf-8"))

    assert base["rating"] == rating


def test_a_cache_left_in_the_template_does_no_harm(template: Path, user_config: Path, tmp_path: Path) -> None:
    """Whoever ran a type checker inside the template folder can still generate from it."""
    dirty = tmp_path / "dirty"
    shutil.copytree(template, dirty)
    (dirty / FOLDER / ".cache" / "mypy").mkdir(parents=True)
    (dirty / FOLDER / ".cache" / "mypy" / "cache.db").write_bytes(b"SQLite format 3" + b"a" * 2000 + b"\x89{{ x }}")

    project = cookiecutter(str(dirty), no_input=True, output_dir=tmp_path / "into", config_file=str(user_config))

    assert (Path(project) / "README.md").exists()


def test_no_file_looks_like_a_secret(default_project: Path) -> None:
    """The hook that a fresh project has for its owner finds nothing in what we wrote ourselves."""
    config = yaml.safe_load((default_project / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    (hook,) = (hook for repo in config["repos"] for hook in repo["hooks"] if hook["id"] == "detect-secrets")
    _, *options = hook["entry"].split()
    paths = [path.relative_to(default_project).as_posix() for path in default_project.rglob("*") if path.is_file()]
    wanted = [path for path in paths if not re.match(hook["exclude"], path) and not path.endswith(".png")]
    command = [sys.executable, "-m", "detect_secrets.pre_commit_hook", *options, *wanted]
    done = subprocess.run(command, cwd=default_project, capture_output=True, text=True, check=False)

    assert "docs/host.md" in wanted
    assert done.returncode == 0, done.stdout
