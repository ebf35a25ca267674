"""What happened in the tournament, in words, in the order it happened."""

import time
from typing import Any

from sqlalchemy import Connection, Engine, select

from customer.host.tables import events


def note(connection: Connection, kind: str, text: str, player_id: int | None = None) -> None:
    """Add an event within a transaction."""
    connection.execute(events.insert().values(at=time.time(), kind=kind, text=text, player_id=player_id))


def tell(engine: Engine, kind: str, text: str, player_id: int | None = None) -> None:
    """Write an event down."""
    with engine.begin() as connection:
        note(connection, kind, text, player_id)


def newest(engine: Engine, most: int = 50) -> list[dict[str, Any]]:
    """Return the newest events, newest first."""
    with engine.connect() as connection:
        return [
            dict(row._mapping) for row in connection.execute(select(events).order_by(events.c.id.desc()).limit(most))
        ]
