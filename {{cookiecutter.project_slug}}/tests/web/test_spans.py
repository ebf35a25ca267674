"""Which stretch of the past a viewer asks for."""

from datetime import UTC, datetime, timedelta

import pytest

from player.web.dashboard.spans import ALL, Span, read_span

NOW = datetime(2026, 11, 30, 12, 34, 56, tzinfo=UTC)


@pytest.mark.parametrize(
    ("asked", "since", "until"),
    [
        ({"last": "day"}, datetime(2026, 11, 29, 12, 34, tzinfo=UTC), None),
        ({"from": "2026-11-23"}, datetime(2026, 11, 23, tzinfo=UTC), None),
        ({"to": "2026-11-23"}, None, datetime(2026, 11, 24, tzinfo=UTC) - timedelta(microseconds=1)),
        ({"from": "2026-11-23T10:00+02:00"}, datetime(2026, 11, 23, 8, tzinfo=UTC), None),
        ({"from": "2026-11-23T10:00", "to": "2026-11-23 11:00"}, datetime(2026, 11, 23, 10, tzinfo=UTC),
         datetime(2026, 11, 23, 11, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_a_span_is_read_in_utc(asked: dict[str, str], since: datetime | None, until: datetime | None) -> None:
    """A day without a time is the whole of it; a zone is converted."""
    found = read_span(asked, NOW)

    assert (since, until) == (found.since, found.until)
    assert found.name != "all"


@pytest.mark.parametrize(
    "asked",
    [{}, {"last": "eon"}, {"from": "soon"}, {"to": ""}, {"from": "9999-99-99"}, {"from": "0001-01-01T00:00+14:00"},
     {"from": "<script>"}],
)  # fmt: skip
def test_what_cannot_be_read_is_everything(asked: dict[str, str]) -> None:
    """As if nothing had been asked."""
    assert ALL == read_span(asked, NOW)


def test_the_end_of_time_is_no_error() -> None:
    """Nor is its beginning."""
    assert 9999 == (read_span({"to": "9999-12-31"}, NOW).until or NOW).year
    assert 1 == (read_span({"from": "0001-01-01"}, NOW).since or NOW).year


def test_viewers_of_the_same_minute_share_a_span() -> None:
    """So that many of them cost as much as one."""
    assert read_span({"last": "hour"}, NOW) == read_span({"last": "hour"}, NOW.replace(second=1))
    assert isinstance(read_span({"last": "hour"}, NOW), Span)
