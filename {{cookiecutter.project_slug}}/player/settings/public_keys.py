"""Private and public keys as text, and which of them count in an environment."""

import hashlib
import re
from typing import TYPE_CHECKING

from player.errors import ConfigError
from player.settings.sections import Settings

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PUBLIC_KEY = re.compile("[0-9a-f]{64}")


def private_key(text: str) -> "Ed25519PrivateKey":
    """Return the private key that a random *text* of at least 32 characters stands for."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"player signing key\n" + text.encode()).digest())


def public_key_of(text: str) -> str:
    """Return the public key, 64 hexadecimal digits, of the private key *text*."""
    return private_key(text).public_key().public_bytes_raw().hex()


def read_public_keys(text: str, name: str) -> dict[str, str]:
    r"""Return the public keys in *text*, one a line with its owner behind it: key -> owner; raises ConfigError.

    >>> read_public_keys("# approvers\n" + "ab" * 32 + " Ann de Vries", "PLAYER_APPROVERS")["ab" * 32]
    'Ann de Vries'
    """
    found = {}
    for line in text.splitlines():
        key, _, owner = line.partition("#")[0].strip().partition(" ")
        if not key:
            continue
        if not PUBLIC_KEY.fullmatch(key):
            raise ConfigError(
                f"{name}: {line[:20]!a} does not begin with a public key; `player keys` writes such lines."
            )
        found[key] = owner.strip()
    return found


def own_key(settings: Settings) -> str:
    """Return the private key of this environment, "" where there is none: most places only check."""
    return settings.signing_key.get_secret_value() if settings.signing_key else ""


def trusted_keys(settings: Settings) -> list[str]:
    """Return the public keys whose signatures count in this environment: those it was given, else that of its own."""
    if settings.public_keys.strip():
        return list(read_public_keys(settings.public_keys, "PLAYER_PUBLIC_KEYS"))
    return [public_key_of(own_key(settings))] if own_key(settings) else []


def approvers(settings: Settings) -> dict[str, str]:
    """Return who may ask for and approve a promotion: public key -> name."""
    return read_public_keys(settings.approvers, "PLAYER_APPROVERS")
