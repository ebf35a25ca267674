"""Where things stand in a chart, in units of a box of 100 by 100."""

from datetime import UTC, datetime, timedelta

import pytest

from player.monitoring.bins import Bin
from player.monitoring.periods import Period
from player.monitoring.quality import Promise, wilson
from player.web.dashboard import charts
from player.web.dashboard.charts import Bar

START = datetime(2026, 1, 1, 12, tzinfo=UTC)


def period(right: int | None, seconds: int = 0, rows: int = 10, long: int = 1) -> Period:
    """Return a period of *rows* requests, ten of them with a label, of which *right* were right."""
    return Period(START + timedelta(seconds=seconds), long, rows, None if right is None else wilson(right, 10))


@pytest.mark.parametrize(
    ("right", "bottom"), [((10, 10), 0.5), ((6, 9), 0.5), ((5, 9), 0.4), ((3, 9), 0.2), ((0, 9), 0.0), ((1, 1), 0.0)]
)
def test_the_scale_ends_below_the_lowest_accuracy(right: tuple[int, int], bottom: float) -> None:
    """At a tenth of its own, and never above a half."""
    assert bottom == charts.accuracy_chart([period(each, i) for i, each in enumerate(right)]).bottom


def test_heights_are_counted_from_the_top() -> None:
    """Certainty is at the top, the end of the scale at the bottom, and what is below stays there."""
    chart = charts.AccuracyChart(0.5, [], [], [])

    assert [0.0, 50.0, 100.0, 100.0] == [chart.y_of(share) for share in (1.0, 0.75, 0.5, 0.2)]


def test_a_band_goes_forth_above_and_back_below() -> None:
    """Around two points of accuracy 1.0."""
    share = wilson(10, 10)
    low = charts.AccuracyChart(0.5, [], [], []).y_of(share.low)
    chart = charts.accuracy_chart([period(10), period(10, 1)])

    assert [f"M25.0,0.0 L75.0,0.0 L75.0,{low} L25.0,{low} Z"] == chart.bands
    assert ["M25.0,0.0 L75.0,0.0"] == chart.lines


def test_each_period_can_be_pointed_at() -> None:
    """Also one without labels; the pointer is told what happened."""
    chart = charts.accuracy_chart([period(9), period(None, 1, rows=1200)])

    assert Bar(0, 0, 50, 100, "12:00:00: 10 requests, 90% of 10 right") == chart.hits[0]
    assert Bar(50, 0, 50, 100, "12:00:01: 1,200 requests, no labels") == chart.hits[1]


def test_the_most_requests_fill_the_box() -> None:
    """Labels stand before requests, in the same place; a period without any has bars of no height."""
    bars = charts.volume_bars([period(5, rows=20), period(None, 1, rows=5)])

    assert [
        (5, 0, 40, 100, "rows"),
        (5, 50, 40, 50, "labelled"),
        (55, 75, 40, 25, "rows"),
        (55, 100, 40, 0, "labelled"),
    ] == [(bar.x, bar.y, bar.width, bar.height, bar.kind) for bar in bars]


def test_bins_stand_side_by_side() -> None:
    """Those that were always empty are left out; the largest share fills the box."""
    bars = charts.bin_bars([Bin("a", 0.5, 0.25), Bin("b", 0.0, 0.0), Bin("c", 0.0, 0.25)])

    assert [100, 50, 0, 50] == [bar.height for bar in bars]
    assert [0, 50, 100, 50] == [bar.y for bar in bars]
    assert 50 > bars[0].x + bars[0].width
    assert bars[1].x + bars[1].width <= 50 <= bars[2].x
    assert all(bar.text.startswith(name) for bar, name in zip(bars, "aacc", strict=True))
    assert "a: 50.0% in training, 25.0% now" == bars[0].text


def test_without_bins_there_are_no_bars() -> None:
    """Neither when all were always empty, nor without any period."""
    assert [] == charts.bin_bars([]) == charts.bin_bars([Bin("a", 0.0, 0.0)]) == charts.volume_bars([])


def test_of_many_bins_the_last_are_shown() -> None:
    """The last is where missing and unknown values are."""
    assert 2 * charts.MOST_BINS == len(charts.bin_bars([Bin(str(i), 0.1, 0.1) for i in range(40)]))
    assert charts.bin_bars([Bin(str(i), 0.1, 0.1) for i in range(40)])[-1].text.startswith("39")


@pytest.mark.parametrize(
    ("count", "written"),
    [(0, []), (1, ["12:00:00"]), (2, ["12:00:00", "12:00:01"]), (3, ["12:00:00", "12:00:01", "12:00:02"]),
     (10, ["12:00:00", "12:00:05", "12:00:09"])],
)  # fmt: skip
def test_begin_middle_and_end_are_written_below(count: int, written: list[str]) -> None:
    """Of fewer than three periods each."""
    assert written == charts.ticks([period(None, i) for i in range(count)])


@pytest.mark.parametrize(
    ("long", "apart", "written"),
    [(59, 0, "12:00:00"), (60, 0, "12:00"), (3600, 86_400, "01 Jan 12:00"), (86_400, 86_400, "01 Jan")],
)
def test_a_time_is_as_short_as_it_can_be(long: int, apart: int, written: str) -> None:
    """Seconds, minutes, days with the hour, days."""
    periods = [period(None, 0, long=long), period(None, apart, long=long)]

    assert written == charts.clock(START, periods)


def test_promises_are_ranges_with_their_rows() -> None:
    """As they stand below the chart of calibration."""
    promise = Promise(**{**dict.fromkeys(Promise.__dataclass_fields__, 0), "low": 0.1, "high": 0.2, "rows": 1500})

    assert ["0.1 to 0.2: 1,500 rows"] == charts.promise_texts([promise])


def test_shares_fill_the_box_and_leave_room_between() -> None:
    """The largest is 100 high; each bar stays in its own part, and stands in the middle of it."""
    bars = charts.share_bars([4, 0, 2], ["a", "b", "c"])

    assert [(100, "a"), (0, "b"), (50, "c")] == [(bar.height, bar.text) for bar in bars]
    assert [0, 100, 50] == [bar.y for bar in bars]
    for i, bar in enumerate(bars):
        left, right = bar.x - i * 100 / 3, (i + 1) * 100 / 3 - bar.x - bar.width
        assert 0 < left == pytest.approx(right, abs=0.05)


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_to_show_is_drawn_flat(count: int) -> None:
    """No request, no share, no bar: the chart is there all the same."""
    assert [0] * count == [bar.height for bar in charts.share_bars([0] * count, ["a"] * count)]
    assert [0] * 2 * count == [bar.height for bar in charts.volume_bars([period(None, rows=0)] * count)]
    assert [] == charts.bin_bars([Bin("a", 0.0, 0.0)] * count)
