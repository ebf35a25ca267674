"""A service after a game, for the real programs that look at it."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import clean_environment, scratch_project

from player.config import load_settings
from player.model import saving, store
from player.training import Trained
from tests.programs.game import ASKED, run, stored
from tests.service import Service, wait_until


@pytest.fixture(name="home", scope="module")
def _home(tmp_path_factory: pytest.TempPathFactory, trained: Trained) -> Iterator[Path]:
    """A project with a model, in testing."""
    home = scratch_project(tmp_path_factory.mktemp("browser") / "project")
    with pytest.MonkeyPatch.context() as patch:
        clean_environment(patch, home)
        settings = load_settings("testing")
        store.activate(saving.save(trained, settings).version, settings)
        yield home


@pytest.fixture(name="service", scope="module")
def _service(home: Path) -> Iterator[Service]:
    """Its service after a game; the board is in its folder."""
    service = Service(load_settings("testing"))
    service.wait_for_all()
    command = [sys.executable, "-m", "customer.cli", "play", "--url", f"http://127.0.0.1:{service.port}",
               "--requests", str(ASKED // 2), "--rounds", "as trained,another population"]  # fmt: skip
    run(command, service)
    wait_until(lambda: len(stored(service)) >= ASKED, what="all rows are in the database")
    yield service
    service.stop()
