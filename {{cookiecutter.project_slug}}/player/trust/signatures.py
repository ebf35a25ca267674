"""Who signed what: Ed25519 (RFC 8032). A private key signs; a public key only tells whether it did.

A service is given public keys alone: who takes it over can still not sign a model. Signed are the name of the
environment, what kind of thing it is, and its bytes, so that nothing signed for one place or purpose counts in another.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from player.config import Settings
from player.errors import ModelRefused
from player.settings.public_keys import own_key, private_key, trusted_keys

SIGNATURE = re.compile("[0-9a-f]{128}")
SIGNED_BEFORE = re.compile("[0-9a-f]{64}")  # HMAC-SHA256, as older projects signed


def to_sign(content: bytes, kind: str, environment: str) -> bytes:
    """Return the bytes that are signed for *content*."""
    return b"\n".join((b"player", environment.encode(), kind.encode(), content))


def sign(content: bytes, kind: str, settings: Settings, key: str = "") -> str:
    """Return the signature of *content* by *key*, or by the environment's own; "" when there is none."""
    key = key or own_key(settings)
    return private_key(key).sign(to_sign(content, kind, settings.environment)).hex() if key else ""


def signer(content: bytes, kind: str, signature: str, environment: str, keys: Iterable[str]) -> str | None:
    """Return which of the public *keys* belongs to the *signature* of *content*, None when none does."""
    if not SIGNATURE.fullmatch(signature):
        return None
    for key in keys:
        try:
            public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))
            public.verify(bytes.fromhex(signature), to_sign(content, kind, environment))
        except (InvalidSignature, ValueError):
            continue
        return key
    return None


def check_signature(content: bytes, kind: str, signature: str, settings: Settings, name: str) -> bool:
    """Tell whether *content* is signed; raises ModelRefused when it is not and unsigned files are not allowed here.

    Where there is a key, no signature is as bad as a wrong one: else whoever can write a file takes its signature away.
    """
    keys = trusted_keys(settings)
    if signer(content, kind, signature, settings.environment, keys):
        return True
    if keys or settings.strict or not settings.model.allow_unsigned:
        rule = f" {settings.environment.capitalize()} runs approved models only." if settings.strict else ""
        raise ModelRefused(f"{name} {what_is_wrong(signature, keys, settings)}.{rule}")
    return False


def what_is_wrong(signature: str, keys: list[str], settings: Settings) -> str:
    """Return why a *signature* does not count here, and what to do."""
    if not signature:
        why = f", although {settings.environment} has a key" if keys else ""
        return f"is not signed{why}; train or promote it again"
    if SIGNED_BEFORE.fullmatch(signature):
        return (
            "is signed the way of an older version of this project (HMAC), which counts no more; "
            f"`player -e {settings.environment} keys resign`, where the signing key is, signs it again"
        )
    if not keys:
        return f"is signed, but {settings.environment} has no key to check it with; `player keys` prints what to set"
    reason = "was changed after it was signed, or has a signature that is not ours for this environment"
    return f"{reason}; train or promote it again"


def signed_before(content: bytes, signature: str, settings: Settings) -> bool:
    """Tell whether *signature* is the one that an older version of this project made with the same key."""
    message = settings.environment.encode() + b"\n" + content
    expected = hmac.new(own_key(settings).encode(), message, hashlib.sha256).hexdigest()
    return bool(own_key(settings)) and hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace"))
