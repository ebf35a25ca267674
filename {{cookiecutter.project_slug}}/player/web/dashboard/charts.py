"""Where things stand in a chart: pure geometry for the SVG macros, in units of a 100 by 100 box."""

from collections.abc import Sequence
from dataclasses import dataclass

from player.monitoring.bins import GAPS, Bin
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


def line(points: Sequence[str]) -> str:
    """Return a path through *points*; one alone becomes a dot.

    >>> line(["25,100", "75,50"]), line(["50,20"]), line([])
    ('M25,100 L75,50', 'M50,20 h0', '')
    """
    return f"M{' L'.join(points)}{' h0' if len(points) == 1 else ''}" if points else ""


def promise_texts(promises: Sequence[Promise]) -> list[str]:
    """Return the ranges of probability in words, with how many rows fell into each."""
    return [f"{each.low:.1f} to {each.high:.1f}: {each.rows:,} rows" for each in promises]
