"""How a trained pipeline becomes a version: pickled, described by a manifest, tried, and put among the models."""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from player.config import Settings
from player.model import kept_rows, loading
from player.model.manifests import Manifest, put
from player.model.pointers import readable_pointer
from player.training import Trained
from player.trust import provenance
from player.trust.libraries import packages
from player.trust.pickler import dumps
from player.trust.unpickler import names_used

log = logging.getLogger(__name__)


def nobodys(examples: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return rows of the same values, those of each column in another order: an older `training.py` hands over people.

    What is mixed already stays so.
    """
    dice = np.random.default_rng(1)
    columns = {name: [row[name] for row in examples] for name in (examples[0] if examples else ())}
    orders = {name: dice.permutation(len(examples)) for name in columns}
    return [{name: values[orders[name][place]] for name, values in columns.items()} for place in range(len(examples))]


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
        examples=nobodys(trained.examples),
        parent=active.current if active else None,
        note=note,
    )
    loading.try_once(manifest, data, settings)
    put(manifest, data, settings)
    if said := kept_rows.warning(names, settings):
        log.warning("%s", said)
    return manifest
