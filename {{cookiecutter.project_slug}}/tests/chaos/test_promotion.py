"""`kill -9` at a random moment of a promotion: always a whole approved model, always exactly one."""

import os
import random
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from player.config import Settings, load_settings
from player.model import loading, saving, store
from player.model.records import APPROVED, read
from player.promotion import gates
from player.promotion.promote import promote as promote_here
from player.training import Trained


@pytest.fixture(name="project")
def _project(home: Path, monkeypatch: pytest.MonkeyPatch, trained: Trained) -> list[str]:
    """Two versions of a model in development, the first of them promoted to testing; returns the versions."""
    (home / "keys").mkdir()
    for environment in ("development", "testing"):
        path = home / "keys" / f"{environment}.key"
        path.write_text(secrets.token_hex(32), encoding="utf-8")
        path.chmod(0o600)
    monkeypatch.setenv("PLAYER_SIGNING_KEY_FILE", str(home / "keys" / "{environment}.key"))
    for name in gates.UNIT_TESTS:  # what a unit test says is not the point here
        (home / name).parent.mkdir(exist_ok=True)
        (home / name).write_text("def test_it():\n    assert True\n", encoding="utf-8")
    development = load_settings("development")
    versions = []
    for accuracy in (0.8, 0.801):
        changed = replace(trained, metrics={**trained.metrics, "accuracy": accuracy})
        versions.append(saving.save(changed, development).version)
        time.sleep(1.1)  # a version is named after its second
    store.activate(versions[0], development)
    promote_here(load_settings("testing"), "ann", "first")
    return versions


def promote(seconds: float | None = None) -> bool:
    """Run `player promote testing`, killed after so many *seconds*; return whether it came to its end."""
    command = [sys.executable, "-m", "player.cli", "promote", "testing", "--as", "ann"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        return process.wait(seconds) == 0
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return False


def approved(settings: Settings) -> set[str]:
    """Return the versions that every gate let pass; each line of the records must be whole."""
    return {record["version"] for record in read(settings) if record["outcome"] == APPROVED}


def test_a_killed_promotion_leaves_a_whole_approved_model(
    project: list[str], amount: Callable[[str], int], report: Callable[..., None]
) -> None:
    """The current model of testing loads after each kill, and it is the one before or the one that was promoted."""
    testing, development, dice = load_settings("testing"), load_settings("development"), random.Random(2026)
    store.activate(project[1], development)
    started = time.monotonic()
    assert promote()
    whole = time.monotonic() - started
    kills = max(5, amount("KILLS") // 2)
    moved = 0
    for _ in range(kills):
        before = store.current_manifest(testing).version
        store.activate(project[project[0] == before], development)
        promote(dice.uniform(0, whole))
        after = store.current_manifest(testing).version
        moved += after != before

        assert loading.load(after, testing).manifest.version == after
        assert after in {before, store.current_manifest(development).version} & approved(testing)
    store.activate(project[project[0] == store.current_manifest(testing).version], development)
    assert promote()
    report(kills=kills, new_model=moved, old_model=kills - moved, broken=0)
