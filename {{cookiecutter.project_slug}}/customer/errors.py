"""Every error the customer raises on purpose: shown as one line, exit code 1.

CustomerError    something a person can mend
└── NoPlayer     the player gave no usable answer, so there is no game to play
"""

from typing import Any


class CustomerError(Exception):
    """Something a person can mend: says what is wrong, where, and what to do."""


class NoPlayer(CustomerError):
    """The player gave no usable answer, so there is no game to play; `result` holds what was asked, if anything was."""

    result: Any = None
