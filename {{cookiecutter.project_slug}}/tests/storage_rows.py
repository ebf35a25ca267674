"""Rows for the tests of the storage, and what it takes to look behind it."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from pydantic import SecretStr

from player.config import Settings
from player.storage.columns import to_text
from player.storage.local.spool import Spool
from player.storage.tables import create_engine_for
from player.storage.writer import LabelRow, PredictionRow, Writer, read_row

# Yesterday: what is shipped and old leaves the spool, whenever the tests run.
NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)


def prediction(request_id: str, minute: float = 0, **changes: Any) -> PredictionRow:
    """Return an ordinary row, received *minute* minutes after noon."""
    columns: dict[str, Any] = {
        "model": "20261123-072240-1a2b3c4d", "pred": 1, "proba": 0.75, "degraded": False,
        "features": {"age": 42, "home": "rent"}, "warnings": [], "latency_ms": 1.5, "client": "127.0.0.1",
    }  # fmt: skip
    return PredictionRow(request_id, NOON + timedelta(minutes=minute), **{**columns, **changes})


def label(request_id: str, value: Any, minute: float = 0) -> LabelRow:
    """Return a label, received *minute* minutes after noon."""
    return LabelRow(str(uuid.uuid4()), request_id, value, NOON + timedelta(minutes=minute), "customer")


def spooled(spool: Spool, key: str) -> str | None:
    """Return what the spool has as the prediction of this key."""
    found = spool.read("SELECT body FROM rows WHERE kind = 'prediction' AND key = ?", key)
    return found[0][0] if found else None


def find(writer: Writer, request_id: str) -> PredictionRow | None:
    """Return the row that the spool has under this id."""
    body = spooled(writer.spool, to_text(request_id))
    return read_row(body, request_id) if body else None


def count(engine: sa.Engine) -> tuple[int, int]:
    """Return how many predictions and labels the database has."""
    with engine.connect() as connection:
        asked = (sa.text(f"SELECT count(*) FROM {table}") for table in ("predictions", "labels"))
        predictions, labels = (int(connection.execute(each).scalar_one()) for each in asked)
    return predictions, labels


def with_database(settings: Settings, url: str) -> Settings:
    """Return *settings* with another database."""
    return settings.model_copy(update={"database_url": SecretStr(url)})


def with_storage(settings: Settings, **changes: Any) -> Settings:
    """Return *settings* with changes in the table [storage]."""
    return settings.model_copy(update={"storage": settings.storage.model_copy(update=changes)})


def select(settings: Settings, query: str) -> list[tuple[Any, ...]]:
    """Return what *query* selects from the database, as it is stored."""
    engine = create_engine_for(settings)
    try:
        with engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(query))]
    finally:
        engine.dispose()
