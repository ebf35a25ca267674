"""The history as it is stored: a chapter for each stretch of requests, changed only until it is closed."""

from collections.abc import Iterable
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

import pandas as pd
import sqlalchemy as sa
from sqlalchemy import Engine

from player.storage.queries import fetch, with_label
from player.storage.statements import unless_there
from player.storage.tables import Chapter, Prediction

BEGINNING = datetime(1, 1, 1, tzinfo=UTC)
LISTED = ("number", "began_at", "ended_at", "look_at", "rows", "labelled", "correct", "expected", "model", "state",
          "title")  # fmt: skip


def last(engine: Engine) -> tuple[int, datetime]:
    """Return number and end of the newest chapter; 0 and the beginning of time before the first one."""
    query = sa.select(Chapter.number, Chapter.ended_at).order_by(Chapter.number.desc()).limit(1)
    with engine.connect() as connection:
        found = connection.execute(query).first()
    return (found.number, found.ended_at) if found else (0, BEGINNING)


def end_of_next(engine: Engine, after: datetime, size: int) -> tuple[datetime | None, datetime | None]:
    """Return when the *size*-th request *after* a time came, None when there are fewer, and when the newest came."""
    later = sa.select(Prediction.received_at).where(Prediction.received_at > after)
    newest = sa.select(sa.func.max(Prediction.received_at))
    with engine.connect() as connection:
        end = connection.scalar(later.order_by(Prediction.received_at).offset(size - 1).limit(1))
        return end, connection.scalar(newest)


def rows_between(engine: Engine, after: datetime, until: datetime | None, most: int) -> pd.DataFrame:
    """Return the first *most* requests later than *after*, up to and with *until*, oldest first, with their labels."""
    wanted = sa.select(Prediction).where(Prediction.received_at > after)
    if until is not None:
        wanted = wanted.where(Prediction.received_at <= until)
    rows = wanted.order_by(Prediction.received_at, Prediction.request_id).limit(most).subquery()
    return fetch(engine, with_label(rows, outer=True).order_by(rows.c.received_at, rows.c.request_id))


def add(engine: Engine, number: int, values: dict[str, Any]) -> None:
    """Write the chapter *number*; when another process was faster, its chapter stays."""
    with engine.begin() as connection:
        connection.execute(unless_there(engine, Chapter), {"number": number, **values})


def change(engine: Engine, number: int, values: dict[str, Any]) -> None:
    """Change the chapter *number*, unless it is closed."""
    open_one = sa.update(Chapter).where(Chapter.number == number, Chapter.look_at.is_not(None))
    with engine.begin() as connection:
        connection.execute(open_one.values(**values))


def to_look_at(engine: Engine, now: datetime | None, most: int) -> list[dict[str, Any]]:
    """Return chapters that wait for labels and are to be looked at *now*, or all of them; the oldest *most*.

    They are put in order here: a database that had to would rather read all chapters than the few that wait.
    """
    columns = (Chapter.number, Chapter.began_at, Chapter.ended_at, Chapter.rows)
    query = sa.select(*columns).where(Chapter.look_at.is_not(None) if now is None else Chapter.look_at <= now)
    with engine.connect() as connection:
        waiting = [dict(row) for row in connection.execute(query).mappings()]
    return sorted(waiting, key=itemgetter("number"))[:most]


def listing(engine: Engine, since: datetime | None, until: datetime | None, most: int) -> list[dict[str, Any]]:
    """Return the newest *most* chapters between two times, the oldest first, without what is long of them."""
    query = sa.select(*(getattr(Chapter, name) for name in LISTED)).order_by(Chapter.number.desc()).limit(most)
    if since is not None:
        query = query.where(Chapter.ended_at >= since)
    if until is not None:
        query = query.where(Chapter.began_at <= until)
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(query).mappings()][::-1]


def details(engine: Engine, column: str, numbers: Iterable[int]) -> dict[int, Any]:
    """Return `story`, `pieces` or `features` of the chapters *numbers*."""
    query = sa.select(Chapter.number, getattr(Chapter, column)).where(Chapter.number.in_(list(numbers)))
    with engine.connect() as connection:
        return {row.number: row[1] for row in connection.execute(query)}


def totals(engine: Engine) -> tuple[int, int, int]:
    """Return how many requests all chapters have, how many of these have a label, and how many answers were right."""
    total = sa.func.sum
    query = sa.select(total(Chapter.rows), total(Chapter.labelled), total(Chapter.correct))
    with engine.connect() as connection:
        rows, labelled, right = connection.execute(query).one()
    return int(rows or 0), int(labelled or 0), int(right or 0)
