"""What is known about a model without unpickling it, in a signed file beside the pickle."""

import hashlib
import json
from dataclasses import asdict, field
from pathlib import Path
from typing import Any

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from player.config import Settings
from player.errors import ModelMissing, ModelRefused
from player.model.files import read_once, sweep, write_whole
from player.trust import signatures

LARGEST = 20_000_000  # bytes of a manifest
KIND = "manifest"
MEND = "`player rollback` takes the one before, `player promote` or `player train` brings a new one"


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
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


def folder(settings: Settings) -> Path:
    """Return the folder that holds the models of this environment."""
    return settings.path(settings.model.folder) / settings.environment


def as_bytes(manifest: Manifest) -> bytes:
    """Return a manifest as it is written and signed."""
    return json.dumps(asdict(manifest), indent=1, sort_keys=True).encode()


def fingerprint(manifest: Manifest) -> str:
    """Return the SHA-256 of a manifest, which itself holds the one of its pickle."""
    return hashlib.sha256(as_bytes(manifest)).hexdigest()


def put(manifest: Manifest, data: bytes, settings: Settings) -> None:
    """Write the files of one version, signed for this environment; the manifest last, so that it is never alone."""
    place = folder(settings)
    place.mkdir(parents=True, exist_ok=True)
    sweep(place)
    content = as_bytes(manifest)
    write_whole(place / f"{manifest.version}.pkl", data)
    write_whole(place / f"{manifest.version}.sig", signatures.sign(content, KIND, settings).encode())
    write_whole(place / f"{manifest.version}.json", content)


def read_manifest(version: str, settings: Settings) -> Manifest:
    """Return the manifest of *version*; raises ModelMissing, or ModelRefused when it is not signed as it must be."""
    return read_signed(version, settings)[0]


def read_signed(version: str, settings: Settings) -> tuple[Manifest, bool]:
    """Return the manifest of *version* and whether it is signed; raises as `read_manifest` does."""
    if not version or set(version) - set("0123456789abcdefghijklmnopqrstuvwxyz-"):
        raise ModelRefused(f"{version!a} is not the name of a model version.")
    path = folder(settings) / f"{version}.json"
    content = read_part(path, LARGEST)
    signed = signatures.check_signature(content, KIND, read_signature(path), settings, f"Model {version}")
    try:
        manifest = Manifest(**json.loads(content))
    except (ValueError, TypeError, RecursionError):
        raise ModelRefused(f"The manifest of model {version} is broken: {MEND}.") from None
    if manifest.version != version:
        raise ModelRefused(f"The manifest of model {version} describes {manifest.version!a}.")
    return manifest, signed


def read_part(path: Path, most_bytes: int) -> bytes:
    """Return the content of one file of a model; raises as `read_once` does, and says what to do without it."""
    try:
        return read_once(path, most_bytes)
    except ModelMissing as missing:
        raise ModelMissing(f"{missing} Model {path.stem} is not whole: {MEND}.") from None


def read_signature(path: Path) -> str:
    """Return what stands in the .sig file beside *path*, "" when there is none."""
    try:
        return read_once(path.with_suffix(".sig"), 1000).decode("ascii", "replace")
    except ModelMissing:
        return ""
