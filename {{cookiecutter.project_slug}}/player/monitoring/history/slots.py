"""The past as a row of places with about as many requests each: pieces of chapters, chapters, or several of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from player.monitoring.quality import Share, wilson

MOST_SLOTS, FEW = 120, 12  # places in the chart; so few chapters are drawn piece by piece
WORST = ("ok", "unknown", "warn", "alarm")


@dataclass(frozen=True)
class Slot:
    """One place in the chart: a piece of a chapter, a chapter, or several; always about as many requests."""

    start: datetime
    seconds: float
    rows: int
    accuracy: Share | None
    expected: float | None
    state: str
    title: str
    number: int
    new_model: str = ""


def make_slots(found: Sequence[Mapping[str, Any]]) -> list[Slot]:
    """Return the places of the chart for chapters, oldest first."""
    if len(found) <= FEW:
        return [slot for i, each in enumerate(found) for slot in pieces_of(each, found[i - 1] if i else each)]
    size = -(-len(found) // MOST_SLOTS)
    groups = [found[i : i + size] for i in range(0, len(found), size)]
    return [one_slot(group, groups[i - 1][-1] if i else group[0]) for i, group in enumerate(groups)]


def pieces_of(chapter: Mapping[str, Any], before: Mapping[str, Any]) -> list[Slot]:
    """Return a place for each piece of *chapter*; the first one says whether another model answered *before*."""
    starts = [datetime.fromisoformat(piece[0]) for piece in chapter["pieces"]]
    ends = [*starts[1:], chapter["ended_at"]]
    return [
        Slot(start, (end - start).total_seconds(), rows, wilson(right, labelled) if labelled else None,
             chapter["expected"], chapter["state"], chapter["title"], chapter["number"],
             new_model([before, chapter]) if i == 0 else "")
        for i, (start, end, (_, rows, labelled, right)) in enumerate(zip(starts, ends, chapter["pieces"], strict=True))
    ]  # fmt: skip


def one_slot(group: Sequence[Mapping[str, Any]], before: Mapping[str, Any]) -> Slot:
    """Return the place of several chapters: counted together, with the worst that one of them says."""
    worst = max(group, key=lambda each: WORST.index(each["state"]))
    labelled, right = sum(each["labelled"] for each in group), sum(each["correct"] for each in group)
    promised = [each["expected"] for each in group if each["expected"] is not None]
    return Slot(
        group[0]["began_at"], (group[-1]["ended_at"] - group[0]["began_at"]).total_seconds(),
        sum(each["rows"] for each in group), wilson(right, labelled) if labelled else None,
        sum(promised) / len(promised) if promised else None, worst["state"], worst["title"], worst["number"],
        new_model([before, *group]),
    )  # fmt: skip


def new_model(group: Sequence[Mapping[str, Any]]) -> str:
    """Return the model that answers at the end of *group*, "" when it is the one that answered at its begin."""
    return str(group[-1]["model"]) if group[-1]["model"] not in ("", group[0]["model"]) else ""
