"""How models are kept: a pickle, a manifest that describes it, a signature, and a pointer to the current one."""

import contextlib
import hashlib
import hmac
import json
import logging
import os
import pickle
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from player.config import Settings
from player.errors import ModelError, ModelMissing, ModelRefused
from player.features import Schema
from player.model import trust
from player.model.trial import try_model
from player.model.unpickler import loads, names_used
from player.training import Trained

log = logging.getLogger(__name__)

LARGEST_MANIFEST = 20_000_000
POINTER = "current.json"


@dataclass(frozen=True)
class Manifest:
    """What must be known about a model without unpickling it."""

    version: str
    created_at: str
    sha256: str
    size: int
    libraries: dict[str, str]
    globals: list[str]
    schema: dict[str, Any]
    classes: list[Any]
    prior: dict[str, float]
    profile: dict[str, Any]
    metrics: dict[str, float]
    rows: int
    examples: list[dict[str, Any]] = field(repr=False)
    parent: str | None = None
    note: str = ""


@dataclass(frozen=True)
class Model:
    """A loaded model: the pipeline, what is known about it, and what it takes."""

    pipeline: Any
    manifest: Manifest
    schema: Schema


@dataclass(frozen=True)
class Pointer:
    """Which model is current, and which one was before; *serial* grows with each change."""

    serial: int
    current: str
    previous: str | None


def folder(settings: Settings) -> Path:
    """Return the folder that holds the models of this environment."""
    return settings.path(settings.model.folder) / settings.environment


