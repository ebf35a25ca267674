"""The rounds in the database: their cases, blocks, and every request; whatever is written here has happened."""

import json
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Engine, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from customer.board.standings import NOT_COUNTED
from customer.errors import CustomerError
from customer.host.events import note
from customer.host.plan import Plan
from customer.host.tables import asks, blocks, cases, deliveries, plays
from customer.rounds import Case

RUNNING, DONE = "running", "done"


@dataclass(frozen=True)
class Ask:
    """What became of one request to one player."""

    block_id: int
    player_id: int
    number: int
    play_id: int
    request_id: str
    reason: str
    points: int
    ms: float
    late_ms: float
    asked_at: float
    answer: str
    said: str


@dataclass(frozen=True)
class Play:
    """A round that was started."""

    id: int
    name: str
    plan: Plan
    state: str
    void: str | None
    started: float


class Book:
    """The rounds that were started."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def start_play(self, plan: Plan, drawn: Sequence[Case]) -> Play:
        """Write down that a round begins, with all its cases."""
        with self.engine.begin() as connection:
            values = {"name": plan.name, "plan": json.dumps(plan.to_dict()), "state": RUNNING, "started": time.time()}
            play_id = connection.execute(plays.insert().values(**values).returning(plays.c.id)).scalar_one()
            rows = [
                {"play_id": play_id, "number": number, "features": json.dumps(case.features),
                 "label": json.dumps(case.label), "best": case.best, "row": case.row}
                for number, case in enumerate(drawn)
            ]  # fmt: skip
            connection.execute(cases.insert(), rows)
            note(connection, "round", f"round {play_id} begins")
        return self.play(play_id)

    def play(self, play_id: int) -> Play:
        """Return one round; raises CustomerError when there is none with this number."""
        found = [play for play in self.plays() if play.id == play_id]
        if not found:
            raise CustomerError(f"There is no round {play_id}.")
        return found[0]

    def plays(self) -> list[Play]:
        """Return all rounds that were started, in order."""
        with self.engine.connect() as connection:
            rows = connection.execute(select(plays).order_by(plays.c.id))
            return [Play(r.id, r.name, Plan(**json.loads(r.plan)), r.state, r.void, r.started) for r in rows]

    def cases(self, play_id: int) -> list[Case]:
        """Return the cases of a round, in their order."""
        query = select(cases).where(cases.c.play_id == play_id).order_by(cases.c.number)
        with self.engine.connect() as connection:
            return [
                Case(json.loads(row.features), json.loads(row.label), bool(row.best), row.row)
                for row in connection.execute(query)
            ]

    def asked_cases(self, play_id: int) -> list[Case]:
        """Return the cases of a round that somebody was asked about: the first so many, as blocks come in order."""
        with self.engine.connect() as connection:
            last = connection.execute(select(func.max(asks.c.number)).where(asks.c.play_id == play_id)).scalar()
        return [] if last is None else self.cases(play_id)[: last + 1]

    def said(self, play_id: int, numbers: Sequence[int]) -> dict[tuple[int, int], str]:
        """Return for (player, case) what was answered in a round; what the host has spoilt is left out."""
        query = select(asks.c.player_id, asks.c.number, asks.c.said).where(
            asks.c.play_id == play_id, asks.c.number.in_(numbers), asks.c.reason != NOT_COUNTED
        )
        with self.engine.connect() as connection:
            return {(row.player_id, row.number): row.said for row in connection.execute(query)}

    def seen(self, rows: Iterable[str]) -> set[str]:
        """Return which of these *rows* were played before."""
        with self.engine.connect() as connection:
            return set(connection.execute(select(cases.c.row).where(cases.c.row.in_(list(rows)))).scalars())

    def end_play(self, play_id: int) -> None:
        """Note that a round is over."""
        with self.engine.begin() as connection:
            connection.execute(update(plays).where(plays.c.id == play_id).values(state=DONE, ended=time.time()))
            note(connection, "round", f"round {play_id} is over")

    def void(self, play_id: int, why: str) -> None:
        """Let a round not count, for a reason that everybody sees."""
        self.play(play_id)
        with self.engine.begin() as connection:
            connection.execute(update(plays).where(plays.c.id == play_id).values(void=why))
            note(connection, "void", f"round {play_id} does not count: {why}")

    def open_block(self, play_id: int, number: int) -> tuple[int, bool]:
        """Return the id of a block, made when it is new, and whether it was closed before."""
        this = (blocks.c.play_id == play_id) & (blocks.c.number == number)
        with self.engine.begin() as connection:
            row = connection.execute(select(blocks).where(this)).first()
            if row is not None:
                return int(row.id), bool(row.closed)
            new = blocks.insert().values(play_id=play_id, number=number, closed=False).returning(blocks.c.id)
            return connection.execute(new).scalar_one(), False

    def place_of(self, block_id: int) -> tuple[int, int]:
        """Return the round of a block, and which one of that round it is."""
        query = select(blocks.c.play_id, blocks.c.number).where(blocks.c.id == block_id)
        with self.engine.connect() as connection:
            row = connection.execute(query).one()
            return row.play_id, row.number

    def close_block(self, block_id: int) -> None:
        """Note that everybody has answered the block."""
        with self.engine.begin() as connection:
            connection.execute(update(blocks).where(blocks.c.id == block_id).values(closed=True))

    def asked(self, block_id: int, player_id: int | None = None) -> set[tuple[int, int]]:
        """Return (player, case) of each request of a block that is written down; of one player, or of all."""
        query = select(asks.c.player_id, asks.c.number).where(asks.c.block_id == block_id)
        if player_id is not None:
            query = query.where(asks.c.player_id == player_id)
        with self.engine.connect() as connection:
            return {(row.player_id, row.number) for row in connection.execute(query)}

    def reasons(self, block_id: int) -> list[tuple[int, int, str, str]]:
        """Return (player, case, request id, reason) of each request of a block, in the order they were asked."""
        wanted = (asks.c.player_id, asks.c.number, asks.c.request_id, asks.c.reason)
        query = select(*wanted).where(asks.c.block_id == block_id).order_by(asks.c.asked_at)
        with self.engine.connect() as connection:
            return [(row.player_id, row.number, row.request_id, row.reason) for row in connection.execute(query)]

    def save(self, rows: Sequence[Ask]) -> None:
        """Write requests down; one that is there already stays as it is."""
        make = postgresql.insert if self.engine.dialect.name == "postgresql" else sqlite.insert
        with self.engine.begin() as connection:
            connection.execute(make(asks).on_conflict_do_nothing(), [asdict(row) for row in rows])

    def labels(self, block_id: int) -> dict[int, list[tuple[str, Any]]]:
        """Return for each player who has not got them yet the labels of a block: (request id, label)."""
        query = (
            select(asks.c.player_id, asks.c.request_id, cases.c.label)
            .join(cases, (cases.c.play_id == asks.c.play_id) & (cases.c.number == asks.c.number))
            .where(asks.c.block_id == block_id, asks.c.reason.in_(("correct", "wrong")))
        )
        got = select(deliveries.c.player_id).where(deliveries.c.block_id == block_id)
        found: dict[int, list[tuple[str, Any]]] = {}
        with self.engine.connect() as connection:
            done = set(connection.execute(got).scalars())
            for player_id, request_id, label in connection.execute(query):
                if player_id not in done:
                    found.setdefault(player_id, []).append((request_id, json.loads(label)))
        return found

    def undelivered(self) -> list[int]:
        """Return the blocks that everybody has answered, and of which somebody has no labels yet."""
        got = (deliveries.c.block_id == asks.c.block_id) & (deliveries.c.player_id == asks.c.player_id)
        query = (
            select(asks.c.block_id)
            .distinct()
            .join(blocks, blocks.c.id == asks.c.block_id)
            .outerjoin(deliveries, got)
            .where(blocks.c.closed, asks.c.reason.in_(("correct", "wrong")), deliveries.c.player_id.is_(None))
        )
        with self.engine.connect() as connection:
            return sorted(connection.execute(query).scalars())

    def counted_blocks(self) -> list[tuple[int, int]]:
        """Return (round, block) of everything that everybody has answered and that counts, in order."""
        query = (
            select(blocks.c.play_id, blocks.c.id)
            .join(plays, plays.c.id == blocks.c.play_id)
            .where(blocks.c.closed, plays.c.void.is_(None))
            .order_by(blocks.c.id)
        )
        with self.engine.connect() as connection:
            return [(row.play_id, row.id) for row in connection.execute(query)]

    def outcomes(self, block_id: int) -> list[tuple[int, str, int, float, bool]]:
        """Return (player, reason, points, ms, best) of every request of a block, in the order they were asked."""
        query = (
            select(asks.c.player_id, asks.c.reason, asks.c.points, asks.c.ms, cases.c.best)
            .join(cases, (cases.c.play_id == asks.c.play_id) & (cases.c.number == asks.c.number))
            .where(asks.c.block_id == block_id)
            .order_by(asks.c.asked_at)
        )
        with self.engine.connect() as connection:
            return [(r.player_id, r.reason, r.points, r.ms, bool(r.best)) for r in connection.execute(query)]

    def delivered(self, block_id: int, player_id: int, labels: int) -> None:
        """Note that a player has the labels of a block."""
        row = {"block_id": block_id, "player_id": player_id, "delivered_at": time.time(), "labels": labels}
        with suppress(IntegrityError), self.engine.begin() as connection:
            connection.execute(deliveries.insert().values(**row))
