"""The past as shapes in a box of 100 by 100. Each place has about as many requests, so idle time takes no room."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby

from player.monitoring.history.slots import Slot
from player.web.dashboard.charts import Bar, line


@dataclass(frozen=True)
class Timeline:
    """Accuracy with its interval, in pieces where labels are missing, what was expected, and when models changed."""

    bottom: float
    lines: list[str] = field(default_factory=list)
    bands: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)
    hits: list[Bar] = field(default_factory=list)
    models: list[Bar] = field(default_factory=list)

    def y_of(self, share: float) -> float:
        """Return the height of *share* from the top."""
        return round(100 * (1 - (max(share, self.bottom) - self.bottom) / (1 - self.bottom)), 2)


def draw(slots: Sequence[Slot], alone: float | None = None) -> Timeline:
    """Return the geometry of accuracy over *slots*; the scale has room for the share *alone* as well."""
    shares = [each.accuracy.value for each in slots if each.accuracy]
    shares += [each.expected for each in slots if each.expected is not None]
    lowest = min([*shares, *([alone] if alone is not None else [])], default=1.0)
    chart = Timeline(max(0.0, min(0.5, int(lowest * 10 - 1) / 10)))
    width = 100 / max(len(slots), 1)
    for piece in unbroken([each.accuracy is not None for each in slots]):
        points = [(round((i + 0.5) * width, 2), slots[i].accuracy) for i in piece]
        middle = [f"{x},{chart.y_of(share.value)}" for x, share in points if share]
        upper = [f"{x},{chart.y_of(share.high)}" for x, share in points if share]
        lower = [f"{x},{chart.y_of(share.low)}" for x, share in points if share]
        chart.lines.append(line(middle))
        chart.bands.append(f"M{' L'.join([*upper, *reversed(lower)])} Z")
    for piece in unbroken([each.expected is not None for each in slots]):
        steps = [
            f"{round(i * width, 2)},{chart.y_of(slots[i].expected or 0)} H{round((i + 1) * width, 2)}" for i in piece
        ]
        chart.expected.append(f"M{' L'.join(steps)}")
    for i, each in enumerate(slots):
        chart.hits.append(Bar(round(i * width, 2), 0, round(width, 2), 100, slot_text(each)))
        if each.new_model:
            chart.models.append(Bar(round(i * width, 2), 0, 0, 100, f"model {each.new_model} took over"))
    return chart


def unbroken(known: Sequence[bool]) -> list[list[int]]:
    """Return the places that are *known*, one list for each stretch without a gap.

    >>> unbroken([True, True, False, True])
    [[0, 1], [3]]
    """
    runs = [list(run) for _, run in groupby(enumerate(known), lambda pair: pair[1])]
    return [[place for place, _ in run] for run in runs if run[0][1]]


def strip(slots: Sequence[Slot]) -> list[tuple[int, Bar]]:
    """Return a bar for each stretch with one diagnosis, with the number of its first chapter."""
    width = 100 / max(len(slots), 1)
    bars = []
    for _, run in groupby(enumerate(slots), lambda pair: (pair[1].state, pair[1].title)):
        places = list(run)
        first, slot = places[0]
        text = f"{slot.title}, from {slot.start:%d %b %H:%M:%S}"
        bar = Bar(round(first * width, 2), 0, round(len(places) * width, 2), 100, text, slot.state)
        bars.append((slot.number, bar))
    return bars


def tempo(slots: Sequence[Slot]) -> list[Bar]:
    """Return how fast the requests of each place came, a bar each, and over it the share of them with a label."""
    speeds = [rate(each) for each in slots]
    most = max(speeds, default=0) or 1
    width = 100 / max(len(slots), 1)
    bars = []
    for i, (each, speed) in enumerate(zip(slots, speeds, strict=True)):
        labelled = each.accuracy.of / each.rows if each.accuracy else 0.0
        for height, kind in ((100 * speed / most, "rows"), (100 * speed / most * labelled, "labelled")):
            bars.append(Bar(round((i + 0.1) * width, 2), round(100 - height, 2), round(0.8 * width, 2),
                            round(height, 2), kind=kind))  # fmt: skip
    return bars


def rate(slot: Slot) -> float:
    """Return how many requests a second came in a place."""
    return slot.rows / max(slot.seconds, 0.001)


def fastest(slots: Sequence[Slot]) -> str:
    """Return the highest rate, as it is written beside the chart.

    >>> fastest([])
    '0 /s'
    """
    speed = max(map(rate, slots), default=0)
    if speed >= 10 or speed == 0:
        return f"{speed:,.0f} /s"
    return f"{60 * speed:,.0f} /min" if 60 * speed >= 1 else f"{3600 * speed:,.0f} /h"


def ticks(slots: Sequence[Slot]) -> list[str]:
    """Return the times to write under the chart: at its begin, middle and end."""
    if len(slots) < 3:
        return [clock(each.start, slots) for each in slots]
    return [clock(slots[i].start, slots) for i in (0, len(slots) // 2, len(slots) - 1)]


def clock(moment: datetime, slots: Sequence[Slot]) -> str:
    """Return *moment* as short as the length of time in *slots* allows; UTC."""
    days = slots[0].start.date() != slots[-1].start.date()
    seconds = (slots[-1].start - slots[0].start).total_seconds()
    if days:
        return f"{moment:%d %b}" if seconds >= 10 * 86_400 else f"{moment:%d %b %H:%M}"
    return f"{moment:%H:%M:%S}" if seconds < 3600 else f"{moment:%H:%M}"


def slot_text(slot: Slot) -> str:
    """Return a place in words, for the pointer that rests on it."""
    accuracy = "no labels" if not slot.accuracy else f"{slot.accuracy.value:.0%} of {slot.accuracy.of:.0f} right"
    expected = "" if slot.expected is None else f", {slot.expected:.0%} expected"
    return f"{slot.start:%d %b %H:%M:%S}: {slot.rows:,} requests, {accuracy}{expected}; {slot.title}"
