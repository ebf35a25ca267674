"""The clock of the machine jumps: requests are answered and stored once, and a new model is still taken over."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from player.config import Settings
from player.model import saving, store
from player.storage import queries
from player.training import Trained
from tests.service import wait_until
from tests.storage_rows import count

NOW = datetime(2026, 3, 29, 0, 59, 50, tzinfo=UTC)  # ten seconds before summer time begins in Europe
JUMPS = {
    "a day on": NOW + timedelta(days=1),
    "a day back": NOW - timedelta(days=1),
    "an hour on": NOW + timedelta(hours=1),
    "an hour back": NOW - timedelta(hours=1),
    "on again": NOW + timedelta(hours=1),
    "a second back": NOW - timedelta(seconds=1),
    "summer time begins": datetime(2026, 3, 29, 1, 0, 0, tzinfo=UTC),
    "summer time ends": datetime(2026, 10, 25, 1, 0, 0, tzinfo=UTC),
    "a leap second": datetime(2016, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    "the last second of 32 bits": datetime(2038, 1, 19, 3, 14, 7, tzinfo=UTC),
    "beyond 32 bits": datetime(2038, 1, 20, tzinfo=UTC),
    "an empty battery": datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC),
}
EACH = 20


def test_the_clock_may_jump(client: FlaskClient, app: Flask) -> None:
    """Each request is answered and stored once with a time of its own, and the pages can be seen, whatever it says."""
    for name, when in JUMPS.items():
        with time_machine.travel(when):
            answers = [client.post("/api", json={"request_id": f"{name} {count}"}) for count in range(EACH)]
            pages = [client.get(path) for path in ("/dashboard", "/health/ready", "/metrics")]
        assert {200} == {answer.status_code for answer in (*answers, *pages)}, name

    parts = app.extensions["player"]
    asked = {f"{name} {count}" for name in JUMPS for count in range(EACH)}
    wait_until(lambda: count(parts.engine)[0] >= len(asked), what="all rows are stored")
    rows = queries.recent(parts.engine, 10_000)

    assert sorted(asked) == sorted(rows["request_id"])
    assert (rows["latency_ms"] >= 0).all()
    assert len(JUMPS) <= rows["received_at"].nunique()


@pytest.mark.parametrize("when", [NOW - timedelta(days=365), NOW + timedelta(days=365)], ids=["back", "on"])
def test_a_new_model_is_taken_over_whatever_the_clock_says(
    client: FlaskClient, app: Flask, model_settings: Settings, trained: Trained, when: datetime
) -> None:
    """Which model is the newest is not a matter of the clock."""
    with time_machine.travel(when):
        new = saving.save(replace(trained, rows=trained.rows + 1), model_settings).version
        store.activate(new, model_settings)
        wait_until(lambda: client.post("/api", json={}).json["model"] == new, what="the new model answers")  # type: ignore[index]
