"""The named keys of a service: a file of hashes, one a line with the name of its owner."""

import hashlib
import re

from player.errors import ConfigError

LINE = re.compile(r"([0-9a-f]{64}) ([A-Za-z0-9][A-Za-z0-9_.-]{0,63})")


def fingerprint(key: str) -> str:
    """Return what is kept of a key: its SHA-256. A key is random and long, so nobody finds it from that."""
    return hashlib.sha256(key.encode("utf-8", "backslashreplace")).hexdigest()


def read_api_keys(text: str) -> dict[str, str]:
    """Return the named keys in *text*, one a line: SHA-256 -> name; raises ConfigError."""
    found = {}
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        parts = LINE.fullmatch(line.strip())
        if parts is None:
            raise ConfigError(f"PLAYER_API_KEYS: {line[:20]!a} is no line of `player keys add NAME`.")
        found[parts[1]] = parts[2]
    return found
