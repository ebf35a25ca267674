"""Which stretch of the past a viewer wants to see: `?last=day`, or `?from=…&to=…` with dates or times in UTC."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

LASTS = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}


@dataclass(frozen=True)
class Span:
    """A stretch of time: its name in words, its begin and its end; None where it has none."""

    name: str = "all"
    since: datetime | None = None
    until: datetime | None = None


ALL = Span()


def read_span(asked: Mapping[str, str], now: datetime) -> Span:
    """Return what a viewer *asked* for; what cannot be read is as if it had not been asked.

    The last hour begins at a whole minute, so that all viewers of a minute share it.
    """
    last = asked.get("last", "")
    if last in LASTS:
        return Span(last, now.replace(second=0, microsecond=0) - LASTS[last])
    since, until = read_moment(asked.get("from", "")), read_moment(asked.get("to", ""), end_of_day=True)
    if since is None and until is None:
        return ALL
    name = " ".join(f"{word} {at:%Y-%m-%d %H:%M:%S}" for word, at in (("from", since), ("to", until)) if at)
    return Span(name, since, until)


def read_moment(text: str, end_of_day: bool = False) -> datetime | None:
    """Return a time in UTC; of a day alone its begin or its end. None when *text* is no time.

    >>> print(read_moment("2026-11-30"), read_moment("2026-11-30", end_of_day=True), read_moment("soon"))
    2026-11-30 00:00:00+00:00 2026-11-30 23:59:59.999999+00:00 None
    """
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    whole_day = len(text) <= len("2026-11-30")
    return moment + timedelta(days=1, microseconds=-1) if end_of_day and whole_day and moment.year < 9999 else moment
