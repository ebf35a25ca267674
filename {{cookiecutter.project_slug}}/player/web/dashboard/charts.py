"""Where things stand in a chart: pure geometry for the SVG macros, in units of a 100 by 100 box."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from player.monitoring.bins import GAPS, Bin
from player.monitoring.periods import Period
from player.monitoring.quality import Promise

MOST_BINS = 16


@dataclass(frozen=True)
class Bar:
    """A rectangle with the text that says what it shows."""

    x: float
    y: float
    width: float
    height: float
    text: str = ""
    kind: str = ""


@dataclass(frozen=True)
class AccuracyChart:
    """A line with its interval band, in pieces where labels are missing; `y_of` turns a share into a height."""

    bottom: float
    lines: list[str]
    bands: list[str]
    hits: list[Bar]

    def y_of(self, share: float) -> float:
        """Return the height of *share* from the top."""
        return round(100 * (1 - (max(share, self.bottom) - self.bottom) / (1 - self.bottom)), 2)


def accuracy_chart(periods: Sequence[Period]) -> AccuracyChart:
    """Return the geometry of accuracy over *periods*."""
    known = [each.accuracy for each in periods if each.accuracy]
    lowest = min((share.value for share in known), default=1.0)
    bottom = max(0.0, min(0.5, int(lowest * 10 - 1) / 10))
    chart = AccuracyChart(bottom, [], [], [])
    width = 100 / max(len(periods), 1)
    for piece in unbroken(periods):
        points = [(round((i + 0.5) * width, 2), periods[i].accuracy) for i in piece]
        line = [f"{x},{chart.y_of(share.value)}" for x, share in points if share]
        upper = [f"{x},{chart.y_of(share.high)}" for x, share in points if share]
        lower = [f"{x},{chart.y_of(share.low)}" for x, share in points if share]
        chart.lines.append(f"M{' L'.join(line)}{' h0' if len(line) == 1 else ''}")
        chart.bands.append(f"M{' L'.join([*upper, *reversed(lower)])} Z")
    for i, each in enumerate(periods):
        chart.hits.append(Bar(round(i * width, 2), 0, round(width, 2), 100, period_text(each)))
    return chart


def unbroken(periods: Sequence[Period]) -> list[list[int]]:
    """Return the positions of periods with labels, one list for each stretch without a gap."""
    pieces: list[list[int]] = []
    for i, each in enumerate(periods):
        if each.accuracy and pieces and pieces[-1][-1] == i - 1:
            pieces[-1].append(i)
        elif each.accuracy:
            pieces.append([i])
    return pieces


def volume_bars(periods: Sequence[Period]) -> list[Bar]:
    """Return a bar for the requests of each period and, over it, one for those with a label."""
    most = max((each.rows for each in periods), default=0) or 1
    width = 100 / max(len(periods), 1)
    bars = []
    for i, each in enumerate(periods):
        counts = ((each.rows, "rows"), (each.accuracy.of if each.accuracy else 0, "labelled"))
        for count, kind in counts:
            height = round(100 * count / most, 2)
            bars.append(Bar(round((i + 0.1) * width, 2), 100 - height, round(0.8 * width, 2), height, kind=kind))
    return bars


def bin_bars(bins: Sequence[Bin]) -> list[Bar]:
    """Return for each bin a bar of training and one of now, side by side; bins that were always empty are left out."""
    shown = [each for each in bins if each.then or each.now][-MOST_BINS:]
    most = max((max(each.then, each.now) for each in shown), default=0) or 1
    width = 100 / max(len(shown), 1)
    bars = []
    for i, each in enumerate(shown):
        text = f"{each.name}: {each.then:.1%} in training, {each.now:.1%} now"
        gap = " gap" if each.name in GAPS else ""
        for share, kind, offset in ((each.then, "then", 0.1), (each.now, f"now{gap}", 0.5)):
            height = round(100 * share / most, 2)
            x = round((i + offset) * width, 2)
            bars.append(Bar(x, 100 - height, round(0.4 * width, 2), height, text, kind))
    return bars


def share_bars(counts: Sequence[int], texts: Sequence[str]) -> list[Bar]:
    """Return one bar for each of *counts*, the largest 100 high."""
    most = max(counts, default=0) or 1
    width = 100 / max(len(counts), 1)
    return [
        Bar(round((i + 0.06) * width, 2), round(100 - 100 * n / most, 2), round(0.88 * width, 2), 100 * n / most, text)
        for i, (n, text) in enumerate(zip(counts, texts, strict=True))
    ]


def psi_width(psi: float, alarm: float) -> float:
    """Return the length of a PSI bar; the threshold of the alarm is in the middle of its track.

    >>> psi_width(0.125, alarm=0.25), psi_width(3.0, alarm=0.25)
    (25.0, 100.0)
    """
    return round(min(100.0, 50 * psi / alarm), 2)


def effect_bar(effect: float, most: float) -> Bar:
    """Return a bar from the middle to the right for what raised a probability, to the left for what lowered it.

    >>> bar = effect_bar(-0.1, 0.2)
    >>> bar.x, bar.width, bar.kind
    (25.0, 25.0, 'lowered')
    """
    width = round(50 * min(1.0, abs(effect) / (most or 1)), 2)
    return Bar(50.0 if effect > 0 else 50 - width, 2, width, 6, kind="raised" if effect > 0 else "lowered")


def ticks(periods: Sequence[Period]) -> list[str]:
    """Return the times to write under a chart: at its begin, middle and end."""
    if len(periods) < 3:
        return [clock(each.start, periods) for each in periods]
    return [clock(periods[i].start, periods) for i in (0, len(periods) // 2, len(periods) - 1)]


def clock(moment: datetime, periods: Sequence[Period]) -> str:
    """Return *moment* as short as the length of the *periods* allows; UTC."""
    if periods[0].start.date() != periods[-1].start.date():
        return f"{moment:%d %b}" if periods[0].seconds >= 86_400 else f"{moment:%d %b %H:%M}"
    return f"{moment:%H:%M:%S}" if periods[0].seconds < 60 else f"{moment:%H:%M}"


def period_text(period: Period) -> str:
    """Return a period in words, for the pointer that rests on it."""
    accuracy = "no labels" if not period.accuracy else f"{period.accuracy.value:.0%} of {period.accuracy.of:.0f} right"
    return f"{period.start:%H:%M:%S}: {period.rows:,} requests, {accuracy}"


def promise_texts(promises: Sequence[Promise]) -> list[str]:
    """Return the ranges of probability in words, with how many rows fell into each."""
    return [f"{each.low:.1f} to {each.high:.1f}: {each.rows:,} rows" for each in promises]
