"""The queue between a host and its workers: one job is one player and one block of cases.

It is procrastinate's, in tables of its own in the tournament's database. A job is taken by one worker; when that dies,
it is given to another one.
"""

from procrastinate import App, PsycopgConnector
from sqlalchemy import Engine, inspect

from customer.errors import CustomerError

QUEUE, TASK = "blocks", "ask"
BEAT_SECONDS, DEAD_SECONDS = 1.0, 6.0  # a worker says that it lives, and when nobody believes it any more


def open_queue(engine: Engine) -> App:
    """Return the queue in the database of *engine*, to be opened; raises CustomerError when that is not PostgreSQL."""
    if engine.dialect.name != "postgresql":
        raise CustomerError(
            "Workers share a tournament through PostgreSQL, and this one is in SQLite: set CUSTOMER_DATABASE_URL."
        )
    address = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    return App(connector=PsycopgConnector(conninfo=address))


async def make_tables(jobs: App, engine: Engine) -> None:
    """Make the tables of the queue where they are missing."""
    if not inspect(engine).has_table("procrastinate_jobs"):
        await jobs.schema_manager.apply_schema_async()
