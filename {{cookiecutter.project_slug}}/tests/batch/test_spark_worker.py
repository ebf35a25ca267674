"""A worker of Spark's has the model of the run, loaded with every check, and no secret travels to it."""

import pytest

from player.batch.spark_worker import Wanted, loaded
from player.config import Settings
from player.errors import ModelRefused
from player.model import saving, store
from player.model.predictor import Predictor
from player.training import Trained


@pytest.fixture(name="predictor")
def _predictor(model_settings: Settings) -> Predictor:
    """A predictor with a model, as `player batch` makes one."""
    predictor = Predictor(model_settings)
    predictor.reload()
    return predictor


def test_a_model_that_is_promoted_meanwhile_changes_nothing(predictor: Predictor, trained: Trained) -> None:
    """A worker that starts late has the model the run began with."""
    wanted = Wanted.like(predictor)
    store.activate(saving.save(trained, predictor.settings, note="newer").version, predictor.settings)

    assert predictor.version == loaded(wanted).version


def test_a_model_that_was_changed_is_refused(predictor: Predictor) -> None:
    """The checks of the command are done again in the worker."""
    wanted = Wanted.like(predictor)
    (store.folder(predictor.settings) / f"{predictor.version}.pkl").write_bytes(b"something else")

    with pytest.raises(ModelRefused, match="A Spark worker cannot load model"):
        loaded(wanted)


def test_no_secret_travels(predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a secret is found may travel, the secret may not."""
    monkeypatch.setenv("PLAYER_SIGNING_KEY", "hush-hush")
    monkeypatch.setenv("PLAYER_API_KEY_FILE", "keys/api.key")

    wanted = Wanted.like(predictor)

    assert "hush-hush" not in str(wanted)
    assert ("PLAYER_API_KEY_FILE", "keys/api.key") in wanted.variables
