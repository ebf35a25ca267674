"""The last resort when no model answers: the most frequent label of training."""

import contextlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from player import training
from player.config import Settings
from player.model import store
from player.reading.files import read_own_table


@dataclass(frozen=True)
class Prior:
    """The most frequent label, and the probability that is answered with it."""

    pred: Any = 0
    proba: float = 0.5


def prior_of(manifest: store.Manifest) -> Prior:
    """Return the most frequent label of the training data of a model."""
    best = max(manifest.classes, key=lambda label: manifest.prior.get(str(label), 0.0))
    shown = manifest.classes[1] if len(manifest.classes) == 2 else best
    return Prior(best, manifest.prior.get(str(shown), 0.5))


def find_prior(settings: Settings, versions: Iterable[str | None]) -> Prior:
    """Return the most frequent label that can be found where no model can be loaded. Never raises.

    A manifest may be good where its pickle is not: those of *versions* come first, then any other, newest first, then
    the training table, and at the very last 0: any answer is better than none.
    """
    for version in versions:
        with contextlib.suppress(Exception):
            return prior_of(store.read_manifest(version or "", settings))
    with contextlib.suppress(Exception):
        return prior_of(store.versions(settings)[0])
    with contextlib.suppress(Exception):
        return prior_of_table(settings)
    return Prior()


def prior_of_table(settings: Settings) -> Prior:
    """Return the most frequent label of the training table; raises DataError when there is no usable one."""
    labels = training.read_labels(read_own_table(settings), settings.data)
    shares = Counter(training.as_classes(labels[labels.notna()]).tolist())
    best = max(shares, key=lambda label: shares[label])
    shown = sorted(shares)[1] if len(shares) == 2 else best
    return Prior(best, shares[shown] / shares.total())
