"""When a model file may be trusted: read once, signed with our key, made with our versions.

Nothing is unpickled here.
"""

import hashlib
import hmac
import logging
import os
import platform
import stat
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from player.config import Settings
from player.errors import ModelMissing, ModelRefused

log = logging.getLogger(__name__)

LIBRARIES = ("scikit-learn", "numpy", "scipy", "pandas")
MUST_BE_EQUAL = ("python", "scikit-learn", "numpy")


def read_once(path: Path, most_bytes: int) -> bytes:
    """Return the content of *path*, which must be a regular file of at most *most_bytes*.

    What is checked later is these bytes, never the file again: nobody can swap it in between. Raises ModelMissing
    when there is none, ModelRefused for a link, a pipe, a device or too large a file.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        raise ModelMissing(f"{path} does not exist.") from None
    except OSError as error:
        raise ModelRefused(f"{path} cannot be opened as a plain file ({error.strerror}).") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ModelRefused(f"{path} is not a regular file.")
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise ModelRefused(f"{path} is larger than {most_bytes} bytes ([model].max_bytes).")
    return content


def sign(content: bytes, settings: Settings) -> str:
    """Return the signature of *content* for this environment, or "" when there is no key.

    HMAC-SHA256 (RFC 2104) over the environment's name and the content, so that a file signed for acceptance
    is not signed for production.
    """
    if settings.signing_key is None or not settings.signing_key.get_secret_value():
        return ""
    key = settings.signing_key.get_secret_value().encode()
    return hmac.new(key, settings.environment.encode() + b"\n" + content, hashlib.sha256).hexdigest()


def check_signature(content: bytes, signature: str, settings: Settings, name: str) -> bool:
    """Tell whether *content* is signed; raises ModelRefused when it is not and unsigned files are not allowed here.

    A wrong signature is refused everywhere a key is set: somebody changed the file, or the key.
    """
    expected = sign(content, settings)
    if expected and signature and hmac.compare_digest(expected, signature):
        return True
    if not settings.model.allow_unsigned:
        reason = "is not signed" if not signature else "has a signature that is not ours for this environment"
        raise ModelRefused(f"{name} {reason}; {settings.environment} runs approved models only.")
    if expected and signature:
        raise ModelRefused(f"{name} was changed after it was signed, or signed with another key.")
    return False


def check_hash(data: bytes, sha256: str, name: str) -> None:
    """Raise ModelRefused when *data* are not the bytes that the manifest describes."""
    if not hmac.compare_digest(hashlib.sha256(data).hexdigest(), sha256):
        raise ModelRefused(f"{name} is not the file its manifest describes (another SHA-256).")


def versions() -> dict[str, str]:
    """Return the versions a pickle depends on: Python (major.minor) and the libraries."""
    found = {name: metadata.version(name) for name in LIBRARIES}
    return {"python": ".".join(platform.python_version_tuple()[:2]), **found}


def check_versions(made_with: Mapping[str, str], settings: Settings, name: str) -> None:
    """Raise ModelRefused (acceptance, production) or warn when *made_with* differs from what runs here.

    scikit-learn only warns when it unpickles the model of another version, and may then answer wrongly.
    """
    here = versions()
    differ = [
        f"{lib} {made_with.get(lib)} (here {here[lib]})" for lib in MUST_BE_EQUAL if made_with.get(lib) != here[lib]
    ]
    if differ and settings.strict:
        raise ModelRefused(f"{name} was made with {', '.join(differ)}; train it again with the versions of this place.")
    if differ:
        log.warning("%s was made with %s; it may answer wrongly", name, ", ".join(differ))
