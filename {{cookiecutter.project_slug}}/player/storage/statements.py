"""What is said to the database: insert these rows unless it has them, and which of these ids does it know."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError, StatementError

from player.storage.columns import to_json, to_text
from player.storage.local.spool import Row
from player.storage.tables import TRUTH, Base, Label, Prediction

TABLES: dict[str, type[Base]] = {"prediction": Prediction, "label": Label}
# PostgreSQL's classes of errors that are the row's own fault: data, integrity, limits of a value
ROWS_FAULT = ("22", "23", "54")
ERRORS = (SQLAlchemyError, ValueError, TypeError, KeyError, OverflowError)


def send(engine: Engine, rows: Sequence[Row]) -> list[tuple[Row, str]]:
    """Insert *rows*; return those that the database will never take, with the reason.

    A row that is there already stays as it is. Raises SQLAlchemyError when the database does not work; sending all
    of them again is then harmless. Without rows it only asks whether the database is there.
    """
    try:
        with engine.begin() as connection:
            if not rows:
                connection.execute(sa.select(1))
            insert(connection, rows)
    except ERRORS as error:
        if not is_rows_fault(error):
            raise
        if len(rows) == 1:
            return [(rows[0], str(getattr(error, "orig", None) or error).splitlines()[0])]
        half = len(rows) // 2  # the bad row is in one half, the good ones must not wait for it
        return send(engine, rows[:half]) + send(engine, rows[half:])
    return []


def insert(connection: Connection, rows: Sequence[Row]) -> None:
    """Insert *rows* into their tables, except those whose key is there."""
    for kind, table in TABLES.items():
        values = [read_columns(row.body, table) for row in rows if row.kind == kind]
        if values:
            connection.execute(unless_there(connection, table), values)


def unless_there(database: Connection | Engine, table: type[Base]) -> Any:
    """Return the statement that inserts into *table* what it has not yet: a row whose key is there stays as it is."""
    new_row = postgresql.insert if database.dialect.name == "postgresql" else sqlite.insert
    return new_row(table).on_conflict_do_nothing()


def read_columns(body: str, table: type[Base]) -> dict[str, Any]:
    """Return the columns of *table* in the JSON of a spooled row; what a newer version added is left out."""
    found = json.loads(body)
    columns = {column.name: found[column.name] for column in table.__table__.columns}
    columns["received_at"] = datetime.fromisoformat(columns["received_at"])
    return columns


def is_rows_fault(error: Exception) -> bool:
    """Tell whether *error* lies in the row, so that trying again cannot help; anything else lies in the database."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, StatementError | ValueError | TypeError | KeyError | OverflowError)
    code = getattr(error.orig, "sqlstate", None)
    return code.startswith(ROWS_FAULT) if code else isinstance(error, IntegrityError | DataError)


def known_labels(engine: Engine, request_ids: Sequence[str]) -> dict[str, str | None]:
    """Return, for those of *request_ids* that have a prediction or a true label, that label's JSON or None.

    The keys are written as `to_text` writes them.
    """
    predicted = sa.select(Prediction.request_id).where(Prediction.request_id.in_(request_ids))
    labelled = sa.select(Label.request_id, Label.label).where(
        Label.request_id.in_(request_ids), Label.status.in_(TRUTH)
    )
    with engine.connect() as connection:
        known: dict[str, str | None] = {to_text(key): None for key in connection.scalars(predicted)}
        # The newest first, so that the first one, which is the truth, is what remains.
        for key, label in connection.execute(labelled.order_by(Label.received_at.desc(), Label.id.desc())):
            known[to_text(key)] = to_json(label)
    return known
