"""The history as it is shown, on page and terminal: a line over all chapters, and what each of them says."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from player.config import Settings
from player.monitoring.history.slots import FEW, Slot, make_slots, one_slot
from player.monitoring.history.writing import judge_with, write_history
from player.monitoring.quality import Share
from player.storage import chapters
from player.storage.database import advise
from player.storage.tables import create_engine_for

MOST_CHAPTERS = 2_000  # looked at for one page; of more the newest
MOST_LINES = 30  # in the table; more chapters than that are put together where they say the same


@dataclass(frozen=True)
class Line:
    """What one chapter says, or several that say the same."""

    number: int
    start: datetime
    end: datetime
    rows: int
    labelled: int
    accuracy: Share | None
    expected: float | None
    state: str
    title: str
    plain: str
    sentence: str
    model: str
    new_model: str
    interval: tuple[float, float] | None = None  # of what was expected
    status: str = ""  # why it may still change, "" when it is closed


@dataclass(frozen=True)
class History:
    """All that the page shows of the past; *right* of *labelled* answers were right since the first request."""

    slots: list[Slot] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    labelled: int = 0
    right: int = 0
    behind: bool = False
    older: bool = False

    def to_dict(self) -> list[dict[str, Any]]:
        """Return the lines as plain JSON values; times in ISO format."""
        return [{**asdict(each), "start": each.start.isoformat(), "end": each.end.isoformat()} for each in self.lines]


def catch_up(settings: Settings) -> tuple[History, str]:
    """Write all that is due of the history and return it, and in a sentence what stopped that ("" when nothing)."""
    engine = create_engine_for(settings)
    try:
        write_history(engine, settings)
        return read_history(engine, settings, None, None), ""
    except SQLAlchemyError as error:
        return History(), f"The history cannot be written: {advise(error, settings)}; `player db upgrade` may help."
    finally:
        engine.dispose()


def read_history(engine: Engine, settings: Settings, since: datetime | None, until: datetime | None) -> History:
    """Return the history between two times, the chapter that is not full yet included."""
    found = chapters.listing(engine, since, until, MOST_CHAPTERS)
    last, after = chapters.last(engine)
    _, labelled, right = chapters.totals(engine)
    rows = chapters.rows_between(engine, after, None, settings.monitoring.window_rows)
    if len(rows):
        unfinished = {**judge_with(settings)(rows), "number": last + 1, "look_at": None, "open": True}
        labelled, right = labelled + unfinished["labelled"], right + unfinished["correct"]
        if (since is None or unfinished["ended_at"] >= since) and (until is None or unfinished["began_at"] <= until):
            found.append(unfinished)
    behind = len(rows) == settings.monitoring.window_rows
    lines = make_lines(engine, found, settings.monitoring.window_rows)
    drawn = with_pieces(engine, [each for each in found if not too_short(each, settings)] or found)
    return History(make_slots(drawn), lines, labelled, right, behind, len(found) >= MOST_CHAPTERS)


def with_pieces(engine: Engine, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return chapters with their pieces, when they are so few that these are drawn."""
    if len(found) > FEW:
        return found
    pieces = chapters.details(engine, "pieces", [each["number"] for each in found])
    return [{"pieces": pieces.get(each["number"]), **each} for each in found]


def too_short(chapter: Mapping[str, Any], settings: Settings) -> bool:
    """Return whether a chapter has so few rows yet that a place in the chart would say more than they do."""
    return bool(chapter.get("open") and chapter["rows"] < settings.monitoring.window_rows / 10)


def make_lines(engine: Engine, found: Sequence[Mapping[str, Any]], window: int) -> list[Line]:
    """Return what chapters say, newest first; of many, those together that follow each other and say the same."""
    many = len(found) > MOST_LINES
    numbered = [(each, found[i - 1] if i else each) for i, each in enumerate(found)]
    keys = [list(run) for _, run in groupby(numbered, lambda pair: key_of(pair[0], many))][-MOST_LINES:]
    stories = chapters.details(engine, "story", [run[-1][0]["number"] for run in keys])
    return [as_line([each for each, _ in run], run[0][1], stories, window) for run in reversed(keys)]


def key_of(chapter: Mapping[str, Any], many: bool) -> tuple[Any, ...]:
    """Return what chapters have in common that share a line."""
    return (chapter["title"], chapter["model"]) if many and not status_of(chapter, 0) else (chapter["number"],)


def as_line(
    run: Sequence[Mapping[str, Any]], before: Mapping[str, Any], stories: Mapping[int, Any], window: int
) -> Line:
    """Return the line of chapters that say the same, with the words of the newest."""
    newest = run[-1]
    story = newest.get("story") or stories.get(newest["number"], {})
    slot = one_slot(run, before)
    return Line(
        run[0]["number"], slot.start, newest["ended_at"], slot.rows, sum(each["labelled"] for each in run),
        slot.accuracy, slot.expected, slot.state, newest["title"], story.get("plain", ""), story.get("sentence", ""),
        newest["model"], slot.new_model, story.get("interval") if len(run) == 1 else None, status_of(newest, window),
    )  # fmt: skip


def status_of(chapter: Mapping[str, Any], window: int) -> str:
    """Return why a chapter may still change, "" when it is closed."""
    if chapter.get("open"):
        return f"not full yet: {chapter['rows']:,} of {window:,} requests"
    if chapter["look_at"] is not None:
        return f"labels still come: {chapter['labelled']:,} of {chapter['rows']:,} are here"
    return ""


def to_text(history: History) -> list[str]:
    """Return the history as lines for a terminal, newest first."""
    lines = []
    for each in history.lines:
        if each.new_model:
            lines.append(f"  model {each.new_model} took over")
        came = "no labels" if each.accuracy is None else f"{each.accuracy.value:.0%} right"
        expected = "" if each.expected is None else f", {each.expected:.0%} expected"
        lines.append(f"{each.start:%Y-%m-%d %H:%M:%S}  {each.title.upper()}: {came}{expected}. {each.sentence}"
                     + (f" ({each.status})" if each.status else ""))  # fmt: skip
    return lines
