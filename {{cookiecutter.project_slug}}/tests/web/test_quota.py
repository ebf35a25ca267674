"""How many labels a sender may bring."""

import time
from pathlib import Path

import pytest
from werkzeug.exceptions import TooManyRequests

from player.web.quota import Quota


@pytest.fixture(name="clock")
def _clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that stands still at the begin of a minute; its one entry is what it shows."""
    now = [600.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    return now


def test_each_sender_has_its_share_of_a_minute(clock: list[float], tmp_path: Path) -> None:
    """The last label of it is taken, one more is not, and says when to come again; others are not concerned."""
    quota = Quota(5, "labels", tmp_path / "quota")
    quota.take("a", 3)
    quota.take("a", 2)
    with pytest.raises(TooManyRequests, match="At most 5 labels a minute") as refused:
        quota.take("a", 1)
    quota.take("b", 5)

    assert 60 == refused.value.retry_after


def test_what_was_refused_is_not_counted(clock: list[float], tmp_path: Path) -> None:
    """A smaller list may still fit."""
    quota = Quota(5, "labels", tmp_path / "quota")
    with pytest.raises(TooManyRequests):
        quota.take("a", 6)

    quota.take("a", 5)


def test_the_next_minute_is_a_new_one(clock: list[float], tmp_path: Path) -> None:
    """59 seconds later it is the same one."""
    quota = Quota(1, "labels", tmp_path / "quota")
    quota.take("a", 1)
    clock[0] += 59
    with pytest.raises(TooManyRequests):
        quota.take("a", 1)

    clock[0] += 1
    quota.take("a", 1)


def test_no_limit_is_no_limit(clock: list[float], tmp_path: Path) -> None:
    """0 allows any number."""
    quota = Quota(0, "labels", tmp_path / "quota")
    quota.take("a", 10**6)

    assert not (tmp_path / "quota").exists()
