"""A model learns from a million rows beside the service: requests are answered as before."""

import os
import subprocess
import sys
import time
from collections.abc import Callable

import pandas as pd
import pytest

from player.config import Settings
from player.promotion import stage_data
from tests.chaos.load import Load, peak_rate, settle
from tests.service import Service

SLOWEST_MS = 300


def test_a_million_rows_are_learned_from(
    model_settings: Settings, table: pd.DataFrame, start: Callable[..., Service], amount: Callable[[str], int],
    report: Callable[..., None], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """`player retrain` on a large table has low priority: the slowest answers stay about as slow as they were."""
    rows = amount("ROWS")
    pd.concat([table] * (rows // len(table) + 1)).head(rows).to_parquet(model_settings.path("data/large.parquet"))
    monkeypatch.setattr(stage_data, "TEST_ROWS", len(table))
    stage_data.fill(model_settings)  # labelled requests, without which there is nothing to compare with
    service = start(model_settings)
    rate = 0.3 * peak_rate(service)
    with Load(service, rate) as load:
        time.sleep(5)
        began = time.monotonic()
        time.sleep(20)
        learning = time.monotonic()
        said = retrain("data/large.parquet")
        learned = time.monotonic()
        time.sleep(3)
    before = {f"before: {name}": value for name, value in load.times(began, learning).items()}
    figures = {**before, **load.times(learning, learned)}
    report(rows=rows, learned_in_s=round(learned - learning), a_second=round(rate), **settle(model_settings, load),
           failed=len(load.failed), **figures)  # fmt: skip

    assert "on the newest" in said
    assert [] == load.failed
    assert figures["p99 ms"] < max(SLOWEST_MS, 3 * figures["before: p99 ms"])


def retrain(table: str) -> str:
    """Return what `player retrain` says when it learns from *table*."""
    command = [sys.executable, "-m", "player.cli", "-e", "testing", "retrain"]
    variables = {**os.environ, "PLAYER_DATA__TRAIN": table}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=3600, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
