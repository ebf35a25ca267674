"""What is said of a database: enough to mend it, and nothing that opens it or quotes a row."""

import sqlite3
import time
from threading import Event

import pytest
from sqlalchemy.exc import DBAPIError, OperationalError

from player.config import Settings
from player.storage.database import advise, explain, hide_password, shown_url, sqlite_path, within
from tests.storage_rows import with_database

SECRET = "p@ss wörd"
SERVER = "postgresql+psycopg://player:p%40ss%20w%C3%B6rd@db.example/player"
QUOTED = 'invalid value "Zoe, 42"\nDETAIL: the whole row'


def shown(settings: Settings, values: bool) -> Settings:
    """Return *settings* in which values may be seen, or not."""
    return settings.model_copy(update={"logging": settings.logging.model_copy(update={"show_values": values})})


def in_statement(text: str) -> DBAPIError:
    """Return what SQLAlchemy raises for a statement that the driver refuses with *text*."""
    return OperationalError("INSERT INTO predictions VALUES (:a)", {"a": "Zoe, 42"}, sqlite3.OperationalError(text))


@pytest.mark.parametrize(
    ("values", "said"), [(True, 'invalid value "Zoe, 42"'), (False, "OperationalError in a statement")]
)
def test_a_value_in_an_error_is_only_said_where_values_may_be(settings: Settings, values: bool, said: str) -> None:
    """The first line of it, without the statement."""
    assert said == explain(in_statement(QUOTED), shown(settings, values))


@pytest.mark.parametrize("values", [True, False])
def test_an_error_outside_of_a_statement_holds_no_value(settings: Settings, values: bool) -> None:
    """What stops a connection has to be known everywhere."""
    away = OperationalError(None, None, sqlite3.OperationalError("unable to open database file"))  # type: ignore[arg-type]

    assert "unable to open database file" == explain(away, shown(settings, values))
    assert "the disk" == explain(OSError("the disk\nof the machine"), shown(settings, values))
    assert "TimeoutError" == explain(TimeoutError(), shown(settings, values))


def test_a_remedy_is_added_where_one_is_known(settings: Settings) -> None:
    """Else the error stands alone."""
    missing = in_statement("no such table: predictions")

    assert "no such table: predictions (a table is not there: run `player db upgrade`)" == advise(
        missing, shown(settings, True)
    )
    (settings.home / "output" / "testing.db").touch()
    assert "it is odd" == advise(in_statement("it is odd"), shown(settings, True))


@pytest.mark.parametrize("form", [SECRET, "p%40ss%20w%C3%B6rd", "p%40ss+w%C3%B6rd"], ids=["plain", "address", "form"])
def test_a_password_is_hidden_however_it_is_written(settings: Settings, form: str) -> None:
    """Drivers quote the address, decoded or not."""
    one = with_database(settings, SERVER)

    assert "no user with ***, really ***" == hide_password(f"no user with {form}, really {form}", one)
    assert "connection to *** failed" == explain(OSError(f"connection to {form} failed"), one)


def test_where_the_database_is_can_be_shown(settings: Settings) -> None:
    """A file by its path as people write it, a server without its password."""
    path = settings.home / "output" / "testing.db"

    assert (path, None) == (sqlite_path(settings), sqlite_path(with_database(settings, SERVER)))
    assert str(path) in shown_url(settings)
    assert "db.example" in shown_url(with_database(settings, SERVER))
    for part in (SECRET, "p%40ss"):
        assert part not in shown_url(with_database(settings, SERVER))


def test_waiting_has_an_end() -> None:
    """Whatever the server does; what comes in time is the answer, an error as it is."""
    frozen = Event()
    began = time.monotonic()
    with pytest.raises(TimeoutError, match=r"no answer within 0.05 s"):
        within(0.05, frozen.wait, 30)
    assert time.monotonic() - began < 20
    frozen.set()

    assert 7 == within(30, divmod, 71, 10)[0]
    with pytest.raises(ZeroDivisionError):
        within(30, divmod, 1, 0)
