"""Whether the customer of this tournament asks: its requests are signed with the key that was given when joining.

The signature is HMAC-SHA256 (RFC 2104) over the time, the path and the body. Without PLAYER_CUSTOMER_KEY everybody is
answered, as in a game on the own machine.
"""

import hashlib
import hmac
import logging
import time

from flask import request
from werkzeug.exceptions import Unauthorized

from player.config import Settings
from player.web.access import client

log = logging.getLogger(__name__)
SIGNED = ("api.predict", "api.feedback")
SECONDS = 300  # how far the two clocks may differ


def check(settings: Settings) -> None:
    """Stop a request for a prediction, or a label, that the customer has not signed just now."""
    if settings.customer_key is None or request.endpoint not in SIGNED:
        return
    key = settings.customer_key.get_secret_value()
    at, given = request.headers.get("X-Customer-Time", ""), request.headers.get("X-Customer-Signature", "")
    wanted = sign(key, at, request.path, request.get_data())
    if not hmac.compare_digest(given.encode(), wanted.encode()):
        refuse("not signed with the key of this tournament")
    if not at.isascii() or not at.isdecimal() or abs(time.time() - int(at[:12])) > SECONDS:
        refuse(f"signed more than {SECONDS} seconds ago; is the clock of one of the two machines wrong?")


def sign(key: str, at: str, path: str, body: bytes) -> str:
    """Return the signature that belongs to a request, as hexadecimal digits."""
    return hmac.new(key.encode(), f"{at}\n{path}\n".encode() + body, hashlib.sha256).hexdigest()


def refuse(why: str) -> None:
    """Stop the request, and say why."""
    log.warning("refused %s for %s: %s", request.path, client(), why)
    raise Unauthorized(f"This request is {why}.")
