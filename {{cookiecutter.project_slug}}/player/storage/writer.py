"""Makes predictions and labels durable before they are acknowledged; a thread takes them on to the database."""

import json
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from player.config import Settings
from player.errors import StorageError
from player.storage.columns import to_json, to_text
from player.storage.local.rescue import open_spool
from player.storage.local.spool import INSERT
from player.storage.shipper import Shipper

ROWS_IN_ONE_COMMIT = 500  # of a long list, so that others get their turn
NO_LOOKUP_SECONDS = 5.0
PREDICTED = "SELECT 1 FROM rows WHERE kind = 'prediction' AND key = ?"
TRUE_LABEL = "SELECT truth FROM rows WHERE about = ? AND truth IS NOT NULL"


@dataclass(frozen=True)
class PredictionRow:
    """One answered request; *received_at* has a time zone, *features* are as they were received."""

    request_id: str
    received_at: datetime
    model: str
    pred: Any
    proba: float
    degraded: bool
    features: Any
    warnings: list[str]
    latency_ms: float
    client: str


@dataclass(frozen=True)
class LabelRow:
    """One label as it was sent; *id* is its own, a *strange* one is no class of the model."""

    id: str
    request_id: str
    label: Any
    received_at: datetime
    sender: str
    strange: bool = False


class Writer:
    """What the routes use: rows go in, and are durable when the call returns."""

    def __init__(self, settings: Settings, early_labels: bool = True) -> None:
        """Open nothing yet. *early_labels*: a label may come before its prediction; else it is kept as unknown."""
        self.spool = open_spool(settings)
        self._early_labels = early_labels
        self._shipper = Shipper(settings, self.spool)
        self._no_lookup_until = 0.0

    def start(self) -> None:
        """Open the spool and start shipping; raises StorageError when the spool cannot be used."""
        self.spool.open()
        self._shipper.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Ship what is left, for at most *timeout* seconds, and close; what stays is durable and shipped next time."""
        self._shipper.stop(timeout)
        self.spool.close()

    def put_prediction(self, row: PredictionRow) -> PredictionRow:
        """Return *row*, durable; when its id was used before, the first row with it. Raises NotDurable."""
        return self.put_predictions([row])[0]

    def put_predictions(self, rows: Sequence[PredictionRow]) -> list[PredictionRow]:
        """Return for each row itself, durable, or the first one with its id. Raises NotDurable."""
        kept = []
        for start in range(0, len(rows), ROWS_IN_ONE_COMMIT):
            part = rows[start : start + ROWS_IN_ONE_COMMIT]
            values = [prediction_values(row) for row in part]
            bodies = self.spool.write(lambda c, v=values: [insert_prediction(c, one) for one in v])  # type: ignore[misc]
            kept += [read_row(body, row.request_id) if body else row for body, row in zip(bodies, part, strict=True)]
        return kept

    def put_labels(self, rows: Sequence[LabelRow]) -> list[str]:
        """Return for each label, durable, what became of it. Raises NotDurable.

        stored: the first label of a prediction; early: its prediction is not there yet; duplicate: the same again,
        not kept; contradicts: another value, kept as history; unknown: no prediction has that id, kept as history;
        unknown class: no class of the model, kept as history, and never the truth.
        """
        statuses: list[str] = []
        for start in range(0, len(rows), ROWS_IN_ONE_COMMIT):
            part = rows[start : start + ROWS_IN_ONE_COMMIT]
            asked, known = self._look_up([row.request_id for row in part])
            otherwise = "unknown" if asked and not self._early_labels else "early"
            statuses += self.spool.write(
                lambda c, p=part, k=known, o=otherwise: [insert_label(c, row, k, o) for row in p]  # type: ignore[misc]
            )
        return statuses

    def ship(self) -> int:
        """Send what waits to the database now; return how many rows went."""
        return self._shipper.ship()

    def can_store(self) -> bool:
        """Tell whether a row could be made durable now."""
        return self.spool.usable()

    def nearly_full(self) -> bool:
        """Tell whether what room is left must be for answers and labels; False when the spool cannot say."""
        try:
            return self.spool.nearly_full()
        except StorageError:
            return False

    def status(self) -> dict[str, Any]:
        """Return how many rows are `spooled` and `set_aside`, and the `database`: ok or down, with its `last_error`."""
        try:
            error = self.spool.noted("database") or ""
            return {**self.spool.count(), "database": "down" if error else "ok", "last_error": error}
        except StorageError as problem:
            return {"spooled": 0, "set_aside": 0, "database": "down", "last_error": str(problem)}

    def _look_up(self, request_ids: list[str]) -> tuple[bool, dict[str, str | None]]:
        """Return whether the database could be asked, and the true label (or None) of each prediction it has.

        Only ids that the spool does not know are asked for, and only while the database is known to be well.
        """
        unknown = [one for one in request_ids if not self._spooled(to_text(one))]
        if not unknown:
            return True, {}
        if time.monotonic() < self._no_lookup_until or self.spool.noted("database") != "":
            return False, {}
        found = self._shipper.look_up(unknown)
        if found is None:
            self._no_lookup_until = time.monotonic() + NO_LOOKUP_SECONDS
        return found is not None, found or {}

    def _spooled(self, key: str) -> bool:
        """Tell whether the spool has a prediction or a true label for *key*."""
        return bool(self.spool.read(PREDICTED, key) or self.spool.read(TRUE_LABEL, key))


def prediction_values(row: PredictionRow) -> tuple[object, ...]:
    """Return *row* as the spool's columns."""
    return "prediction", to_text(row.request_id), None, None, row.received_at.timestamp(), body_of(row)


def insert_prediction(connection: sqlite3.Connection, values: tuple[object, ...]) -> str | None:
    """Insert the row; return the body of the first one when its id was used before."""
    found = connection.execute("SELECT body FROM rows WHERE kind = ? AND key = ?", values[:2]).fetchone()
    if found is None:
        connection.execute(INSERT, values)
    return found[0] if found else None


def insert_label(connection: sqlite3.Connection, row: LabelRow, known: Mapping[str, str | None], otherwise: str) -> str:
    """Insert the label unless it says the same again; return its status.

    *known* has the predictions that only the database has, *otherwise* is the status without any prediction.
    """
    about, value = to_text(row.request_id), to_json(row.label)
    found = connection.execute(TRUE_LABEL, (about,)).fetchone()
    truth = found[0] if found else known.get(about)
    if row.strange:
        status = "unknown class"
    elif truth is not None:
        status = "duplicate" if truth == value else "contradicts"
    elif about in known or connection.execute(PREDICTED, (about,)).fetchone():
        status = "stored"
    else:
        status = otherwise
    if status != "duplicate":
        true_value = value if status in ("stored", "early") else None
        body = body_of(row, status=status)
        connection.execute(INSERT, ("label", to_text(row.id), about, true_value, row.received_at.timestamp(), body))
    return status


def body_of(row: PredictionRow | LabelRow, **more: Any) -> str:
    """Return *row* as JSON, with *more* columns; a value that cannot be JSON does not take the others with it."""
    columns = {**vars(row), "received_at": row.received_at.isoformat(), **more}
    try:
        return json.dumps(columns)
    except (TypeError, ValueError, RecursionError):
        return json.dumps({name: json.loads(to_json(value)) for name, value in columns.items()})


def read_row(body: str, request_id: str) -> PredictionRow:
    """Return the row that `body_of` wrote."""
    columns = json.loads(body)
    columns["received_at"] = datetime.fromisoformat(columns["received_at"])
    return replace(PredictionRow(**columns), request_id=request_id)
