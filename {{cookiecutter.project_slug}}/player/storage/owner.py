"""Which environment a database belongs to: the first one that prepared it. It serves no other."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from player.config import Settings
from player.errors import StorageError
from player.storage.database import shown_url
from player.storage.tables import ModelRecord, Owner


def claim(connection: Connection, settings: Settings) -> None:
    """Note that the database belongs to this environment; raises StorageError when it belongs to another one.

    A database from before this was noted belongs to the environment whose models it has recorded.
    """
    if connection.scalar(sa.select(Owner.environment)) is None:
        recorded = connection.scalars(sa.select(ModelRecord.environment).distinct()).all()
        refuse_other(recorded, settings)
        try:
            connection.execute(sa.insert(Owner).values(environment=settings.environment))
            connection.commit()
        except IntegrityError:  # another process of this environment was faster
            connection.rollback()
    check_owner(connection, settings)


def check_owner(connection: Connection, settings: Settings) -> None:
    """Raise StorageError when the database belongs to another environment."""
    refuse_other(connection.scalars(sa.select(Owner.environment)).all(), settings)


def refuse_other(owners: Sequence[str], settings: Settings) -> None:
    """Raise StorageError unless this environment is among *owners*, or there is none."""
    if owners and settings.environment not in owners:
        raise StorageError(
            f"The database {shown_url(settings)} belongs to {owners[0]}, and this is {settings.environment}: nothing "
            "was changed. Each environment needs a database of its own; PLAYER_DATABASE_URL may hold {environment}."
        )
