"""The models of an environment as signed files: which version is current, how that changes, and what is taken back."""

import contextlib
import logging
from typing import Any

from player.config import Settings
from player.errors import ModelError, ModelMissing, ModelRefused
from player.model import records
from player.model.manifests import Manifest, fingerprint, folder, put, read_manifest, read_part, read_signed
from player.model.pointers import (
    POINTER,
    Pointer,
    next_serial,
    one_at_a_time,
    point_to,
    pointer,
    readable_pointer,
    revoked,
)
from player.trust import provenance

__all__ = [
    "POINTER",
    "Manifest",
    "Pointer",
    "activate",
    "check_current",
    "current_manifest",
    "fingerprint",
    "folder",
    "point_to",
    "pointer",
    "put",
    "read_manifest",
    "revoke",
    "rollback",
    "take_over",
    "verify",
    "versions",
]

log = logging.getLogger(__name__)


def verify(version: str, settings: Settings) -> tuple[Manifest, bytes]:
    """Return manifest and pickle of *version*, checked but not unpickled; raises ModelMissing or ModelRefused."""
    name = f"Model {version}"
    manifest, _ = read_signed(version, settings)
    data = read_part(folder(settings) / f"{version}.pkl", settings.model.max_bytes)
    provenance.check_hash(data, manifest.sha256, name)
    provenance.check_versions(manifest.libraries, settings, name)
    if version in revoked(settings):
        raise ModelRefused(f"{name} was revoked in {settings.environment}; it never runs there again.")
    return manifest, data


def activate(version: str, settings: Settings) -> Pointer:
    """Make *version* the current model, the one before it the fallback; both appear at once or not at all.

    Raises ModelMissing or ModelRefused, and changes nothing, when its files are not what they must be.
    """
    verify(version, settings)
    with one_at_a_time(settings):
        old = readable_pointer(settings)
        if old and old.current == version:
            return old
        before = old.current if old and old.current not in old.revoked else None
        new = Pointer(next_serial(old, settings), version, before, old.revoked if old else ())
        point_to(new, settings)
    return new


def take_over(manifest: Manifest, settings: Settings, who: str, why: str, **more: Any) -> dict[str, Any]:
    """Record that *manifest* becomes current here, by *who* and *why*, make it so, and return the record.

    Every command that makes a model current comes through here. Raises ModelRefused without a reason where one is
    needed, and where two people must agree and *more* has no two `approvals`.
    """
    if settings.strict and settings.promotion.reason_required and not why.strip():
        raise ModelRefused(f'Say why a model becomes current in {settings.environment}: --reason "…".')
    if settings.two_people and len(more.get("approvals", ())) < 2:
        raise ModelRefused(how_two_people_activate(manifest.version, settings))
    verify(manifest.version, settings)
    active = readable_pointer(settings)
    more = {"replaces": active.current if active else None, **more}
    found = records.describe(manifest, settings, who, why, records.APPROVED, **more)
    records.append(settings, found)
    activate(manifest.version, settings)
    return found


def how_two_people_activate(version: str, settings: Settings) -> str:
    """Return what to type where a model does not become current by one person's decision."""
    command = f"player promote {settings.environment} --version {version}"
    return f"Two people make it current: `{command} --reason …`, then another one the same with --approve."


def rollback(settings: Settings) -> Pointer:
    """Make the previous model the current one again; raises ModelMissing when there is none."""
    with one_at_a_time(settings):
        old = pointer(settings)
        if old is None or old.previous is None:
            raise ModelMissing(
                f"{settings.environment} has no previous model to go back to; `player promote` or `player train` "
                "brings a new one."
            )
        verify(old.previous, settings)
        new = Pointer(next_serial(old, settings), old.previous, old.current, old.revoked)
        point_to(new, settings)
    return new


def revoke(version: str, settings: Settings) -> Pointer:
    """Let *version* never run here again; when it is the current one, the one before takes over.

    Raises ModelMissing when there is no other that could.
    """
    with one_at_a_time(settings):
        old = pointer(settings)
        if old is None or (version == old.current and old.previous is None):
            raise ModelMissing(f"{settings.environment} has no other model; promote one first, then revoke {version}.")
        current = old.previous if version == old.current and old.previous else old.current
        verify(current, settings)
        before = old.previous if old.previous not in (current, version) else None
        new = Pointer(next_serial(old, settings), current, before, tuple(sorted({*old.revoked, version})))
        point_to(new, settings)
    return new


def current_manifest(settings: Settings) -> Manifest:
    """Return the manifest of the current model; raises ModelMissing when there is none yet."""
    active = pointer(settings)
    if active is None:
        raise ModelMissing(f"{settings.environment} has no model yet; run `player train`.")
    return read_manifest(active.current, settings)


def check_current(settings: Settings) -> None:
    """Raise ModelMissing or ModelRefused when the current model may not run here; warn when it is not signed."""
    manifest, _ = verify(current_manifest(settings).version, settings)
    if not read_signed(manifest.version, settings)[1]:
        log.warning("Model %s is not signed; %s allows that", manifest.version, settings.environment)


def versions(settings: Settings) -> list[Manifest]:
    """Return the manifests of all models of this environment that may be read, newest first."""
    found = []
    for path in sorted(folder(settings).glob("2*.json"), reverse=True):
        with contextlib.suppress(ModelError):
            found.append(read_manifest(path.stem, settings))
    return found
