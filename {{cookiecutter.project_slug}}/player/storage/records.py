"""What the database remembers of each model that was made here, and of each run of `player batch`."""

import uuid
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from player.config import Settings
from player.model.store import Manifest
from player.storage import queries
from player.storage.migrations import upgrade
from player.storage.tables import BatchRun, create_engine_for


def record_model(manifest: Manifest, settings: Settings) -> None:
    """Keep version, hash, rows, metrics and note of a model in the table `models`; raises StorageError."""
    upgrade(settings)
    engine = create_engine_for(settings)
    queries.add_model(
        engine,
        version=manifest.version,
        created_at=datetime.fromisoformat(manifest.created_at),
        sha256=manifest.sha256,
        rows=manifest.rows,
        metrics=manifest.metrics,
        note=manifest.note,
        environment=settings.environment,
    )
    engine.dispose()


def start_run(engine: Engine, source: str, target: str) -> str:
    """Keep that a run started, and return its id."""
    run = uuid.uuid4().hex
    values = {"id": run, "started_at": datetime.now(UTC), "source": source, "target": target}
    execute(engine, sa.insert(BatchRun).values(**values, rows=0, warnings=0, model="", status="running"))
    return run


def finish_run(engine: Engine, run: str, status: str, rows: int = 0, warnings: int = 0, model: str = "") -> None:
    """Keep how the run with the id *run* ended: `done` or `failed`."""
    values = {"finished_at": datetime.now(UTC), "rows": rows, "warnings": warnings, "model": model, "status": status}
    execute(engine, sa.update(BatchRun).where(BatchRun.id == run).values(**values))


def execute(engine: Engine, statement: sa.Executable) -> None:
    """Run one statement in a transaction of its own."""
    with engine.begin() as connection:
        connection.execute(statement)
