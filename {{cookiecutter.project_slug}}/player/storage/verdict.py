"""The newest verdict of the monitoring as the database remembers it, so that a change is noticed once."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Engine

from player.storage.statements import unless_there
from player.storage.tables import Verdict


def change_verdict(engine: Engine, state: str, title: str, now: datetime) -> tuple[str, str] | None:
    """Keep the verdict; return the one before when this call changed it, and None when it was so already.

    Of several that notice the same change one alone is told. Before the first verdict there was none: ("", "").
    """
    values = {"state": state, "title": title, "since": now}
    with engine.begin() as connection:
        first = unless_there(engine, Verdict).values(id=1, **values).returning(Verdict.id)
        if connection.execute(first).first() is not None:
            return "", ""
        before = connection.execute(sa.select(Verdict.state, Verdict.title)).one()
        if before == (state, title):
            return None
        same = (Verdict.state == before.state, Verdict.title == before.title)
        changed = connection.execute(sa.update(Verdict).where(*same).values(**values)).rowcount
        return (before.state, before.title) if changed else None
