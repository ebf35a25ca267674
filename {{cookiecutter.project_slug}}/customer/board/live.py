"""The board of a running tournament: what is shown, as one piece of HTML that is sent again when it changes."""

from collections.abc import Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from customer.board.standings import movers

FEW, BIG = 16, 10  # up to so many players everybody is shown large; else the first so many, the others in columns
WIDTH, HEIGHT = 100, 24  # of a trend, in its own units
MEANING = {
    "as trained": "cases like those in the training data",
    "odd values": "missing values, text in numbers, categories nobody has seen",
    "another population": "other people came than before",
    "data gathered differently": "the same people, but a column was filled in another way",
    "another nature": "what decides the label had changed",
    "rush hour": "many requests at once",
    "last round": "the same cases came again, to see whether the answers given before were still there",
}


def environment(package: str = "customer.board") -> Environment:
    """Return what fills the templates of a package; everything that is filled in is escaped."""
    made = Environment(
        loader=PackageLoader(package), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.filters["trend"] = trend
    return made


def trend(history: Sequence[int]) -> str:
    """Return the points of a polyline for the points earned over time.

    >>> trend([0, 5, 10])
    '0.0,22.0 50.0,12.0 100.0,2.0'
    """
    if len(history) < 2:
        return ""
    low, high = min(history), max(history)
    scale = (HEIGHT - 4) / ((high - low) or 1)
    step = WIDTH / (len(history) - 1)
    return " ".join(f"{n * step:.1f},{HEIGHT - 2 - (value - low) * scale:.1f}" for n, value in enumerate(history))


def shown(state: dict[str, Any], lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what the board's template needs: the state of the game, and its lines in two sizes."""
    big = lines if len(lines) <= FEW else lines[:BIG]
    return {
        **state,
        "players": len(lines),
        "big": big,
        "small": lines[len(big) :],
        "mover": movers(lines),
        "again": any(line["again"] for line in lines),
        "best": max((line["best"] for line in lines), default=0),
    }
