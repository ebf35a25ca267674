"""Alembic's entry: `upgrade` hands over a connection; the `alembic` command gets one from the settings."""

from alembic import context
from sqlalchemy import Connection

from player.config import load_settings
from player.storage.tables import Base, create_engine_for


def migrate(connection: Connection) -> None:
    """Run the migrations on *connection*, all of them or none."""
    context.configure(
        connection=connection, target_metadata=Base.metadata, render_as_batch=True, transactional_ddl=True
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    migrate(given)
else:
    with create_engine_for(load_settings(), create=True).connect() as own:
        migrate(own)
