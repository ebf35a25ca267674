"""What the tests share: a clean copy of the template, and `bake` to generate a project from it."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cookiecutter.main import cookiecutter

ROOT = Path(__file__).parents[1]
FOLDER = "{{cookiecutter.project_slug}}"
LITTER = shutil.ignore_patterns(
    "__pycache__", ".cache", "*_cache", ".hypothesis", ".ipynb_checkpoints", ".venv", ".tox", "*.egg-info", "*.db*"
)

Bake = Callable[..., Path]


@pytest.fixture(name="template", scope="session")
def _template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template as a fresh clone has it: without what tools leave behind when they run inside it."""
    copy = tmp_path_factory.mktemp("template")
    for name in ("cookiecutter.json", "answers.py", "project_name.py"):
        shutil.copy(ROOT / name, copy)
    shutil.copytree(ROOT / "hooks", copy / "hooks", ignore=LITTER)
    shutil.copytree(ROOT / FOLDER, copy / FOLDER, ignore=LITTER)
    for made_here in ("models", "output"):
        for path in (copy / FOLDER / made_here).iterdir():
            if path.name != ".gitkeep":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    return copy


@pytest.fixture(name="user_config", scope="session")
def _user_config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cookiecutter configuration that keeps its records out of the home folder."""
    folder = tmp_path_factory.mktemp("cookiecutter")
    config = folder / "config.yaml"
    text = f"cookiecutters_dir: '{folder / 'templates'}'\nreplay_dir: '{folder / 'replay'}'\n"
    config.write_text(text, encoding="utf-8")
    return config


@pytest.fixture(name="bake", scope="session")
def _bake(template: Path, user_config: Path) -> Bake:
    """A function: folder to write into, answers by name -> the folder of the generated project."""

    def bake(into: Path, **answers: str) -> Path:
        made = cookiecutter(
            str(template), no_input=True, extra_context=answers, output_dir=into, config_file=str(user_config)
        )
        return Path(made)

    return bake


@pytest.fixture(name="default_project", scope="session")
def _default_project(bake: Bake, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project generated with every default, for tests that only read it."""
    return bake(tmp_path_factory.mktemp("defaults"))


def run(*command: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a Python module with this interpreter, as `python -m`, in *cwd*; fail with what it printed."""
    dropped = ("PYTHONPATH", "VIRTUAL_ENV", "TOX_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=cwd,
        env={**environment, "PYTHONPATH": str(cwd), **variables},
        text=True,
        encoding="utf-8",
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def play(project: Path) -> Any:
    """Return what came of a short game against the service of *project*, which has a model."""
    port = free_port()
    serve = subprocess.list2cmdline([sys.executable, "-m", "player.cli", "serve", "--no-debug", "--port", "{port}"])
    words = ["--json", "--requests", "20", "--url", f"http://127.0.0.1:{port}", "--start", serve]
    return json.loads(run("customer.cli", "play", *words, cwd=project).stdout)
