"""Times are read over a whole column, or one sentence says why not."""

import pandas as pd
import pytest
from conftest import PROJECT

from player.reading.files import read_table
from player.reading.times import read_times


def test_days_first_are_sorted_by_time() -> None:
    """31/12/2025 is later than 01/02/2025: the order is that of time, not of letters."""
    given = read_table(PROJECT / "tests" / "cases" / "day-first-dates.csv")["applied_on"]
    times, trouble = read_times(given)
    newest = given[times.sort_values().index].iloc[-1]

    assert "" == trouble
    assert newest == max(given, key=lambda day: tuple(reversed(day.split("/"))))
    assert newest != given.sort_values().iloc[-1]


@pytest.mark.parametrize(
    ("cells", "month"),
    [
        (["31/12/2025", "01/02/2026"], 2),
        (["12/31/2025", "01/02/2026"], 1),
        (["31.12.25", "1.2.26"], 2),
        (["2025-12-31", "2026-02-01"], 2),
        (["31/12/2025 10:00", "01/02/2026 11:30"], 2),
        (["2025-12-31T10:00:00Z", "2026-02-01T10:00:00+02:00"], 2),
    ],
)
def test_the_order_of_day_and_month_is_decided_by_all(cells: list[str], month: int) -> None:
    """One day above 12 decides for the column."""
    times, trouble = read_times(pd.Series(cells))

    assert ("", month) == (trouble, times.iloc[1].month)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["03/04/2025", "01/02/2026"], "it cannot be told whether 03/04/2025 begins with the day or the month"),
        (["13/01/2025", "01/13/2026"], "days and months change places in it"),
        (["last week", "today"], "times such as 'last week' cannot be read"),
        (["31/02/2025", "30/02/2026"], "days such as 31/02/2025 do not exist"),
        ([None, ""], "cannot be read"),
    ],
)
def test_what_cannot_be_told_is_said(cells: list[str], said: str) -> None:
    """Then there is no order, and no time is taken as known."""
    times, trouble = read_times(pd.Series(cells, dtype="object"))

    assert said in trouble
    assert times.isna().all()


def test_a_single_time_that_cannot_be_read_is_missing() -> None:
    """It is not the newest; the caller counts it as the oldest."""
    times, trouble = read_times(pd.Series([*(f"2025-01-{day:02}" for day in range(1, 31)), "soon"]))

    assert "" == trouble
    assert [30] == times.isna().to_numpy().nonzero()[0].tolist()


def test_numbers_are_an_order_too() -> None:
    """Years, also as texts."""
    assert [2024, 2025] == read_times(pd.Series([2024, 2025]))[0].tolist()
    assert [2024, 2025] == read_times(pd.Series(["2024", "2025"]))[0].tolist()
