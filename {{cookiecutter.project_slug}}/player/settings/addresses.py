"""Addresses of databases as they may be shown: without what opens them, wherever in the address it stands."""

import re
from typing import Any

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

SECRET = re.compile("pass|secret|key|token", re.IGNORECASE)


def shown_url(text: str) -> str:
    """Return the address *text* with its password, and every argument that may be one, as stars.

    >>> shown_url("postgresql://me:word@host/name?sslpassword=word&connect_timeout=3")
    'postgresql://me:***@host/name?connect_timeout=3&sslpassword=***'
    """
    try:
        url = make_url(text)
    except ArgumentError:
        return "***"
    hidden = {name: "***" for name in url.query if SECRET.search(name)}
    shown = url.set(query={**dict(sorted(url.query.items())), **hidden})
    return shown.render_as_string(hide_password=True).replace("%2A%2A%2A", "***")


def masked_url(value: Any) -> Any:
    """Return a setting's *value*, and when it is the address of a database, what may be shown of it."""
    return shown_url(value) if isinstance(value, str) and "://" in value and "{" not in value else value


def secrets_in(text: str) -> list[str]:
    """Return what must not be shown of the address *text*: its password, and every argument that may be one."""
    url = make_url(text)
    found = [url.password or ""]
    for name, value in url.query.items():
        if SECRET.search(name):
            found += [value] if isinstance(value, str) else list(value)
    return [str(each) for each in found if each]
