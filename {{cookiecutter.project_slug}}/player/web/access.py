"""Who may do what: the key, requests that other sites send, and the name each request goes by."""

import logging
from collections.abc import Mapping

from flask import abort, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Unauthorized

from player import logging_config
from player.config import Settings
from player.settings.api_keys import fingerprint
from player.storage.columns import printable
from player.web import callers, payload

log = logging.getLogger(__name__)

COUNTED_BYTES = 4096
OPEN = (
    "api.predict",
    "api.live",
    "api.ready",
    "api.version",
    "api.openapi",
    "contract.show",
    "dashboard.static",
    "front_door.show",
)


def client() -> str:
    """Say where a request comes from: the address of the other side, or the one that a trusted proxy names."""
    return callers.plain_address(request.remote_addr)


def given_key() -> str:
    """Return the key that came with the request, as bearer token or as the password of a browser's login."""
    given = request.authorization
    return (given.token or given.password or "") if given else ""


def caller(known: Mapping[str, str]) -> str:
    """Name who asks, and whose labels these are: the owner of the key that came, or the address without one."""
    key = given_key()
    return known.get(fingerprint(key), f"key {fingerprint(key)[:8]}") if key else client()


def weight() -> int:
    """Return for how many requests this one counts: for one, and for one more with each 4 kB that it has."""
    return 1 + ((request.content_length or 0) + len(request.query_string)) // COUNTED_BYTES


def name_request() -> None:
    """Give the log lines of this request the name it brought in X-Request-ID, for those who follow it across systems.

    It is a name for logs and nothing else: proxies pass the same one on for several requests.
    """
    logging_config.request_id.set(printable(request.headers.get("X-Request-ID", "-")[: payload.LONGEST_ID]))


def check_key(settings: Settings, known: Mapping[str, str]) -> None:
    """Stop a request that needs a key and does not bring one of those that are *known*."""
    if not settings.access.key_required or request.endpoint is None:
        return
    is_open = request.endpoint in OPEN and not (request.endpoint == "api.predict" and settings.predict_needs_key)
    if is_open:
        return
    # What is looked up is the hash: the time of a refusal tells nothing about a key.
    if fingerprint(given_key()) not in known:
        log.warning("refused %s for %s: no or wrong key", request.path, client())
        login = WWWAuthenticate("basic", {"realm": "any user name, and the API key as the password"})
        how = (
            "Send the key: Authorization: Bearer KEY. In a browser: any user name, and the key as the password. "
            "It is what PLAYER_API_KEY holds, or the file that PLAYER_API_KEY_FILE names."
        )
        raise Unauthorized(how, www_authenticate=login)


def check_origin() -> None:
    """Stop a browser that another site sent here."""
    origin = request.headers.get("Origin")
    if request.method not in ("GET", "HEAD", "OPTIONS") and origin and origin.partition("://")[2] != request.host:
        abort(403, "Requests from other sites are refused.")
