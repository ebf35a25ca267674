"""The players in the database: who is registered, where, and how everybody stands."""

import time
from dataclasses import dataclass

from sqlalchemy import Engine, func, select, update
from sqlalchemy.exc import IntegrityError

from customer.errors import CustomerError
from customer.host.events import note
from customer.host.tables import blocks, players

NEW, PLAYING, ASIDE, LEFT = "new", "playing", "set aside", "left"


@dataclass(frozen=True)
class PlayerRow:
    """A player as registered, and how it stands."""

    id: int
    name: str
    url: str
    label_key: str
    state: str
    why: str
    since: float
    first_block: int | None
    left_block: int | None


class Roster:
    """The registered players."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def add(self, name: str, name_key: str, url: str, url_key: str, label_key: str) -> PlayerRow:
        """Register a player; raises CustomerError when its name or address is taken."""
        row = {"name": name, "name_key": name_key, "url": url, "url_key": url_key, "label_key": label_key}
        with self.engine.begin() as connection:
            same = (players.c.name_key == name_key) | (players.c.url_key == url_key)
            if found := connection.execute(select(players).where(same)).first():
                if found.name_key == name_key:
                    raise CustomerError(f"There is a player named {found.name!r} already; choose another name.")
                raise CustomerError(f"{url} is registered already, by {found.name!r}; each player has its own address.")
            new = {"state": NEW, "why": "not tested yet", "since": time.time()}
            number = connection.execute(players.insert().values(**row, **new).returning(players.c.id)).scalar_one()
            note(connection, "joined", f"{name} joined", number)
        return next(each for each in self.players() if each.id == number)

    def move(self, player_id: int, url: str, url_key: str, label_key: str) -> None:
        """Let a player have another address; raises CustomerError when it is taken."""
        try:
            with self.engine.begin() as connection:
                values = {"url": url, "url_key": url_key, "label_key": label_key}
                connection.execute(update(players).where(players.c.id == player_id).values(**values))
                note(connection, "moved", f"moved to {url}", player_id)
        except IntegrityError:
            raise CustomerError(f"{url} is registered already, by another player.") from None

    def set_state(self, player_id: int, state: str, why: str) -> int | None:
        """Change how a player stands; one that plays for the first time plays from the next block on."""
        with self.engine.begin() as connection:
            this = players.c.id == player_id
            row = connection.execute(select(players).where(this)).one()
            newest = connection.execute(select(func.max(blocks.c.id))).scalar() or 0
            first = newest + 1 if state == PLAYING and row.first_block is None else row.first_block
            left = newest if state == LEFT else None
            values = {"state": state, "why": why, "since": time.time(), "first_block": first, "left_block": left}
            connection.execute(update(players).where(this).values(**values))
            if state != row.state:
                note(connection, state, f"{row.name}: {state}{f' ({why})' if why else ''}", player_id)
        return first

    def players(self) -> list[PlayerRow]:
        """Return all players, in the order they came."""
        wanted = [players.c[name] for name in PlayerRow.__dataclass_fields__]
        with self.engine.connect() as connection:
            return [PlayerRow(*row) for row in connection.execute(select(*wanted).order_by(players.c.id))]
