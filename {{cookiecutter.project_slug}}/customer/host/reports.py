"""What a player may read about its own game: every request, what it earned and why, and the figures of each round.

Right or wrong, and what would have been right, are shown when everybody has answered.
"""

import csv
import io
import json
from typing import Any

from sqlalchemy import Engine, Select, case, func, select

from customer.board.standings import ANOTHER_ANSWER, ANSWERED, KEPT
from customer.host.seat import HOSTS_FAULT, seen_by_player
from customer.host.tables import asks, blocks, cases, plays

COLUMNS = ("time", "round", "request_id", "verdict", "points", "ms", "answer", "right", "features")
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def requests(engine: Engine, player_id: int, only: str = "", most: int | None = 200) -> list[dict[str, Any]]:
    """Return the newest requests to a player, newest first: all, those with one verdict, or all that `failed`."""
    query = (
        select(asks, blocks.c.closed, plays.c.void, cases.c.label, cases.c.features)
        .join(blocks, blocks.c.id == asks.c.block_id)
        .join(plays, plays.c.id == asks.c.play_id)
        .join(cases, (cases.c.play_id == asks.c.play_id) & (cases.c.number == asks.c.number))
        .where(asks.c.player_id == player_id)
        .order_by(asks.c.asked_at.desc())
    )
    with engine.connect() as connection:
        return [as_seen(row) for row in connection.execute(chosen(query, only).limit(most))]


def chosen(query: Select[Any], only: str) -> Select[Any]:
    """Return *query* for the requests with one verdict. Whether an answer was right is asked of closed blocks only."""
    if only == "failed":
        return query.where(asks.c.reason.not_in(ANSWERED))
    if only in ("correct", "wrong"):
        return query.where(asks.c.reason == only, blocks.c.closed)
    if only == "answered":
        return query.where(asks.c.reason.in_(("correct", "wrong")), blocks.c.closed.is_(False))
    return query.where(asks.c.reason == only) if only else query


def as_seen(row: Any) -> dict[str, Any]:
    """Return one request as its player may see it."""
    known = bool(row.closed)
    hidden = not known and row.reason in ("correct", "wrong")
    return {
        "time": row.asked_at,
        "round": row.play_id,
        "request_id": row.request_id,
        "verdict": seen_by_player(row.reason, known),
        "points": None if hidden else (0 if row.void else row.points),
        "void": row.void,
        "ms": row.ms,
        "answer": row.answer,
        "right": json.loads(row.label) if known else None,
        "features": row.features if known else None,
    }


def to_csv(rows: list[dict[str, Any]]) -> str:
    """Return requests as a CSV; a cell that a spreadsheet would take for a formula is marked as text."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([plain(row[name]) for name in COLUMNS])
    return text.getvalue()


def plain(value: Any) -> Any:
    """Return a cell that is only read, never run."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def rounds_of(engine: Engine, player_id: int) -> list[dict[str, Any]]:
    """Return a player's figures in each round, of what everybody has answered; in the last one `correct` means kept."""
    counted = asks.c.reason != HOSTS_FAULT
    query = (
        select(
            asks.c.play_id,
            plays.c.name,
            plays.c.state,
            plays.c.void,
            func.sum(case((counted, 1), else_=0)).label("asked"),
            func.sum(asks.c.points).label("points"),
            func.sum(case((asks.c.reason.in_(("correct", KEPT)), 1), else_=0)).label("correct"),
            func.sum(case((asks.c.reason.in_(("wrong", ANOTHER_ANSWER)), 1), else_=0)).label("wrong"),
            func.sum(case((asks.c.points < 0, 1), else_=0)).label("failed"),
            func.sum(case((cases.c.best & counted, 1), else_=0)).label("best"),
        )
        .join(plays, plays.c.id == asks.c.play_id)
        .join(blocks, blocks.c.id == asks.c.block_id)
        .join(cases, (cases.c.play_id == asks.c.play_id) & (cases.c.number == asks.c.number))
        .where(asks.c.player_id == player_id, blocks.c.closed)
        .group_by(asks.c.play_id, plays.c.name, plays.c.state, plays.c.void)
        .order_by(asks.c.play_id)
    )
    with engine.connect() as connection:
        return [dict(row._mapping) for row in connection.execute(query)]


def over_time(engine: Engine, player_id: int) -> tuple[list[int], list[int]]:
    """Return a player's points, and the best possible ones, after each block that counts."""
    query = (
        select(
            func.sum(asks.c.points).label("points"),
            func.sum(case((cases.c.best & (asks.c.reason != HOSTS_FAULT), 1), else_=0)).label("best"),
        )
        .join(plays, plays.c.id == asks.c.play_id)
        .join(blocks, blocks.c.id == asks.c.block_id)
        .join(cases, (cases.c.play_id == asks.c.play_id) & (cases.c.number == asks.c.number))
        .where(asks.c.player_id == player_id, blocks.c.closed, plays.c.void.is_(None))
        .group_by(asks.c.block_id)
        .order_by(asks.c.block_id)
    )
    points, best = [0], [0]
    with engine.connect() as connection:
        for row in connection.execute(query):
            points.append(points[-1] + int(row.points))
            best.append(best[-1] + int(row.best))
    return points, best


def verdicts(engine: Engine, player_id: int) -> dict[str, int]:
    """Return how often a player got each reason for a lost point."""
    query = (
        select(asks.c.reason, func.count())
        .where(asks.c.player_id == player_id, asks.c.reason.not_in(ANSWERED))
        .group_by(asks.c.reason)
        .order_by(func.count().desc())
    )
    with engine.connect() as connection:
        return {str(row[0]): int(row[1]) for row in connection.execute(query)}
