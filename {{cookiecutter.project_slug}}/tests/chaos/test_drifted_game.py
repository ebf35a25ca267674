"""The same game twice: a player that retrains when it drifts, and one that does not. The world changes three times."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from player.config import Settings
from tests.service import Service

PROJECT = Path(__file__).parents[2]
DRIFTED = ("another population", "data gathered differently", "another nature")
RATE = 20  # applicants a second: in the first quarter of a round there is time to notice, and to learn


@pytest.fixture(name="trained_on_all")
def _trained_on_all(settings: Settings) -> Settings:
    """A project with the whole training table and the model that comes from it."""
    shutil.copy(PROJECT / "data" / "train_data.csv", settings.home / "data" / "train_data.csv")
    subprocess.run([sys.executable, "-m", "player.cli", "-e", "testing", "train"], check=True)
    return settings


def play(service: Service, requests: int, rate: float) -> dict[str, Any]:
    """Play all rounds and return the figures of each."""
    url, output = f"http://127.0.0.1:{service.port}", service.settings.home / "output"
    options = {"--url": url, "--requests": requests, "--rate": rate, "--output": output}
    words = [str(word) for option in options.items() for word in option]
    command = [sys.executable, "-m", "customer.cli", "play", "--json", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {part["name"]: part for part in json.loads(done.stdout)["rounds"]}


def late_share(rounds: dict[str, Any]) -> float:
    """Return the share of the best possible points over the drifted rounds, the first quarter of each left out."""
    points, best = (sum(rounds[name][key] for name in DRIFTED) for key in ("late_points", "late_best"))
    return float(points / best)


def test_retraining_keeps_up_with_a_changing_world(
    trained_on_all: Settings, start: Callable[..., Service], amount: Callable[[str], int],
    report: Callable[..., None],
) -> None:  # fmt: skip
    """With `retrain --if-drifted` every ten seconds 90 % of what anybody could earn is earned, and without far less."""
    requests, settings = amount("APPLICANTS"), trained_on_all
    service = start(settings)
    without = play(service, requests, rate=0)
    service.stop()
    for path in (settings.home / "output").glob("testing*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    service = start(settings)
    schedule = [sys.executable, "-m", "player.cli", "-e", "testing", "schedule", "--every", "10s"]
    with (settings.home / "output" / "schedule.log").open("wb") as log:
        scheduler = subprocess.Popen(schedule, stdout=log, stderr=log)
    try:
        retrained = play(service, requests, RATE)
    finally:
        scheduler.terminate()
        scheduler.wait(60)
    shares = {name: f"{without[name]['late_share']:.3f} -> {retrained[name]['late_share']:.3f}" for name in retrained}
    report(**shares, drifted=f"{late_share(without):.3f} -> {late_share(retrained):.3f}")

    assert 0 == sum(part["failed"] for part in retrained.values())
    assert late_share(retrained) >= 0.9
    assert late_share(retrained) > late_share(without)