def save(trained: Trained, settings: Settings, note: str = "") -> Manifest:
    """Write *trained* as a new version, signed when there is a key, and return its manifest; it is not current yet.

    Raises ModelRefused when the model could not be loaded again or does not answer its own examples.
    """
    data = pickle.dumps(trained.pipeline, protocol=5)
    now, sha256 = datetime.now(UTC), hashlib.sha256(data).hexdigest()
    active = readable_pointer(settings)
    manifest = Manifest(
        version=f"{now:%Y%m%d-%H%M%S}-{sha256[:8]}",
        created_at=now.isoformat(timespec="seconds"),
        sha256=sha256,
        size=len(data),
        libraries=trust.versions(),
        globals=names_used(data),
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
    put(manifest, data, settings)
    try_once(manifest, data, settings)
    return manifest


def try_once(manifest: Manifest, data: bytes, settings: Settings) -> None:
    """Try the model in a process of its own, unless these bytes passed here before; raises ModelRefused.

    A receipt, signed like a model, saves every worker and every restart the seconds of a trial.
    """
    path = folder(settings) / f"{manifest.version}.tried"
    passed = f"{manifest.sha256} {trust.versions()}".encode()
    receipt = passed + b"\n" + trust.sign(passed, settings).encode()
    with contextlib.suppress(ModelMissing):
        if hmac.compare_digest(trust.read_once(path, 10_000), receipt):
            return
    try_model(data, asdict(manifest), settings.model)
    write_whole(path, receipt)


def put(manifest: Manifest, data: bytes, settings: Settings) -> None:
    """Write the files of one version, signed for this environment; the manifest last, so that it is never alone."""
    place = folder(settings)
    place.mkdir(parents=True, exist_ok=True)
    described = json.dumps(asdict(manifest), indent=1, sort_keys=True).encode()
    write_whole(place / f"{manifest.version}.pkl", data)
    write_whole(place / f"{manifest.version}.sig", trust.sign(described, settings).encode())
    write_whole(place / f"{manifest.version}.json", described)


def load(version: str, settings: Settings) -> Model:
    """Return the model *version*, after every check; raises ModelMissing or ModelRefused with the reason.

    Signature, hash and versions are checked before a byte is unpickled, and the model answers its examples in a
    process of its own before it is unpickled here.
    """
    manifest, data = verify(version, settings)
    try_once(manifest, data, settings)
    return Model(loads(data, manifest.globals), manifest, Schema.from_dict(manifest.schema))


def verify(version: str, settings: Settings) -> tuple[Manifest, bytes]:
    """Return manifest and pickle of *version*, checked but not unpickled; raises ModelMissing or ModelRefused."""
    name = f"Model {version}"
    manifest = read_manifest(version, settings)
    if settings.model.allow_unsigned and not settings.signing_key:
        log.warning("%s is not signed; %s allows that", name, settings.environment)
    data = trust.read_once(folder(settings) / f"{version}.pkl", settings.model.max_bytes)
    trust.check_hash(data, manifest.sha256, name)
    trust.check_versions(manifest.libraries, settings, name)
    return manifest, data


def read_manifest(version: str, settings: Settings) -> Manifest:
    """Return the manifest of *version*; raises ModelMissing, or ModelRefused when it is not signed as it must be."""
    if not version or set(version) - set("0123456789abcdefghijklmnopqrstuvwxyz-"):
        raise ModelRefused(f"{version!a} is not the name of a model version.")
    described = signed_content(folder(settings) / f"{version}.json", settings, f"Model {version}")
    try:
        manifest = Manifest(**json.loads(described))
    except (ValueError, TypeError):
        raise ModelRefused(f"The manifest of model {version} is broken.") from None
    if manifest.version != version:
        raise ModelRefused(f"The manifest of model {version} describes {manifest.version!a}.")
    return manifest


def signed_content(path: Path, settings: Settings, name: str) -> bytes:
    """Return the content of *path* after checking the signature in the .sig file beside it."""
    content = trust.read_once(path, LARGEST_MANIFEST)
    try:
        signature = trust.read_once(path.with_suffix(".sig"), 1000).decode("ascii", "replace")
    except ModelMissing:
        signature = ""
    trust.check_signature(content, signature, settings, name)
    return content


def activate(version: str, settings: Settings) -> Pointer:
    """Make *version* the current model, the one before it the fallback; both appear at once or not at all."""
    read_manifest(version, settings)
    with one_at_a_time(settings):
        old = readable_pointer(settings)
        if old and old.current == version:
            return old
        new = Pointer(next_serial(old), version, old.current if old else None)
        point_to(new, settings)
    return new


def rollback(settings: Settings) -> Pointer:
    """Make the previous model the current one again; raises ModelMissing when there is none."""
    with one_at_a_time(settings):
        old = pointer(settings)
        if old is None or old.previous is None:
            raise ModelMissing(f"{settings.environment} has no previous model to go back to.")
        verify(old.previous, settings)
        new = Pointer(next_serial(old), old.previous, old.current)
        point_to(new, settings)
    return new


def pointer(settings: Settings) -> Pointer | None:
    """Return which model is current, None when there is none yet; raises ModelRefused when the pointer is not ours."""
    try:
        content = trust.read_once(folder(settings) / POINTER, 10_000)
    except ModelMissing:
        return None
    try:
        found = json.loads(content)
        signature = found.pop("signature")
        trust.check_signature(described(found), signature, settings, "The pointer to the current model")
        return Pointer(**found)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ModelRefused(
            f"{folder(settings) / POINTER} is broken; `player rollback` or `player train` mend it."
        ) from None


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
    signed = {**plain, "signature": trust.sign(described(plain), settings)}
    write_whole(folder(settings) / POINTER, json.dumps(signed, indent=1).encode())


def described(plain: dict[str, Any]) -> bytes:
    """Return *plain* as the bytes that are signed."""
    return json.dumps(plain, sort_keys=True).encode()


def current_manifest(settings: Settings) -> Manifest:
    """Return the manifest of the current model; raises ModelMissing when there is none yet."""
    active = pointer(settings)
    if active is None:
        raise ModelMissing(f"{settings.environment} has no model yet; run `player train`.")
    return read_manifest(active.current, settings)


def check_current(settings: Settings) -> None:
    """Raise ModelMissing or ModelRefused when the current model may not run here."""
    verify(current_manifest(settings).version, settings)


def versions(settings: Settings) -> list[Manifest]:
    """Return the manifests of all models of this environment that may be read, newest first."""
    found = []
    for path in sorted(folder(settings).glob("2*.json"), reverse=True):
        with contextlib.suppress(ModelError):
            found.append(read_manifest(path.stem, settings))
    return found


@contextlib.contextmanager
def one_at_a_time(settings: Settings) -> Iterator[None]:
    """Hold the lock under which the pointer changes."""
    place = folder(settings)
    place.mkdir(parents=True, exist_ok=True)
    with FileLock(place / ".lock"):
        yield


def write_whole(path: Path, content: bytes) -> None:
    """Write *content* to *path* so that it is there whole, also after a power cut, or not at all."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    if os.name == "posix":
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
