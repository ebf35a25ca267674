"""Since when something is so: the change point is found near the row where it is, and none where nothing changed."""

import numpy as np
import pandas as pd
import pytest

from customer import world
from player.config import Settings
from player.monitoring.evidence.onset import change_point
from player.monitoring.reports import report
from player.training import Trained
from tests.monitoring.test_diagnosis import answered


@pytest.mark.parametrize("shift", [world.GATHERED_DIFFERENTLY, world.ANOTHER_POPULATION, world.ANOTHER_NATURE])
@pytest.mark.parametrize("begin", [560, 790])
def test_the_change_is_found_where_it_is(trained: Trained, settings: Settings, shift: str, begin: int) -> None:
    """In a stream of 1,200 rows the onset is at most 100 rows from the true one, for each cause."""
    before, after = answered(trained, world.AS_TRAINED, begin, seed=5), answered(trained, shift, 1200 - begin, seed=6)
    rows = pd.concat([before, after.assign(received_at=after["received_at"] + pd.Timedelta(seconds=begin))])
    rows["request_id"] = [f"r{i}" for i in range(len(rows))]

    found = report(rows, trained.profile, settings.monitoring, trained.metrics)

    assert found.onset is not None
    assert abs(found.onset.row - begin) <= 100
    assert found.onset.earliest <= found.onset.row <= found.onset.latest
    assert found.onset.since == 1200 - found.onset.row
    assert "requests ago" in found.to_text()


def test_what_was_always_so_has_no_onset(trained: Trained, settings: Settings) -> None:
    """When the first row already is of the other kind, no beginning is claimed; when all is well, none at all."""
    changed = report(answered(trained, world.GATHERED_DIFFERENTLY), trained.profile, settings.monitoring)
    well = report(answered(trained, world.AS_TRAINED), trained.profile, settings.monitoring)

    assert (changed.onset, well.onset) == (None, None)


def test_without_rows_there_is_no_change_point() -> None:
    """No row, or rows that say nothing, give no onset."""
    rows = pd.DataFrame({"received_at": pd.date_range("2026-01-01", periods=3)})

    assert change_point(np.zeros(0), rows.head(0)) is None
    assert change_point(np.zeros(3), rows) is None
