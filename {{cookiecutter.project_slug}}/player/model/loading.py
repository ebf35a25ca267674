"""How a version becomes a model in memory: only after every check, and after a trial in a cage."""

import contextlib
import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from player.config import Settings
from player.errors import ModelError, ModelRefused
from player.features import Schema
from player.model import store
from player.model.files import read_once, write_whole
from player.model.manifests import MEND, Manifest, folder
from player.trust import provenance, signatures
from player.trust.trial import try_model
from player.trust.unpickler import loads

RECEIPT = "receipt"


@dataclass(frozen=True)
class Model:
    """A loaded model: the pipeline, what is known about it, and what it takes."""

    pipeline: Any
    manifest: Manifest
    schema: Schema


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
    return open_model(*store.verify(version, settings), settings)


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
