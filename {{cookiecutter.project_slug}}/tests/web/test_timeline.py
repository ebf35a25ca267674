"""Where things stand in the picture of the past, in units of a box of 100 by 100."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from player.monitoring.history.slots import Slot
from player.monitoring.quality import wilson
from player.web.dashboard import timeline
from player.web.dashboard.charts import Bar

START = datetime(2026, 1, 1, 12, tzinfo=UTC)


def slot(right: int | None, at: float = 0, **changes: Any) -> Slot:
    """Return a place with ten requests in a second, all of them with a label, of which *right* were right."""
    share = None if right is None else wilson(right, 10)
    values = {"seconds": 1, "rows": 10, "expected": None, "state": "ok", "title": "all well", "number": 1, **changes}
    return Slot(START + timedelta(seconds=at), accuracy=share, **values)


@pytest.mark.parametrize(
    ("right", "bottom"), [((10, 10), 0.5), ((6, 9), 0.5), ((5, 9), 0.4), ((3, 9), 0.2), ((0, 9), 0.0), ((1, 1), 0.0)]
)
def test_the_scale_ends_below_the_lowest_accuracy(right: tuple[int, int], bottom: float) -> None:
    """At a tenth of its own, and never above a half."""
    assert bottom == timeline.draw([slot(each, i) for i, each in enumerate(right)]).bottom


def test_what_was_expected_is_on_the_scale_too() -> None:
    """And so is the accuracy of training."""
    assert 0.2 == timeline.draw([slot(9, expected=0.35)]).bottom == timeline.draw([slot(9)], 0.35).bottom


def test_heights_are_counted_from_the_top() -> None:
    """Certainty is at the top, the end of the scale at the bottom, and what is below stays there."""
    chart = timeline.Timeline(0.5)

    assert [0.0, 50.0, 100.0, 100.0] == [chart.y_of(share) for share in (1.0, 0.75, 0.5, 0.2)]


def test_a_band_goes_forth_above_and_back_below() -> None:
    """Around two points of accuracy 1.0."""
    low = timeline.Timeline(0.5).y_of(wilson(10, 10).low)
    chart = timeline.draw([slot(10), slot(10, 1)])

    assert [f"M25.0,0.0 L75.0,0.0 L75.0,{low} L25.0,{low} Z"] == chart.bands
    assert ["M25.0,0.0 L75.0,0.0"] == chart.lines


def test_a_line_breaks_where_labels_are_missing() -> None:
    """The accuracy of a place without labels is not drawn as if it were known."""
    chart = timeline.draw([slot(8), slot(9, 1), slot(None, 2), slot(7, 3)])

    assert chart.lines == ["M12.5,40.0 L37.5,20.0", "M87.5,60.0 h0"]
    assert len(chart.bands) == 2


def test_what_was_expected_goes_in_steps() -> None:
    """As wide as its place; where nobody knew, nothing is drawn."""
    chart = timeline.draw([slot(9, expected=0.75), slot(9, expected=1.0), slot(9), slot(9, expected=0.6)])

    assert ["M0.0,50.0 H25.0 L25.0,0.0 H50.0", "M75.0,80.0 H100.0"] == chart.expected


def test_each_place_can_be_pointed_at() -> None:
    """Also one without labels; the pointer is told what happened, and what was expected."""
    chart = timeline.draw([slot(9, expected=0.8), slot(None, 1, rows=1200, title="another nature")])

    assert Bar(0, 0, 50, 100, "01 Jan 12:00:00: 10 requests, 90% of 10 right, 80% expected; all well") == chart.hits[0]
    assert Bar(50, 0, 50, 100, "01 Jan 12:00:01: 1,200 requests, no labels; another nature") == chart.hits[1]


def test_a_new_model_is_a_line_where_it_took_over() -> None:
    """With its name for the pointer."""
    chart = timeline.draw([slot(9), slot(9), slot(9, new_model="m2"), slot(9)])

    assert [(50.0, "model m2 took over")] == [(mark.x, mark.text) for mark in chart.models]


def test_a_diagnosis_is_one_bar_as_long_as_it_holds() -> None:
    """It leads to its first chapter; the same diagnosis later is another bar."""
    slots = [slot(9, number=1), slot(9, number=2), slot(9, number=3, state="alarm", title="another nature"),
             slot(9, number=4)]  # fmt: skip

    assert [(1, 0.0, 50.0, "ok"), (3, 50.0, 25.0, "alarm"), (4, 75.0, 25.0, "ok")] == [
        (number, bar.x, bar.width, bar.kind) for number, bar in timeline.strip(slots)
    ]


def test_the_fastest_fills_the_box() -> None:
    """Labels stand before requests, in the same place; a pause within a place makes it low, and takes no room."""
    bars = timeline.tempo([slot(5), slot(None, 1, seconds=4), slot(5, rows=20, seconds=2)])

    assert [100, 100, 25, 0, 100, 50] == [bar.height for bar in bars]
    assert [0, 0, 75, 100, 0, 50] == [bar.y for bar in bars]
    assert ["rows", "labelled"] * 3 == [bar.kind for bar in bars]
    assert len({bar.width for bar in bars}) == 1


@pytest.mark.parametrize(
    ("rows", "seconds", "written"),
    [(100, 1, "100 /s"), (10, 1, "10 /s"), (9, 1, "540 /min"), (6, 60, "6 /min"), (6, 3600, "6 /h")],
)
def test_a_tempo_is_written_as_people_count(rows: int, seconds: float, written: str) -> None:
    """By the second when that is at least ten, else by the minute, or by the hour."""
    assert written == timeline.fastest([slot(1, rows=rows, seconds=seconds), slot(1, rows=1, seconds=1e9)])


@pytest.mark.parametrize(
    ("count", "written"),
    [(0, []), (1, ["12:00:00"]), (2, ["12:00:00", "12:00:01"]), (3, ["12:00:00", "12:00:01", "12:00:02"]),
     (10, ["12:00:00", "12:00:05", "12:00:09"])],
)  # fmt: skip
def test_begin_middle_and_end_are_written_below(count: int, written: list[str]) -> None:
    """Of fewer than three places each."""
    assert written == timeline.ticks([slot(None, i) for i in range(count)])


@pytest.mark.parametrize(
    ("apart", "written"),
    [(3599, "12:00:00"), (3600, "12:00"), (86_400, "01 Jan 12:00"), (10 * 86_400, "01 Jan")],
)
def test_a_time_is_as_short_as_it_can_be(apart: int, written: str) -> None:
    """Seconds, minutes, days with the hour, days."""
    assert written == timeline.clock(START, [slot(None), slot(None, apart)])


@pytest.mark.parametrize(
    "slots", [[], [slot(None)], [slot(0), slot(10, 1)], [slot(0, seconds=0.0)], [slot(3, expected=0.0)] * 120]
)
def test_every_shape_stays_inside_its_box(slots: list[Slot]) -> None:
    """Whatever the figures, nothing is drawn outside of 0 to 100."""
    chart = timeline.draw(slots, 0.9)
    numbers = [float(n) for text in [*chart.lines, *chart.bands] for n in re.findall(r"-?\d+\.?\d*", text)]
    bars = [*timeline.tempo(slots), *chart.hits, *(bar for _, bar in timeline.strip(slots))]

    assert bool(numbers) == any(each.accuracy for each in slots)
    assert all(0 <= number <= 100 for number in numbers)
    assert all(bar.y >= 0 and bar.height >= 0 and bar.x + bar.width <= 100.7 for bar in bars)
