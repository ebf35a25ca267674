"""The tables of the database, and how to connect to it."""

from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.pool import NullPool

from player.config import Settings
from player.storage.columns import JsonText, Number, SafeText, UtcTime


class Base(DeclarativeBase):
    """What all tables belong to; `Base.metadata` is the whole of them."""


class Prediction(Base):
    """One answered request; `features` are as they were received."""

    __tablename__ = "predictions"

    request_id: Mapped[str] = mapped_column(SafeText, primary_key=True)
    received_at: Mapped[datetime] = mapped_column(UtcTime, index=True)
    model: Mapped[str] = mapped_column(SafeText)
    pred: Mapped[Any] = mapped_column(JsonText, nullable=False)
    proba: Mapped[float | None] = mapped_column(Number)
    degraded: Mapped[bool]
    features: Mapped[Any] = mapped_column(JsonText, nullable=False)
    warnings: Mapped[Any] = mapped_column(JsonText, nullable=False)
    latency_ms: Mapped[float | None] = mapped_column(Number)
    client: Mapped[str] = mapped_column(SafeText)


class Label(Base):
    """One label as it was sent; the first one of a request that is `stored` or `early` is the truth."""

    __tablename__ = "labels"

    id: Mapped[str] = mapped_column(SafeText, primary_key=True)
    request_id: Mapped[str] = mapped_column(SafeText, index=True)
    label: Mapped[Any] = mapped_column(JsonText, nullable=False)
    status: Mapped[str] = mapped_column(SafeText)
    received_at: Mapped[datetime] = mapped_column(UtcTime, index=True)
    sender: Mapped[str] = mapped_column(SafeText)


class ModelRecord(Base):
    """One model that was trained: what it was, not the model itself."""

    __tablename__ = "models"

    version: Mapped[str] = mapped_column(SafeText, primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    sha256: Mapped[str] = mapped_column(SafeText)
    rows: Mapped[int]
    metrics: Mapped[Any] = mapped_column(JsonText, nullable=False)
    note: Mapped[str] = mapped_column(SafeText)
    environment: Mapped[str] = mapped_column(SafeText)


class BatchRun(Base):
    """One run of `player batch`; `finished_at` is empty while it works, or when it was killed."""

    __tablename__ = "batch_runs"

    id: Mapped[str] = mapped_column(SafeText, primary_key=True)
    started_at: Mapped[datetime] = mapped_column(UtcTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcTime)
    source: Mapped[str] = mapped_column(SafeText)
    target: Mapped[str] = mapped_column(SafeText)
    rows: Mapped[int]
    warnings: Mapped[int]
    model: Mapped[str] = mapped_column(SafeText)
    status: Mapped[str] = mapped_column(SafeText)


class Chapter(Base):
    """What the history says of one stretch of requests: figures, no row of anybody. Closed once `look_at` is empty."""

    __tablename__ = "chapters"
    __table_args__ = (sa.Index("ix_chapters_counts", "rows", "labelled", "correct"),)

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    began_at: Mapped[datetime] = mapped_column(UtcTime)
    ended_at: Mapped[datetime] = mapped_column(UtcTime, index=True)
    look_at: Mapped[datetime | None] = mapped_column(UtcTime, index=True)
    rows: Mapped[int]
    labelled: Mapped[int]
    correct: Mapped[int]
    expected: Mapped[float | None] = mapped_column(Number)
    model: Mapped[str] = mapped_column(SafeText)
    state: Mapped[str] = mapped_column(SafeText)
    title: Mapped[str] = mapped_column(SafeText)
    pieces: Mapped[Any] = mapped_column(JsonText, nullable=False)
    story: Mapped[Any] = mapped_column(JsonText, nullable=False)
    features: Mapped[Any] = mapped_column(JsonText, nullable=False)


class Verdict(Base):
    """The newest verdict of the monitoring: one row, so that a change of it is noticed once."""

    __tablename__ = "verdict"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    state: Mapped[str] = mapped_column(SafeText)
    title: Mapped[str] = mapped_column(SafeText)
    since: Mapped[datetime] = mapped_column(UtcTime)


class Owner(Base):
    """The one environment that the database belongs to."""

    __tablename__ = "owner"

    environment: Mapped[str] = mapped_column(SafeText, primary_key=True)


TRUTH = ("stored", "early")  # the statuses of a label that can be the truth


def create_engine_for(settings: Settings, create: bool | None = None, statement_seconds: int = 60) -> Engine:
    """Return the engine for the database of *settings*; nothing is connected yet.

    *create* says whether a missing SQLite file may be made (default: only where nobody depends on it).
    *statement_seconds* is how long PostgreSQL may work on one statement.
    """
    url = make_url(settings.database_url.get_secret_value())
    if url.get_backend_name() == "sqlite":
        return sqlite_engine(url, settings, not settings.strict if create is None else create)
    return sa.create_engine(
        url,
        connect_args=postgresql_arguments(statement_seconds, str(url.query.get("options", ""))),
        pool_size=3,
        max_overflow=5,
        pool_timeout=3,
        pool_pre_ping=True,
        hide_parameters=True,
    )


def postgresql_arguments(statement_seconds: int, own: str = "") -> dict[str, Any]:
    """Return what keeps a lost or busy server from holding a connection for ever.

    *own* options of the database's address, such as a search_path, stand behind ours: of two values the last counts.
    """
    limits = {
        "statement_timeout": f"{statement_seconds}s",
        "lock_timeout": "5s",
        "idle_in_transaction_session_timeout": "60s",
        "timezone": "UTC",
    }
    return {
        "connect_timeout": 3,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": 10_000,
        "client_encoding": "utf8",
        "application_name": "player",
        "options": " ".join([*(f"-c {name}={value}" for name, value in limits.items()), own]).strip(),
    }


def sqlite_engine(url: URL, settings: Settings, create: bool) -> Engine:
    """Return an engine for a SQLite file; without *create* a missing file is an error, not a new empty database."""
    path = Path(url.database or "")
    if create and not settings.strict:
        path.parent.mkdir(parents=True, exist_ok=True)
    mode = {"mode": "rwc" if create else "rw", "uri": "true"}
    # No pool: a connection kept open would go on writing into a file that somebody deleted.
    engine = sa.create_engine(
        url.set(database=path.as_uri(), query=mode),
        connect_args={"timeout": 5.0},
        poolclass=NullPool,
        hide_parameters=True,
    )
    power = settings.storage.durability == "power"

    if create and not path.exists() and path.parent.is_dir():  # its owner's alone, whatever the umask says
        path.touch(mode=0o600)

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA secure_delete=ON")  # what is deleted is overwritten
        connection.execute("PRAGMA journal_mode=WAL")  # readers do not wait for the writer
        connection.execute(f"PRAGMA synchronous={'FULL' if power else 'NORMAL'}")

    return engine
