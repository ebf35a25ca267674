"""The answer chain: the current model, else the one before, else the most frequent label. It never raises.

A wrong answer costs nothing in this game, a missing one a point: any answer is better than none.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from player.config import Settings
from player.errors import ModelMissing, ModelRefused, PlayerError
from player.features import Schema
from player.logging_config import QuietLog
from player.model import loading, store
from player.model.answering import Answer, Link
from player.model.fallback import EVERY_MODEL, NO_MODEL, Chain
from player.model.prior import find_prior, prior_of

__all__ = ["Answer", "Predictor"]

log = logging.getLogger(__name__)

FIRST_RETRY, LAST_RETRY = 10.0, 600.0  # seconds until a model that was refused is tried again


class Predictor:
    """Answers any request, and takes over a new model while it runs."""

    def __init__(self, settings: Settings) -> None:
        """Load nothing yet."""
        self.settings = settings
        self.chain = Chain()
        self.reason = "no model was loaded yet"
        self.steps_down: Counter[str] = Counter()
        self.quiet = QuietLog(log)
        self.counting, self.loading = threading.Lock(), threading.Lock()
        self.retry_at, self.patience = 0.0, FIRST_RETRY
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
    def classes(self) -> list[Any]:
        """The classes of the model that answers; empty without a model."""
        return list(self.chain.links[0].model.manifest.classes) if self.chain.links else []

    @property
    def schema(self) -> Schema | None:
        """What the current model takes, None without a model."""
        return self.chain.links[0].model.schema if self.chain.links else None

    def status(self) -> dict[str, Any]:
        """Return model, whether it is degraded and why, and how many answers stepped over which model."""
        trouble = self.chain.links[0].trouble if self.chain.links else ""
        reason = self.reason or (f"model {self.version} fails: {trouble}" if trouble else "")
        return {
            "model": self.version, "degraded": bool(reason), "reason": reason, "steps_down": dict(self.steps_down)
        }  # fmt: skip

    def answer(self, raw: Mapping[str, Any]) -> Answer:
        """Return an answer for any JSON object."""
        return self.chain.ask([raw], self.step_down)[0]

    def answer_many(self, raws: Sequence[Mapping[str, Any]]) -> list[Answer]:
        """Return an answer for each of *raws*: the same as `answer` gives, in one go where the model can."""
        return self.chain.ask(raws, self.step_down) if raws else []

    def step_down(self, version: str, error: Exception, answers: int) -> None:
        """Count that *version* was stepped over; log it once a minute, not once a request."""
        with self.counting:
            self.steps_down[version] += answers
        which = "every model" if version == EVERY_MODEL else f"model {version}"
        self.quiet.say(logging.WARNING, f"{which} was stepped over: {error}")

    def watch(self) -> None:
        """Take over a new model, or try a refused one again, until stopped."""
        while not self.stopping.wait(self.settings.model.reload_seconds):
            try:
                self.look()
            except Exception as error:  # this thread must not end: it is the only one that looks
                self.complain(error)

    def look(self) -> None:
        """Take over what the pointer names when that is news, or when it was refused some time ago."""
        pointer = self.find_pointer()
        if pointer is None:
            return
        if pointer.serial > self.chain.serial or (self.chain.degraded and time.monotonic() >= self.retry_at):
            self.take_over(pointer)
        elif not self.chain.degraded:
            self.reason = ""

    def reload(self) -> None:
        """Take over what the pointer names; what cannot be trusted is refused, and the model before serves on."""
        pointer = self.find_pointer()
        if pointer is not None:
            self.take_over(pointer)
        elif self.chain.prior is None:
            self.chain = replace(self.chain, prior=find_prior(self.settings, ()))

    def find_pointer(self) -> store.Pointer | None:
        """Return the pointer, or None with a complaint when there is none that may be followed."""
        try:
            pointer = store.pointer(self.settings)
            if pointer is None:
                raise ModelMissing(f"{self.settings.environment} has no model yet; run `player train`.")
            if pointer.serial < self.chain.serial:
                raise ModelRefused(f"The pointer to the current model went back to change {pointer.serial}; "
                                   "it is ignored.")  # fmt: skip
        except Exception as error:
            self.complain(error)
            return None
        return pointer

    def take_over(self, pointer: store.Pointer) -> None:
        """Put the models that *pointer* names into the chain, as far as they may run here."""
        with self.loading:
            previous = self.take(pointer.previous) if pointer.previous else None
            current = self.take(pointer.current)  # last, so that its complaint is the one that is remembered
            if current is not None:
                links: tuple[Link, ...] = (current, previous) if previous else (current,)
                self.chain = Chain(links, prior_of(current.model.manifest), pointer.serial)
                self.reason, self.patience = "", FIRST_RETRY
                log.info("loaded model %s, fallback %s", current.version, previous.version if previous else "none")
                return
            links = self.chain.links or ((previous,) if previous else ())
            prior = self.chain.prior if self.chain.links else None
            found = prior or find_prior(self.settings, (pointer.current, pointer.previous))
            self.chain = Chain(links, found, pointer.serial, degraded=True)
            self.retry_at, self.patience = time.monotonic() + self.patience, min(self.patience * 2, LAST_RETRY)

    def take(self, version: str) -> Link | None:
        """Return the model *version*, warm, or None with a complaint when it may not run here."""
        for link in self.chain.links:
            if link.version == version:
                return link
        try:
            link = Link(loading.load(version, self.settings), self.settings.model.time_budget_seconds)
            link.warm_up(self.settings.model.trial_seconds)
        except Exception as error:
            self.complain(error)
            return None
        return link

    def complain(self, error: Exception) -> None:
        """Remember why something is not as it should be, and log it once a minute."""
        known = isinstance(error, PlayerError)
        self.reason = str(error) if known else f"The model could not be loaded ({type(error).__name__})."
        self.quiet.say(logging.ERROR, self.reason, error=None if known else error)
