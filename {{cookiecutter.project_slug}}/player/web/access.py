"""Who may do what: the key, requests that other sites send, and the name each request goes by."""

import hashlib
import hmac
import logging

from flask import abort, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Unauthorized

from player import logging_config
from player.config import Settings
from player.web import payload

log = logging.getLogger(__name__)

OPEN = (
    "api.predict",
    "api.live",
    "api.ready",
    "api.version",
    "api.openapi",
    "contract.show",
    "dashboard.static",
)


def client() -> str:
    """Say who asks: the address of the other side."""
    return request.remote_addr or "unknown"


def given_key() -> str:
    """Return the key that came with the request, as bearer token or as the password of a browser's login."""
    given = request.authorization
    return (given.token or given.password or "") if given else ""


def sender() -> str:
    """Name whose labels these are: a fingerprint of the key they came with, or the address without one."""
    key = given_key()
    return f"key {hashlib.sha256(key.encode()).hexdigest()[:8]}" if key else client()


def name_request() -> None:
    """Give the log lines of this request its id: the one it brought in X-Request-ID until a better one is known."""
    logging_config.request_id.set(payload.printable(request.headers.get("X-Request-ID", "-")[: payload.LONGEST_ID]))


def check_key(settings: Settings) -> None:
    """Stop a request that needs the key and does not have it."""
    if not settings.access.key_required or request.endpoint in OPEN or request.endpoint is None:
        return
    wanted = settings.api_key.get_secret_value() if settings.api_key else ""
    # Compared as bytes in constant time: the time of a refusal must not tell how much of a guess was right.
    if not wanted or not hmac.compare_digest(given_key().encode(), wanted.encode()):
        log.warning("refused %s for %s: no or wrong key", request.path, client())
        raise Unauthorized("Send the key: Authorization: Bearer KEY.", www_authenticate=WWWAuthenticate("basic"))


def check_origin() -> None:
    """Stop a browser that another site sent here."""
    origin = request.headers.get("Origin")
    if request.method not in ("GET", "HEAD", "OPTIONS") and origin and origin.partition("://")[2] != request.host:
        abort(403, "Requests from other sites are refused.")
