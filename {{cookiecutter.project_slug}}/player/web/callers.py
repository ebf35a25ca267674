"""Who calls: by the key that came with a request, else by the address of the other side."""

import ipaddress
from functools import lru_cache

from player.config import Settings
from player.settings.api_keys import fingerprint, read_api_keys


def known_keys(settings: Settings) -> dict[str, str]:
    """Return every key that opens this service: SHA-256 -> who it belongs to."""
    found = {each: f"key {name}" for each, name in read_api_keys(settings.api_keys).items()}
    if settings.api_key and settings.api_key.get_secret_value():
        own = fingerprint(settings.api_key.get_secret_value())
        found.setdefault(own, f"key {own[:8]}")
    return found


@lru_cache(maxsize=4096)  # the same few ask again and again
def plain_address(text: str | None) -> str:
    """Return *text* when it is an address, else "unknown": what a proxy passes on may be anything.

    >>> plain_address("::1"), plain_address("<script>")
    ('::1', 'unknown')
    """
    try:
        return str(ipaddress.ip_address((text or "").partition("%")[0]))
    except ValueError:
        return "unknown"
