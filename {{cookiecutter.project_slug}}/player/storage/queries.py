"""What is asked of the database: tables to look at, numbers to show, rows to learn from."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Concatenate, ParamSpec, TypeVar

import pandas as pd
import sqlalchemy as sa
from sqlalchemy import Engine, Select
from sqlalchemy.exc import SQLAlchemyError

from player.config import Settings
from player.errors import StorageError
from player.settings.remedies import of_database
from player.storage.database import sqlite_path
from player.storage.statements import unless_there
from player.storage.tables import TRUTH, Label, ModelRecord, Prediction, create_engine_for

COLUMNS = (
    "request_id", "received_at", "model", "pred", "proba", "degraded", "features", "warnings", "latency_ms",
    "label", "label_at",
)  # fmt: skip
P = ParamSpec("P")
T = TypeVar("T")
TIMES = ("received_at", "label_at", "created_at")
NUMBERS = {"proba": "float64", "latency_ms": "float64", "degraded": "bool", "rows": "int64"}


def recent(engine: Engine, limit: int, since: datetime | None = None, most_bytes: int | None = None) -> pd.DataFrame:
    """Return the newest *limit* predictions (received at or after *since*), the newest first.

    With *most_bytes* fewer, when what was asked in them has more bytes. Columns: request_id, received_at, model, pred,
    proba, degraded, features (dict), warnings (list), latency_ms, label (None until one came) and label_at.
    """
    newest = sa.select(Prediction).order_by(Prediction.received_at.desc(), Prediction.request_id).limit(limit)
    if since is not None:
        newest = newest.where(Prediction.received_at >= since)
    if most_bytes is not None:
        newest = newest.limit(min(limit, count_within(engine, newest.subquery(), most_bytes)))
    rows = newest.subquery()
    return fetch(engine, with_label(rows, outer=True).order_by(rows.c.received_at.desc(), rows.c.request_id))


def count_within(engine: Engine, newest: sa.Subquery, most_bytes: int) -> int:
    """Return how many of the rows *newest*, the first ones, have at most *most_bytes* of features and warnings."""
    size = sum((sa.func.length(sa.type_coerce(newest.c[name], sa.Text)) for name in ("features", "warnings")), 0)
    so_far = sa.func.sum(size).over(order_by=(newest.c.received_at.desc(), newest.c.request_id))
    sizes = sa.select(so_far.label("so_far")).subquery()
    with engine.connect() as connection:
        fitting = sa.select(sa.func.count()).select_from(sizes).where(sizes.c.so_far <= most_bytes)
        return int(connection.execute(fitting).scalar_one())


def read_recent(settings: Settings, limit: int) -> pd.DataFrame:
    """Return the newest rows of the database of *settings*, as `recent` does; raises StorageError."""
    return read(settings, recent, limit)


def read(settings: Settings, query: Callable[Concatenate[Engine, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what *query* gives for the database of *settings*; raises StorageError with what to do."""
    engine = create_engine_for(settings)
    try:
        return query(engine, *args, **kwargs)
    except SQLAlchemyError as error:
        remedy = of_database(error, sqlite_path(settings))
        what = f"{type(error).__name__}: {remedy}" if remedy else type(error).__name__
        raise StorageError(
            f"The {settings.environment} database cannot be read ({what}); where there is none yet, "
            "`player serve` makes it; `player doctor` says more."
        ) from None
    finally:
        engine.dispose()


def find(engine: Engine, request_id: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the prediction *request_id*, empty when there is none, and every label of it, in the order they came."""
    row = sa.select(*(column for column in Prediction.__table__.c)).where(Prediction.request_id == request_id)
    told = sa.select(Label.label, Label.status, Label.received_at, Label.sender).where(Label.request_id == request_id)
    with engine.connect() as connection:
        found = connection.execute(row).mappings().first()
        came = connection.execute(told.order_by(Label.received_at, Label.id)).mappings().all()
    return dict(found or {}), [dict(each) for each in came]


def labelled(engine: Engine, since: datetime | None = None) -> pd.DataFrame:
    """Return the predictions whose true label is known, the oldest first; columns as in `recent`."""
    wanted = sa.select(Prediction)
    if since is not None:
        wanted = wanted.where(Prediction.received_at >= since)
    rows = wanted.subquery()
    return fetch(engine, with_label(rows, outer=False).order_by(rows.c.received_at, rows.c.request_id))


def last_labelled(engine: Engine, limit: int) -> pd.DataFrame:
    """Return the predictions whose labels came last, at most *limit*, the oldest first; columns as in `recent`."""
    last = sa.select(Label.request_id).where(Label.status.in_(TRUTH)).order_by(Label.received_at.desc()).limit(limit)
    rows = sa.select(Prediction).where(Prediction.request_id.in_(last)).subquery()
    return fetch(engine, with_label(rows, outer=False).order_by(rows.c.received_at, rows.c.request_id))


def count_labels(engine: Engine, most: int, after: datetime | None = None) -> int:
    """Return how many labels that can be the truth came (*after* then); counts no further than *most*."""
    found = sa.select(Label.id).where(Label.status.in_(TRUTH)).order_by(Label.received_at.desc()).limit(most)
    if after is not None:
        found = found.where(Label.received_at > after)
    with engine.connect() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(found.subquery())).scalar_one())


def count_predictions(engine: Engine, most: int) -> int:
    """Return how many predictions are kept, or *most* when there are more: counting all of many takes long."""
    some = sa.select(Prediction.request_id).limit(most).subquery()
    with engine.connect() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one())


def add_model(engine: Engine, **columns: Any) -> None:
    """Keep the record of a model (columns of the table `models`); a version that is there stays as it is."""
    with engine.begin() as connection:
        connection.execute(unless_there(engine, ModelRecord), columns)


def models(engine: Engine) -> pd.DataFrame:
    """Return the recorded models, the newest first; the columns are those of the table, `metrics` is a dict."""
    return fetch(engine, sa.select(*ModelRecord.__table__.c).order_by(ModelRecord.created_at.desc()))


def with_label(rows: sa.Subquery, outer: bool) -> Select[Any]:
    """Return *rows* with the true label of each: of its labels that can be the truth, the first that was received."""
    first = (
        sa.select(Label.id)
        .where(Label.request_id == rows.c.request_id, Label.status.in_(TRUTH))
        .order_by(Label.received_at, Label.id)
        .limit(1)
        .correlate(rows)
        .scalar_subquery()
    )  # for each row by the index; a window function over all labels made SQLite compare every row with every label
    columns = [rows.c[name] for name in COLUMNS if name in rows.c]
    joined = rows.join(Label, Label.id == first, isouter=outer)
    return sa.select(*columns, Label.label, Label.received_at.label("label_at")).select_from(joined)


def fetch(engine: Engine, query: Select[Any]) -> pd.DataFrame:
    """Return what *query* selects as a table; columns that hold any JSON value have the type object."""
    with engine.connect() as connection:
        found = connection.execute(query)
        names, rows = list(found.keys()), found.fetchall()
    table = pd.DataFrame([tuple(row) for row in rows], columns=names, dtype=object)
    types = {name: kind for name, kind in NUMBERS.items() if name in table}
    for name in TIMES:
        if name in table:
            table[name] = pd.to_datetime(table[name], utc=True)
    return table.astype(types)
