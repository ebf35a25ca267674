"""Replay: the stored requests asked again."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

from player.cli import main
from player.config import Settings
from player.errors import DataError, ModelMissing
from player.features import clean_table
from player.model import store
from player.promotion.replay import replay
from player.storage.migrations import upgrade
from player.storage.writer import LabelRow, PredictionRow, Writer
from player.training import Trained

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(name="stored")
def _stored(model_settings: Settings, table: pd.DataFrame, trained: Trained) -> pd.DataFrame:
    """Forty requests that an older model answered with 0, whatever was asked; half of them have a label."""
    asked = table.head(40)
    requests = json.loads(asked[trained.schema.names].to_json(orient="records"))
    upgrade(model_settings)
    writer = Writer(model_settings)
    writer.start()
    for i, features in enumerate(requests):
        at = START + timedelta(seconds=i)
        writer.put_prediction(PredictionRow(f"r{i}", at, "older", 0, 0.1, False, features, [], 7.0, "customer"))
    truths = asked["repaid"].tolist()
    writer.put_labels([LabelRow(f"l{i}", f"r{i}", truths[i], START, "customer") for i in range(20)])
    writer.stop()
    return asked


def test_stored_requests_are_answered_by_another_model(
    model_settings: Settings, stored: pd.DataFrame, trained: Trained
) -> None:
    """Changed answers and points are those of the other model on the same requests."""
    version = store.current_manifest(model_settings).version
    said = trained.pipeline.predict(clean_table(stored, trained.schema))
    truths = stored["repaid"].to_numpy()

    found = replay(version, model_settings, 2000)

    assert (40, 20, int((said != 0).sum())) == (found.rows, found.labelled, found.changed)
    assert ("older", int((truths[:20] == 0).sum())) == (found.before.model, found.before.points)
    assert (version, int((said == truths)[:20].sum())) == (found.after.model, found.after.points)
    assert {"0 -> 1": found.changed} == found.changes


@pytest.mark.usefixtures("stored")
def test_an_environment_stands_for_its_current_model(model_settings: Settings) -> None:
    """`--against testing` is the model that is current in testing; `--limit` takes the newest requests."""
    result = CliRunner().invoke(main, ["-e", "testing", "replay", "--against", "testing", "--limit", "10", "--json"])

    found: dict[str, Any] = json.loads(result.stdout)
    assert (10, store.current_manifest(model_settings).version) == (found["rows"], found["after"]["model"])


@pytest.mark.usefixtures("stored", "model_settings")
def test_the_table_has_a_column_before_and_one_after() -> None:
    """Without `--json` a person reads it."""
    result = CliRunner().invoke(main, ["-e", "testing", "replay", "--against", "testing"])

    assert 0 == result.exit_code
    words = ("before", "after", "points", "latency p99", "answers differ", "points in 100")
    assert all(word in result.output for word in words)


def test_without_requests_there_is_nothing_to_replay(model_settings: Settings) -> None:
    """The error says so in one line."""
    upgrade(model_settings)

    with pytest.raises(DataError, match="no requests"):
        replay("testing", model_settings, 10)


def test_an_unknown_version_is_named(model_settings: Settings) -> None:
    """A typing error does not end in a traceback."""
    with pytest.raises(ModelMissing, match="20200101"):
        replay("20200101-000000-aaaaaaaa", model_settings, 10)
