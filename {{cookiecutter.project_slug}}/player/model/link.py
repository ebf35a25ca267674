"""One model in the answer chain: it answers within its time, or says that it cannot."""

import logging
import math
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import pandas as pd

from player.errors import ModelFailed
from player.features import clean, to_table
from player.model.store import Model

log = logging.getLogger(__name__)
T = TypeVar("T")

FAILURES_TO_REST = 3
REST_SECONDS = 30.0


@dataclass(frozen=True)
class Answer:
    """What is answered: a class, a probability, which model said it, whether it is a fallback, and all repairs."""

    pred: Any
    proba: float
    model: str
    degraded: bool
    warnings: list[str]


class Link:
    """A loaded model with its time budget; after three failures in a row it rests for half a minute."""

    def __init__(self, model: Model, seconds: float) -> None:
        """Use *model*, which may take *seconds* for an answer."""
        self.model = model
        self.version = model.manifest.version
        self.seconds = seconds
        self.failures = 0
        self.resting_until = 0.0

    def warm_up(self) -> None:
        """Answer an example without a time budget, so that the first request finds everything imported."""
        self.model.pipeline.predict_proba(to_table(self.model.manifest.examples[:1], self.model.schema))

    def answer(self, raws: Sequence[Mapping[str, Any]], degraded: bool = False) -> list[Answer]:
        """Return an answer for each raw request; raises ModelFailed when the model gives no usable one."""
        cleaned = [clean(raw, self.model.schema) for raw in raws]
        table = to_table([row for row, _ in cleaned], self.model.schema)
        chosen = self.predict(table)
        return [
            Answer(pred, proba, self.version, degraded, warnings)
            for (pred, proba), (_, warnings) in zip(chosen, cleaned, strict=True)
        ]

    def predict(self, table: pd.DataFrame) -> list[tuple[Any, float]]:
        """Return (class, probability) for each row of a clean *table*; raises ModelFailed."""
        if time.monotonic() < self.resting_until:
            raise ModelFailed("it failed too often and rests")
        try:
            # A second more for each thousand rows: the budget is meant for one applicant.
            proba = within(self.seconds + len(table) / 1000, self.model.pipeline.predict_proba, table)
            chosen = [self.choose(row) for row in proba.tolist()]
            if len(chosen) != len(table):
                raise ModelFailed(f"it gave {len(chosen)} answers for {len(table)} rows")
        except Exception as error:
            self.failed()
            raise error if isinstance(error, ModelFailed) else ModelFailed(type(error).__name__) from error
        self.failures = 0
        return chosen

    def choose(self, proba: list[float]) -> tuple[Any, float]:
        """Return the likeliest class and the probability that is answered; raises ModelFailed for nonsense."""
        classes = self.model.manifest.classes
        if len(proba) != len(classes) or not all(math.isfinite(p) for p in proba):
            raise ModelFailed("its probabilities are no numbers")
        best = max(range(len(proba)), key=proba.__getitem__)
        shown = proba[1] if len(classes) == 2 else proba[best]
        return classes[best], min(max(shown, 0.0), 1.0)

    def failed(self) -> None:
        """Count a failure; a model that keeps failing must not cost every request its time budget."""
        self.failures += 1
        if self.failures >= FAILURES_TO_REST:
            self.resting_until = time.monotonic() + REST_SECONDS
            self.failures = 0


def within(seconds: float, function: Callable[..., T], *arguments: Any) -> T:
    """Return *function*(*arguments*), or raise ModelFailed after *seconds*; its thread is then left to itself."""
    outcome: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()

    def work() -> None:
        try:
            outcome.put((function(*arguments), None))
        except BaseException as error:  # also SystemExit: nothing a model does may end the service
            outcome.put((None, error))

    threading.Thread(target=work, daemon=True, name="model").start()
    try:
        result, error = outcome.get(timeout=seconds)
    except queue.Empty:
        raise ModelFailed(f"it took longer than {seconds:g} s") from None
    if error is not None:
        raise ModelFailed(f"it raised {type(error).__name__}") from error
    return result  # type: ignore[return-value]
