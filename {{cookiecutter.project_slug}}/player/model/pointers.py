"""Which model is current and which one was before: one small signed file, changed in one step."""

import contextlib
import json
import logging
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from filelock import FileLock, Timeout
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from player.config import Settings
from player.errors import ModelError, ModelMissing, ModelRefused
from player.model.files import read_once, write_whole
from player.model.manifests import folder
from player.trust import signatures

log = logging.getLogger(__name__)

POINTER = "current.json"
KIND = "pointer"
WAIT_SECONDS = 10.0  # for another command that changes the pointer: it takes a moment


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Pointer:
    """Which model is current, and which one was before; *serial* grows with each change.

    The versions that are *revoked* never become current again, and never answer as the one before.
    """

    serial: int
    current: str
    previous: str | None
    revoked: tuple[str, ...] = ()


def pointer(settings: Settings) -> Pointer | None:
    """Return which model is current, None when there is none yet; raises ModelRefused when the pointer is not ours."""
    path = folder(settings) / POINTER
    try:
        content = read_once(path, 10_000)
    except ModelMissing:
        return None
    try:
        found = json.loads(content)
        signature = str(found.pop("signature"))
        signatures.check_signature(as_signed(found), KIND, signature, settings, "The pointer to the current model")
        found = Pointer(**found)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise ModelRefused(f"{path} is broken; `player promote` or `player train` makes a new one.") from None
    newest = newest_serial(settings)
    if found.serial < newest:
        raise ModelRefused(
            f"The pointer to the current model is an old one that somebody put back (change {found.serial}, the newest "
            f"was {newest}); `player -e {settings.environment} promote` makes a new one."
        )
    return found


def newest_serial(settings: Settings) -> int:
    """Return the number of the newest change, which is kept beside the keys: who puts back an old pointer has no key.

    0 where it is not kept, as in development without keys; raises ModelRefused when the file holds something else.
    """
    path = settings.path(settings.model.serial_file)
    try:
        return int(read_once(path, 100))
    except ModelMissing:
        return 0
    except ValueError:
        raise ModelRefused(
            f"{path} holds no number; whoever has the signing key writes the newest one into it."
        ) from None


def readable_pointer(settings: Settings) -> Pointer | None:
    """Return the pointer, or None also when it is not ours: what replaces it needs not believe it."""
    try:
        return pointer(settings)
    except ModelRefused as refusal:
        log.warning("%s It will be replaced.", refusal)
        return None


def revoked(settings: Settings) -> tuple[str, ...]:
    """Return the versions that may not run here; none where the pointer, which lists them, cannot be believed."""
    with contextlib.suppress(ModelRefused):
        active = pointer(settings)
        return active.revoked if active else ()
    return ()


def next_serial(old: Pointer | None, settings: Settings) -> int:
    """Return a number higher than any before: the time, so that it grows also where the old pointer was lost."""
    return max(int(time.time()), old.serial + 1 if old else 0, newest_serial(settings) + 1)


def point_to(new: Pointer, settings: Settings) -> None:
    """Write the pointer *new*, signed, in one step."""
    plain = asdict(new)
    signed = {**plain, "signature": signatures.sign(as_signed(plain), KIND, settings)}
    write_whole(folder(settings) / POINTER, json.dumps(signed, indent=1).encode())
    if signed["signature"]:
        keep_serial(new.serial, settings)


def keep_serial(serial: int, settings: Settings) -> None:
    """Note the number of the newest change where a service only reads."""
    path = settings.path(settings.model.serial_file)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(path, str(max(serial, newest_serial(settings))).encode())
    except OSError as error:
        log.warning("%s cannot be written (%s): an old pointer could be put back unseen", path, error.strerror)


def as_signed(plain: dict[str, Any]) -> bytes:
    """Return a pointer as the bytes that are signed."""
    return json.dumps(plain, sort_keys=True).encode()


@contextlib.contextmanager
def one_at_a_time(settings: Settings) -> Iterator[None]:
    """Hold the lock under which the pointer changes; raises ModelError when somebody else holds it for long."""
    place = folder(settings)
    place.mkdir(parents=True, exist_ok=True)
    try:
        held = FileLock(place / ".lock", timeout=WAIT_SECONDS).acquire()
    except Timeout as error:
        raise ModelError(f"Another command holds {error.lock_file} and does not let go: end it, or wait.") from None
    with held:
        yield
