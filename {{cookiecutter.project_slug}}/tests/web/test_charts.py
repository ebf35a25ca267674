"""Where things stand in a chart, in units of a box of 100 by 100."""

import pytest

from player.monitoring.bins import Bin
from player.monitoring.quality import Promise
from player.web.dashboard import charts


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
    """Nor when all were always empty."""
    assert [] == charts.bin_bars([]) == charts.bin_bars([Bin("a", 0.0, 0.0)])


def test_of_many_bins_the_last_are_shown() -> None:
    """The last is where missing and unknown values are."""
    assert 2 * charts.MOST_BINS == len(charts.bin_bars([Bin(str(i), 0.1, 0.1) for i in range(40)]))
    assert charts.bin_bars([Bin(str(i), 0.1, 0.1) for i in range(40)])[-1].text.startswith("39")


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
    assert [] == charts.bin_bars([Bin("a", 0.0, 0.0)] * count)
