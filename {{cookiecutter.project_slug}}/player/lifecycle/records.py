"""What the database remembers of each model that was trained here."""

from datetime import datetime

from player.config import Settings
from player.model.store import Manifest
from player.storage import queries
from player.storage.migrations import upgrade
from player.storage.tables import create_engine_for


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
