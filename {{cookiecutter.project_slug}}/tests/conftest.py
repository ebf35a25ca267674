"""What the tests share: settings in a scratch folder, a small trained model, the API with everything behind it."""

import os
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

# Before anything loads OpenMP: threads that fight for the cores make training many times slower.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pandas as pd
import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from player.app import create_app
from player.config import Settings, load_settings
from player.logging_config import request_id
from player.model import saving, store
from player.promotion import gates
from player.promotion.keys import FILES, make_keys
from player.training import Trained, read_table, train

# The first example of a run is slow on a busy machine; that says nothing about the code.
hypothesis_settings.register_profile(
    "player",
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
hypothesis_settings.load_profile("player")

PROJECT = Path(__file__).parents[1]
KEYS = {"PLAYER_SIGNING_KEY": "9f8e7d6c5b4a39281706f5e4d3c2b1a0", "PLAYER_API_KEY": "0a1b2c3d4e5f60718293a4b5c6d7e8f9"}
# What the tests call the columns that are no features, whichever world the project plays; the features keep its names.
ROLES = {
    "label": "repaid",
    "id": "applicant_id",
    "time": "applied_on",
    "not_at_request_time": ["months_in_arrears"],
}
LEVELS = {f"PLAYER_RATING__{concern}": "low" for concern in ("CONFIDENTIALITY", "INTEGRITY", "AVAILABILITY")}


def scratch_project(folder: Path) -> Path:
    """Copy what configures a project into *folder*, so that a test cannot touch the real one."""
    shutil.copytree(PROJECT / "config", folder / "config")
    roles = "".join(f"{role} = {name!r}\n" for role, name in ROLES.items())
    (folder / "config" / "data.toml").write_text(f"[data]\n{roles}", encoding="utf-8")
    (folder / "data").mkdir()
    for name in ("models", "output"):
        (folder / name).mkdir()
    return folder


def training_data() -> pd.DataFrame:
    """Return the project's training data; the columns that are no features have the names of the tests."""
    described = tomllib.loads((PROJECT / "config" / "data.toml").read_text(encoding="utf-8"))["data"]
    (afterwards,), (known_late,) = described["not_at_request_time"], ROLES["not_at_request_time"]
    names = {described[role]: name for role, name in ROLES.items() if isinstance(name, str)}
    return read_table(PROJECT / "data" / "train_data.csv").rename(columns={**names, afterwards: known_late})


def clean_environment(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """Forget the PLAYER_ variables of whoever runs the tests; the rating is low unless a test says otherwise."""
    for name in list(os.environ):
        if name.startswith("PLAYER_") and not name.startswith("PLAYER_TEST_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PLAYER_HOME", str(home))
    for name, level in LEVELS.items():
        monkeypatch.setenv(name, level)


@pytest.fixture(autouse=True)
def _no_request(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test starts outside of any request, and a command it runs neither closes its files nor slows the next."""
    request_id.set("-")
    monkeypatch.setattr(os, "nice", lambda by: by, raising=False)
    mask = os.umask(0o022)
    yield
    os.umask(mask)


@pytest.fixture(name="table", scope="session")
def _table() -> pd.DataFrame:
    """The first 2,000 rows of the training data."""
    return training_data().head(2000)


@pytest.fixture(name="home")
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: pd.DataFrame) -> Path:
    """A project folder of its own, with a small training table."""
    home = scratch_project(tmp_path / "project")
    table.to_csv(home / "data" / "train_data.csv", index=False)
    clean_environment(monkeypatch, home)
    return home


@pytest.fixture(name="settings")
def _settings(home: Path) -> Settings:
    """The settings of the testing environment in the scratch project."""
    return load_settings("testing")


@pytest.fixture(name="keys")
def _keys(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The scratch project with keys for each environment, as `player keys` makes and names them."""
    make_keys(home)
    for variable, name in FILES.items():
        monkeypatch.setenv(variable, str(home / name))
    return home


@pytest.fixture(name="small_gate")
def _small_gate(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One small unit test, in a file that can be changed, is what a model must pass on its way to testing."""
    path = home / "test_small.py"
    path.write_text("def test_it():\n    assert True\n", encoding="utf-8")
    monkeypatch.setattr(gates, "UNIT_TESTS", (path.name,))
    return path


@pytest.fixture(name="trained", scope="session")
def _trained(tmp_path_factory: pytest.TempPathFactory, table: pd.DataFrame) -> Trained:
    """A model trained once on the small table, for all tests that only read it."""
    home = scratch_project(tmp_path_factory.mktemp("trained") / "project")
    with pytest.MonkeyPatch.context() as patch:
        clean_environment(patch, home)
        return train(table, load_settings("testing"))


@pytest.fixture(name="saved", scope="session")
def _saved(tmp_path_factory: pytest.TempPathFactory, trained: Trained) -> Path:
    """A folder of models with one active model, saved once."""
    home = scratch_project(tmp_path_factory.mktemp("saved") / "project")
    with pytest.MonkeyPatch.context() as patch:
        clean_environment(patch, home)
        settings = load_settings("testing")
        store.activate(saving.save(trained, settings).version, settings)
    return home / "models"


@pytest.fixture(name="model_settings")
def _model_settings(settings: Settings, saved: Path) -> Settings:
    """Settings whose model folder holds one active model."""
    shutil.copytree(saved, settings.home / "models", dirs_exist_ok=True)
    return settings


@pytest.fixture(name="app")
def _app(model_settings: Settings) -> Iterator[Flask]:
    """The whole application on a scratch database."""
    app = create_app(model_settings)
    yield app
    app.extensions["player"].stop()


@pytest.fixture(name="client")
def _client(app: Flask) -> FlaskClient:
    """A client that calls the application without a network."""
    return app.test_client()
