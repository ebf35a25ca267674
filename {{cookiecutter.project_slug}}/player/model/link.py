"""One model in the answer chain: it answers within its time, or says that it cannot."""

import contextvars
import math
import queue
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from player.errors import ModelFailed
from player.features import clean, to_table
from player.model.store import Model

FAILURES_TO_REST = 3
REST_SECONDS = 30.0
MOST_LATE = 16  # questions that were given up and still run; a model with so many is asked nothing more


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
        self.trouble = ""  # why it failed last, "" after an answer
        self.resting_until = 0.0
        self.late: list[threading.Thread] = []

    @property
    def resting(self) -> bool:
        """Whether it failed so often that it is not asked now."""
        return time.monotonic() < self.resting_until

    def warm_up(self, seconds: float = 60.0) -> None:
        """Answer an example within *seconds*, so that the first request finds everything imported."""
        table = to_table(self.model.manifest.examples[:1], self.model.schema)
        self.within(seconds, self.model.pipeline.predict_proba, table)

    def answer(self, raws: Sequence[Mapping[str, Any]], degraded: bool = False) -> list[Answer]:
        """Return an answer for each raw request; raises ModelFailed when the model gives no usable one."""
        try:
            cleaned = [clean(raw, self.model.schema) for raw in raws]
            table = to_table([row for row, _ in cleaned], self.model.schema)
        except Exception as error:
            raise ModelFailed(f"the features could not be cleaned: {describe(error)}") from error
        chosen = self.predict(table)
        return [
            Answer(pred, proba, self.version, degraded, warnings)
            for (pred, proba), (_, warnings) in zip(chosen, cleaned, strict=True)
        ]

    def predict(self, table: pd.DataFrame) -> list[tuple[Any, float]]:
        """Return (class, probability) for each row of a clean *table*; raises ModelFailed."""
        if self.resting:
            raise ModelFailed("it failed too often and rests")
        try:
            # A second more for each thousand rows: the budget is meant for one applicant.
            seconds = self.seconds + (len(table) - 1) / 1000
            proba = self.within(seconds, self.model.pipeline.predict_proba, table)
            chosen = [self.choose(row) for row in proba.tolist()]
            if len(chosen) != len(table):
                raise ModelFailed(f"it gave {len(chosen)} answers for {len(table)} rows")
        except Exception as error:
            failure = error if isinstance(error, ModelFailed) else ModelFailed(f"it answered no table of numbers "
                                                                               f"({type(error).__name__})")  # fmt: skip
            if len(table) == 1:  # one bad row of a batch says nothing about the model; the rows are asked again alone
                self.failed(str(failure))
            raise failure from error
        self.failures, self.trouble = 0, ""
        return chosen

    def choose(self, proba: list[float]) -> tuple[Any, float]:
        """Return the likeliest class and the probability that is answered; raises ModelFailed for nonsense."""
        classes = self.model.manifest.classes
        if len(proba) != len(classes) or not all(math.isfinite(p) for p in proba):
            raise ModelFailed("it gave no numbers, or not one for each class")
        best = max(range(len(proba)), key=proba.__getitem__)
        shown = proba[1] if len(classes) == 2 else proba[best]
        return classes[best], min(max(shown, 0.0), 1.0)

    def failed(self, trouble: str) -> None:
        """Count a failure; a model that keeps failing must not cost every request its time budget."""
        self.failures, self.trouble = self.failures + 1, trouble
        if self.failures >= FAILURES_TO_REST:
            self.resting_until = time.monotonic() + REST_SECONDS

    def within(self, seconds: float, function: Callable[..., Any], *arguments: Any) -> Any:
        """Return *function*(*arguments*), or raise ModelFailed after *seconds*; its thread is then left to itself."""
        self.late = [thread for thread in self.late if thread.is_alive()]
        if len(self.late) >= MOST_LATE:
            raise ModelFailed(f"it is still busy with {len(self.late)} earlier questions")
        outcome: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()

        def work() -> None:
            try:
                outcome.put((function(*arguments), None))
            except BaseException as error:  # also SystemExit: nothing a model does may end the service
                outcome.put((None, error))

        # In the context of the request, so that what a transformer logs carries the request's id.
        thread = threading.Thread(target=contextvars.copy_context().run, args=(work,), daemon=True, name="model")
        thread.start()
        try:
            result, error = outcome.get(timeout=seconds)
        except queue.Empty:
            self.late.append(thread)
            raise ModelFailed(f"it took longer than {seconds:g} s") from None
        if error is not None:
            raise ModelFailed(f"it raised {describe(error)}") from error
        return result


def describe(error: BaseException) -> str:
    """Return the kind of *error* and where it was raised; not its text, which may hold an applicant's values."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__} ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else "an error"
