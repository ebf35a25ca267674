"""What the tests that break things share: a service to break, how much is broken, and the table of what was survived.

How much: CHAOS_SHORT=1 is the short form. One by one: CHAOS_KILLS, CHAOS_HOST_KILLS (of a tournament's host),
CHAOS_RESTARTS, CHAOS_SECONDS (how long PostgreSQL is away), CHAOS_REQUESTS (fuzzed, and as many steady ones),
CHAOS_OFFERS (0 = all bad models), CHAOS_APPLICANTS (in each round of a game), CHAOS_ROWS (to learn from),
CHAOS_STRANGER (requests of a stranger, of CHAOS_BYTES each). CHAOS_REPORT names a file for the table as JSON.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from player.config import Settings, load_settings
from tests.postgres import Postgres, _postgres, _postgres_url  # noqa: F401 - fixtures
from tests.service import Service

AMOUNTS = {  # in full, and in the short form
    "KILLS": (200, 10), "RESTARTS": (50, 4), "SECONDS": (300, 10), "REQUESTS": (1_000_000, 5000), "OFFERS": (0, 30),
    "APPLICANTS": (2000, 2000), "ROWS": (1_000_000, 50_000), "HOST_KILLS": (100, 5), "STRANGER": (1_000_000, 2000),
    "BYTES": (2_000_000, 2_000_000),
}  # fmt: skip
FIGURES: dict[str, dict[str, Any]] = {}
NOT_SHOWN: list[str] = []


def pytest_configure() -> None:
    """Refuse at once where nothing of this can run."""
    if os.name != "posix":
        pytest.exit("tests/chaos kills and freezes processes with POSIX signals: run it on Linux or macOS.", 1)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out, and say so in the table, what this machine does not allow."""
    for item in list(items):
        why = ""
        if "small_disk" in getattr(item, "fixturenames", ()) and not can_mount():
            why = "needs root, to mount a small disk"
        elif item.path.name == "test_limits.py" and not psutil.LINUX:
            why = "needs Linux, to limit a running process"
        if why:
            NOT_SHOWN.append(f"{item.name}: {why}")
            items.remove(item)
            config.hook.pytest_deselected(items=[item])


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the table, and write it where CHAOS_REPORT says."""
    if not FIGURES and not NOT_SHOWN:
        return
    terminalreporter.section("what was survived")
    for name, figures in FIGURES.items():
        terminalreporter.line(f"| {name} | {', '.join(f'{key} {value}' for key, value in figures.items())} |")
    for line in NOT_SHOWN:
        terminalreporter.line(f"NOT SHOWN {line}")
    if path := os.environ.get("CHAOS_REPORT"):
        Path(path).write_text(json.dumps({"figures": FIGURES, "not shown": NOT_SHOWN}, indent=1), encoding="utf-8")


def how_much(name: str) -> int:
    """Return the value of CHAOS_*name*, or the usual one."""
    return int(os.environ.get(f"CHAOS_{name}", AMOUNTS[name]["CHAOS_SHORT" in os.environ]))


def can_mount() -> bool:
    """Tell whether a file system can be mounted here."""
    return os.geteuid() == 0 and shutil.which("mount") is not None


@pytest.fixture(name="amount")
def _amount() -> Callable[[str], int]:
    """How much is broken: a function of the name."""
    return how_much


@pytest.fixture(name="report")
def _report(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Put figures into the table, under the name of the test."""

    def add(**figures: Any) -> None:
        name = request.node.name.removeprefix("test_").replace("_", " ")
        FIGURES.setdefault(name, {}).update({key.replace("_", " "): value for key, value in figures.items()})

    return add


@pytest.fixture(name="start")
def _start() -> Iterator[Callable[..., Service]]:
    """Start services that end with the test, however it ends."""
    started: list[Service] = []

    def start(settings: Settings, **variables: str) -> Service:
        started.append(Service(settings, variables))
        return started[-1]

    yield start
    for service in started:
        if service.process.poll() is None:
            service.kill()


@pytest.fixture(name="anywhere", params=["sqlite", "postgresql"])
def _anywhere(request: pytest.FixtureRequest, model_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings on each of the two databases."""
    if request.param == "sqlite":
        return model_settings
    monkeypatch.setenv("PLAYER_DATABASE_URL", request.getfixturevalue("postgres_url"))
    return load_settings("testing")


@pytest.fixture(name="on_postgres")
def _on_postgres(model_settings: Settings, postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings whose database is on the server that the test may break."""
    monkeypatch.setenv("PLAYER_DATABASE_URL", postgres.database())
    return load_settings("testing")


@pytest.fixture(name="small_disk")
def _small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 16 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(place)], check=True)
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)
