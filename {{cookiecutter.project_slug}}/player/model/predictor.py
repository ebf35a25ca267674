"""The answer chain: the current model, else the one before, else the most frequent label. It never raises.

A wrong answer costs nothing in this game, a missing one a point: any answer is better than none.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from player import training
from player.config import Settings
from player.errors import DataError, ModelError, ModelFailed, ModelMissing
from player.features import Schema
from player.model import store
from player.model.link import Answer, Link

__all__ = ["Answer", "Predictor"]

log = logging.getLogger(__name__)

NO_MODEL = "none"
QUIET_SECONDS = 60.0


@dataclass(frozen=True)
class Prior:
    """The last resort: the most frequent label of training, and the probability that is answered with it."""

    pred: Any = 0
    proba: float = 0.5


@dataclass(frozen=True)
class Chain:
    """Everything one answer needs; replaced as a whole, so that no answer mixes two models."""

    links: tuple[Link, ...] = ()
    prior: Prior | None = None
    serial: int = 0
    degraded: bool = False  # the first link is not the model that should answer


class Predictor:
    """Answers any request, and takes over a new model while it runs."""

    def __init__(self, settings: Settings) -> None:
        """Load nothing yet."""
        self.settings = settings
        self.chain = Chain()
        self.reason = "no model was loaded yet"
        self.steps_down: Counter[str] = Counter()
        self.logged: dict[str, float] = {}
        self.stopping = threading.Event()
        self.watcher: threading.Thread | None = None

    def start(self) -> None:
        """Load the current model, then look for a new one every [model].reload_seconds."""
        self.reload()
        self.watcher = threading.Thread(target=self.watch, daemon=True, name="reload")
        self.watcher.start()

    def stop(self) -> None:
        """Stop looking for new models."""
        self.stopping.set()
        if self.watcher is not None:
            self.watcher.join(5)

    @property
    def version(self) -> str:
        """The version that answers when all is well, or "none"."""
        return self.chain.links[0].version if self.chain.links else NO_MODEL

    @property
    def schema(self) -> Schema | None:
        """What the current model takes, None without a model."""
        return self.chain.links[0].model.schema if self.chain.links else None

    def status(self) -> dict[str, Any]:
        """Return model, whether it is degraded and why, and how often each step down was taken."""
        steps = dict(self.steps_down)
        return {"model": self.version, "degraded": bool(self.reason), "reason": self.reason, "steps_down": steps}

    def answer(self, raw: Mapping[str, Any]) -> Answer:
        """Return an answer for any JSON object."""
        return self.answer_many([raw])[0]

    def answer_many(self, raws: Sequence[Mapping[str, Any]]) -> list[Answer]:
        """Return an answer for each of *raws*; all of them come from the same model where that one can."""
        chain = self.chain
        for place, link in enumerate(chain.links):
            try:
                return link.answer(raws, degraded=chain.degraded or place > 0)
            except Exception as error:
                self.step_down(link.version, error)
        if len(raws) > 1:  # one bad row must not take the others with it
            return [self.answer(raw) for raw in raws]
        self.step_down("all models", ModelFailed("the most frequent label answers"))
        prior = chain.prior or Prior()
        return [Answer(prior.pred, prior.proba, NO_MODEL, True, [])]

    def step_down(self, version: str, error: Exception) -> None:
        """Count that *version* was stepped over; log it once a minute, not once a request."""
        self.steps_down[version] += 1
        kind = f"{version} {error}"
        if time.monotonic() - self.logged.get(kind, -QUIET_SECONDS) >= QUIET_SECONDS:
            self.logged[kind] = time.monotonic()
            log.warning("model %s was stepped over: %s", version, error)

    def watch(self) -> None:
        """Reload when the pointer changed, until stopped."""
        while not self.stopping.wait(self.settings.model.reload_seconds):
            try:
                pointer = store.pointer(self.settings)
                serial = pointer.serial if pointer else self.chain.serial
                if serial > self.chain.serial:
                    self.reload()
                elif serial < self.chain.serial:
                    self.complain(f"The pointer to the current model went back to change {serial}; it is ignored.")
            except ModelError as error:
                self.complain(str(error))
            except Exception:
                log.exception("looking for a new model failed")

    def reload(self) -> None:
        """Take over what the pointer names; what cannot be trusted is refused, and the model before serves on."""
        try:
            pointer = store.pointer(self.settings)
            if pointer is None:
                raise ModelMissing(f"{self.settings.environment} has no model yet; run `player train`.")
        except ModelError as error:
            self.complain(str(error))
            self.chain = replace(self.chain, prior=self.chain.prior or find_prior(self.settings))
            return
        current = self.take(pointer.current)
        previous = self.take(pointer.previous) if pointer.previous else None
        if current is not None:
            links = (current, previous) if previous else (current,)
            self.chain = Chain(links, prior_of(current.model.manifest), pointer.serial)
            self.reason = ""
            log.info("loaded model %s, fallback %s", current.version, previous.version if previous else "none")
        elif self.chain.links:
            self.chain = replace(self.chain, serial=pointer.serial)
        else:
            prior = prior_of(previous.model.manifest) if previous else find_prior(self.settings)
            self.chain = Chain((previous,) if previous else (), prior, pointer.serial, degraded=True)

    def take(self, version: str) -> Link | None:
        """Return the model *version*, warm, or None with a complaint when it may not run here."""
        for link in self.chain.links:
            if link.version == version:
                return link
        try:
            link = Link(store.load(version, self.settings), self.settings.model.time_budget_seconds)
            link.warm_up()
        except ModelError as error:
            self.complain(str(error))
            return None
        return link

    def complain(self, reason: str) -> None:
        """Remember why something is not as it should be, and log it when that is news."""
        if reason != self.reason:
            log.error("%s", reason)
        self.reason = reason


def prior_of(manifest: store.Manifest) -> Prior:
    """Return the most frequent label of the training data of a model."""
    best = max(manifest.classes, key=lambda label: manifest.prior.get(str(label), 0.0))
    shown = manifest.classes[1] if len(manifest.classes) == 2 else best
    return Prior(best, manifest.prior.get(str(shown), 0.5))


def find_prior(settings: Settings) -> Prior:
    """Return the most frequent label that can be found without a model: of the training table, if there is one."""
    try:
        labels = training.read_labels(training.read_table(settings.path(settings.data.train)), settings.data)
    except DataError:
        return Prior()
    shares = Counter(training.as_classes(labels[labels.notna()]).tolist())
    best = max(shares, key=lambda label: shares[label])
    shown = sorted(shares, key=str)[1] if len(shares) == 2 else best
    return Prior(best, shares[shown] / shares.total())
