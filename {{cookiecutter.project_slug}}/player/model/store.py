"""The models of an environment: saved as a new version, made current, loaded after every check, taken back."""

import contextlib
import hashlib
import json
import logging
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from player.config import Settings
from player.errors import ModelError, ModelMissing, ModelRefused
from player.features import Schema
from player.model import kept_rows, records
from player.model.files import read_once, write_whole
from player.model.manifests import MEND, Manifest, fingerprint, folder, put, read_manifest, read_part, read_signed
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
from player.training import Trained
from player.trust import provenance, signatures
from player.trust.libraries import packages
from player.trust.pickler import dumps
from player.trust.trial import try_model
from player.trust.unpickler import loads, names_used

__all__ = [
    "POINTER",
    "Manifest",
    "Model",
    "Pointer",
    "activate",
    "check_current",
    "current_manifest",
    "fingerprint",
    "folder",
    "load",
    "open_model",
    "point_to",
    "pointer",
    "put",
    "read_manifest",
    "revoke",
    "rollback",
    "save",
    "take_over",
    "try_once",
    "verify",
    "versions",
]

log = logging.getLogger(__name__)

RECEIPT = "receipt"


@dataclass(frozen=True)
class Model:
    """A loaded model: the pipeline, what is known about it, and what it takes."""

    pipeline: Any
    manifest: Manifest
    schema: Schema


def save(trained: Trained, settings: Settings, note: str = "") -> Manifest:
    """Write *trained* as a new version, signed when there is a key, and return its manifest; it is not current yet.

    Raises ModelRefused, and writes nothing, when the model could not be loaded again or does not answer its own
    examples.
    """
    data = dumps(trained.pipeline)
    names = names_used(data, settings.model.libraries)
    now, sha256 = datetime.now(UTC), hashlib.sha256(data).hexdigest()
    active = readable_pointer(settings)
    manifest = Manifest(
        version=f"{now:%Y%m%d-%H%M%S}-{sha256[:8]}",
        created_at=now.isoformat(timespec="seconds"),
        sha256=sha256,
        size=len(data),
        libraries=provenance.versions(packages(names)),
        globals=names,
        schema=trained.schema.to_dict(),
        classes=trained.classes,
        prior=trained.prior,
        profile=trained.profile,
        metrics=trained.metrics,
        rows=trained.rows,
        examples=trained.examples,
        parent=active.current if active else None,
        note=note,
    )
    try_once(manifest, data, settings)
    put(manifest, data, settings)
    if said := kept_rows.warning(names, settings):
        log.warning("%s", said)
    return manifest


def try_once(manifest: Manifest, data: bytes, settings: Settings) -> None:
    """Try the model in a process of its own, unless just this one passed here before; raises ModelRefused.

    A receipt, signed like a model by whoever saves it, saves every worker and every restart the seconds of a trial.
    """
    path = folder(settings) / f"{manifest.version}.tried"
    described = json.dumps(
        [asdict(manifest), provenance.versions(provenance.further_in(manifest.libraries))], sort_keys=True
    ).encode()
    passed = hashlib.sha256(described).hexdigest().encode()
    with contextlib.suppress(ModelError):
        tried, _, signature = read_once(path, 10_000).partition(b"\n")
        name = f"The receipt {path.name}"
        signatures.check_signature(passed, RECEIPT, signature.decode("ascii", "replace"), settings, name)
        if tried == passed:
            return
    try_model(data, asdict(manifest), settings.model)
    with contextlib.suppress(OSError):  # a service may not write to its models: then each start tries again
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, passed + b"\n" + signatures.sign(passed, RECEIPT, settings).encode())


def load(version: str, settings: Settings) -> Model:
    """Return the model *version*, after every check; raises ModelMissing or ModelRefused with the reason.

    Signature, hash and versions are checked before a byte is unpickled, and the model answers its examples in a
    process of its own before it is unpickled here.
    """
    return open_model(*verify(version, settings), settings)


def open_model(manifest: Manifest, data: bytes, settings: Settings) -> Model:
    """Return the model in the pickle *data*, tried and unpickled under the rules of this environment.

    Whether it may be trusted was asked before (`verify`). Raises ModelRefused.
    """
    provenance.check_hash(data, manifest.sha256, f"Model {manifest.version}")
    provenance.check_versions(manifest.libraries, settings, f"Model {manifest.version}")
    try:
        schema = Schema.from_dict(manifest.schema)
    except (KeyError, TypeError, ValueError):
        raise ModelRefused(f"The manifest of model {manifest.version} is broken: {MEND}.") from None
    try:
        try_once(manifest, data, settings)
        return Model(loads(data, manifest.globals, settings.model.libraries), manifest, schema)
    except ModelRefused as refusal:
        raise ModelRefused(f"Model {manifest.version} is refused: {refusal}") from None


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
