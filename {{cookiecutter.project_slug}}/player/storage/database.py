"""Talking to a database that may be slow, frozen or gone: waiting has an end, and errors hold no password."""

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from threading import Thread
from typing import ParamSpec, TypeVar
from urllib.parse import quote, quote_plus, unquote

from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from player.config import Settings
from player.settings import addresses, remedies
from player.settings.addresses import secrets_in

P = ParamSpec("P")
T = TypeVar("T")


def within(seconds: float, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return `function(…)`, or raise TimeoutError after *seconds*; it then goes on in its own thread, unheard.

    A frozen server keeps its connections open and says nothing, so no timeout of the driver ends the wait.
    """
    answer: Future[T] = Future()

    def call() -> None:
        try:
            answer.set_result(function(*args, **kwargs))
        except BaseException as error:
            answer.set_exception(error)

    Thread(target=call, name="database", daemon=True).start()
    try:
        return answer.result(seconds)
    except TimeoutError:
        raise TimeoutError(f"no answer within {seconds:g} s") from None


def explain(error: BaseException, settings: Settings) -> str:
    """Return the first line of *error* without the statement, its values, or the password.

    What a driver says of a statement may quote a value: where values must not be seen, only its kind is returned.
    """
    original = error.orig if isinstance(error, DBAPIError) and error.orig else error
    if isinstance(error, DBAPIError) and error.statement and not settings.logging.show_values:
        return f"{type(original).__name__} in a statement"
    text = (str(original).strip() or type(original).__name__).splitlines()[0]
    return hide_password(text, settings)


def advise(error: BaseException, settings: Settings) -> str:
    """Return the first line of *error*, as `explain` does, and what to do about it."""
    remedy = remedies.of_database(error, sqlite_path(settings))
    return f"{explain(error, settings)} ({remedy})" if remedy else explain(error, settings)


def hide_password(text: str, settings: Settings) -> str:
    """Return *text* with what opens the database masked, however it is written."""
    for secret in secrets_in(settings.database_url.get_secret_value()):
        for form in {secret, quote(secret), quote_plus(secret)}:
            text = text.replace(form, "***")
    return text


def shown_url(settings: Settings) -> str:
    """Return the database's address as it may be shown: a file by its path."""
    shown = addresses.shown_url(settings.database_url.get_secret_value())
    return unquote(shown) if sqlite_path(settings) else shown


def sqlite_path(settings: Settings) -> Path | None:
    """Return the file of a SQLite database; None when the database is a server."""
    url = make_url(settings.database_url.get_secret_value())
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None
