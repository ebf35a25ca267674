"""Which model is current and which one was before: one small signed file, changed in one step."""

import contextlib
import json
import logging
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from filelock import FileLock
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from player.config import Settings
from player.errors import ModelMissing, ModelRefused
from player.model import trust
from player.model.files import read_once, write_whole
from player.model.manifests import folder

log = logging.getLogger(__name__)

POINTER = "current.json"


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Pointer:
    """Which model is current, and which one was before; *serial* grows with each change."""

    serial: int
    current: str
    previous: str | None


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
        trust.check_signature(as_signed(found), signature, settings, "The pointer to the current model")
        return Pointer(**found)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise ModelRefused(f"{path} is broken; `player rollback` or `player train` mend it.") from None


def readable_pointer(settings: Settings) -> Pointer | None:
    """Return the pointer, or None also when it is not ours: what replaces it needs not believe it."""
    try:
        return pointer(settings)
    except ModelRefused as refusal:
        log.warning("%s It will be replaced.", refusal)
        return None


def next_serial(old: Pointer | None) -> int:
    """Return a number higher than any before: the time, so that it grows also where the old pointer was lost."""
    return max(int(time.time()), old.serial + 1 if old else 0)


def point_to(new: Pointer, settings: Settings) -> None:
    """Write the pointer *new*, signed, in one step."""
    plain = asdict(new)
    signed = {**plain, "signature": trust.sign(as_signed(plain), settings)}
    write_whole(folder(settings) / POINTER, json.dumps(signed, indent=1).encode())


def as_signed(plain: dict[str, Any]) -> bytes:
    """Return a pointer as the bytes that are signed."""
    return json.dumps(plain, sort_keys=True).encode()


@contextlib.contextmanager
def one_at_a_time(settings: Settings) -> Iterator[None]:
    """Hold the lock under which the pointer changes."""
    place = folder(settings)
    place.mkdir(parents=True, exist_ok=True)
    with FileLock(place / ".lock"):
        yield
