"""The tournament's database: SQLite in a file, or PostgreSQL by its address; checked to be the right one."""

import json
import secrets
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, func, inspect, select, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from customer.errors import CustomerError
from customer.host.book import Book
from customer.host.roster import Roster
from customer.host.tables import FORMAT, metadata, tournament

OPEN, ENDED = "open", "ended"  # phases of a tournament


def open_engine(address: str) -> Engine:
    """Return the engine for a database's *address*; SQLite keeps what is committed also through a power cut."""
    try:
        url = make_url(address)
        if url.get_backend_name() == "sqlite" and url.database:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(url, pool_pre_ping=True)
    except (SQLAlchemyError, OSError, ImportError) as error:
        raise CustomerError(f"{address.partition('@')[2] or address} is no database to play in: {error}") from None
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def settle(connection: Any, record: Any) -> None:
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=10000"):
                connection.execute(f"PRAGMA {pragma}")

    return engine


class Store:
    """The one place where a tournament is written down."""

    def __init__(self, address: str) -> None:
        self.engine = open_engine(address)
        self.roster, self.book = Roster(self.engine), Book(self.engine)
        self.address = self.engine.url.render_as_string(hide_password=True)

    def begin(self, seed: int | None, settings: dict[str, Any], guard: dict[str, Any] | None = None) -> None:
        """Start a tournament in an empty database, or go on with the one that is there.

        *guard* is where its workers read which addresses may be asked; it may differ from that of the last start.

        Raises CustomerError when the database holds something else, or a tournament with another seed or settings.
        """
        try:
            there = inspect(self.engine).get_table_names()
            if there and "tournament" not in there:
                raise CustomerError(f"{self.address} holds {', '.join(there[:3])}: not a tournament; choose another.")
            metadata.create_all(self.engine)
            kept = json.dumps({**settings, "guard": guard or {}})
            with self.engine.begin() as connection:
                row = connection.execute(select(tournament)).first()
                if row is None:
                    chosen = secrets.randbits(62) if seed is None else seed
                    values = {"seed": chosen, "settings": kept, "secret": secrets.token_hex(32)}
                    connection.execute(
                        tournament.insert().values(id=1, format=FORMAT, phase=OPEN, paused=False, **values)
                    )
                    return
        except SQLAlchemyError as error:
            raise CustomerError(f"{self.address} cannot be used: {first_line(error)}") from None
        self.check_same(row._mapping, seed, settings)
        self.set_tournament(settings=kept)

    def check_there(self) -> None:
        """Raise CustomerError when there is no tournament of this version in the database."""
        try:
            if not inspect(self.engine).has_table("tournament"):
                raise CustomerError(f"{self.address} holds no tournament; begin it there: customer host --workers")
            found = self.about()["format"]
        except SQLAlchemyError as error:
            raise CustomerError(f"{self.address} cannot be used: {first_line(error)}") from None
        if found != FORMAT:
            raise CustomerError(f"{self.address} holds a tournament of another version ({found}, this is {FORMAT}).")

    def check_same(self, row: Any, seed: int | None, settings: dict[str, Any]) -> None:
        """Raise CustomerError when the tournament in the database is another one than is meant."""
        other = f"{self.address} holds another tournament"
        if row["format"] != FORMAT:
            raise CustomerError(f"{other}: made by another version (format {row['format']}, this is {FORMAT}).")
        if seed is not None and seed != row["seed"]:
            raise CustomerError(f"{other}: its seed is not {seed}. Leave --seed out to go on, or choose a --database.")
        was = json.loads(row["settings"])
        if differ := [name for name in settings if json.loads(json.dumps(settings[name])) != was.get(name)]:
            raise CustomerError(f"{other}: {', '.join(differ)} differs from then. Choose another --database.")

    def about(self) -> dict[str, Any]:
        """Return the tournament's own row."""
        with self.engine.connect() as connection:
            return dict(connection.execute(select(tournament)).one()._mapping)

    def now(self) -> float:
        """Return the time of the database in seconds since 1970: the one clock that all machines share."""
        if self.engine.dialect.name == "sqlite":
            return time.time()
        with self.engine.connect() as connection:
            return float(connection.execute(select(func.extract("epoch", func.clock_timestamp()))).scalar_one())

    def set_tournament(self, **values: Any) -> None:
        """Change the tournament's own row."""
        with self.engine.begin() as connection:
            connection.execute(update(tournament).values(**values))

    def close(self) -> None:
        """Let the database go."""
        self.engine.dispose()


def first_line(error: BaseException) -> str:
    """Return what a driver says, without the statement."""
    original = getattr(error, "orig", None) or error
    return (str(original).strip() or type(original).__name__).splitlines()[0]
