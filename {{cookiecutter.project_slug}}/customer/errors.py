"""Every error the customer raises on purpose: shown as one line, exit code 1.

CustomerError    something a person can mend
└── NoPlayer     the player gave no usable answer, so there is no game to play
"""

import tomllib
from typing import Any


class CustomerError(Exception):
    """Something a person can mend: says what is wrong, where, and what to do."""


class NoPlayer(CustomerError):
    """The player gave no usable answer, so there is no game to play; `result` holds what was asked, if anything was."""

    result: Any = None


def reason(error: Exception) -> str:
    """Return why a file cannot be read or written, and what to do."""
    if isinstance(error, IsADirectoryError):
        return "a folder stands where a file should be: move it away"
    if isinstance(error, PermissionError):
        return "it belongs to somebody else and is closed to this user: give it to this user (chown, chmod)"
    if isinstance(error, tomllib.TOMLDecodeError | UnicodeDecodeError):
        return f"it is not valid TOML ({error}): correct it"
    return getattr(error, "strerror", None) or str(error)
