"""One model in the answer chain: it answers within its time, or says that it cannot."""

import contextlib
import contextvars
import logging
import queue
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from player.errors import ModelFailed
from player.features import clean, to_table
from player.learning.asking import ask, shown
from player.model.fast.plan import Plan, Shortcut, make_shortcut
from player.model.fast.rehearsal import rehearsed, rehearsed_plan
from player.model.loading import Model
from player.reading.cells import without_codes
from player.repair import Value

log = logging.getLogger(__name__)

FAILURES_TO_REST = 3
REST_SECONDS = 30.0
DIGITS = 6  # of a probability: enough to act on, and the same from the plan, the pipeline and a batch
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
        self.plan: Plan | Shortcut | None = None

    @property
    def resting(self) -> bool:
        """Whether it failed so often that it is not asked now."""
        return time.monotonic() < self.resting_until

    def warm_up(self, seconds: float = 60.0) -> None:
        """Answer an example within *seconds*, so that the first request finds everything imported.

        Single requests are answered from the plan of the model from then on, if it has one.
        """
        model, examples = self.model, self.model.manifest.examples
        self.within(seconds, ask, model.pipeline, to_table(examples[:1], model.schema), model.manifest.classes)
        self.plan = self.rehearse(seconds, "answers single requests", rehearsed_plan)

    @cached_property
    def shortcut(self) -> Shortcut | None:
        """What makes the columns of many rows at once; it is made when a batch asks for it."""
        if isinstance(self.plan, Shortcut):
            return self.plan
        found: Shortcut | None = self.rehearse(60.0, "scores files", rehearsed, make_shortcut)
        return found

    def rehearse(self, seconds: float, does: str, make: Callable[..., Any], *arguments: Any) -> Any:
        """Return what *make* says the model may be asked by within *seconds*, or None; log what it *does* by that."""
        model, found = self.model, None
        try:
            found, why = self.within(
                seconds, make, *arguments, model.pipeline, model.schema, model.manifest.examples, model.manifest.classes
            )
        except ModelFailed as error:
            why = str(error)
        kind = found.kind if found else "pipeline"
        log.info("model %s %s from its %s%s", self.version, does, kind, f" ({why})" if why else "")
        return found

    def answer(self, raws: Sequence[Mapping[str, Any]], degraded: bool = False) -> list[Answer]:
        """Return an answer for each raw request; raises ModelFailed when the model gives no usable one."""
        try:
            cleaned = [clean(raw, self.model.schema) for raw in raws]
        except Exception as error:
            raise ModelFailed(f"the features could not be cleaned: {describe(error)}") from error
        preds, probas = self.predict_rows([row for row, _ in cleaned])
        return [
            Answer(pred, proba, self.version, degraded, warnings)
            for pred, proba, (_, warnings) in zip(preds, probas, cleaned, strict=True)
        ]

    def predict_rows(self, rows: Sequence[Mapping[str, Value]]) -> tuple[list[Any], list[float]]:
        """Return classes and probabilities of clean *rows*: of a single one from the plan, if there is one."""
        if len(rows) == 1 and self.plan is not None:
            if not self.plan.quick:
                return self.named(*self.predict_within(1, self.ask_one, rows[0]))
            with contextlib.suppress(Exception):  # the pipeline may know better
                place, proba = self.plan.ask(rows[0])
                probability = proba[1] if len(proba) == 2 else proba[place]  # as `shown` has it
                answered = [self.model.manifest.classes[place]], [rounded(probability)]
                self.failures, self.trouble = 0, ""
                return answered
        try:
            table = to_table(rows, self.model.schema)
        except Exception as error:
            raise ModelFailed(f"the features could not be cleaned: {describe(error)}") from error
        return self.named(*self.predict_within(len(table), self.ask_pipeline, table))

    def ask_one(self, row: Mapping[str, Value]) -> tuple[np.ndarray, np.ndarray]:
        """Return what `ask` says of a clean *row*, by the plan where that can."""
        if self.plan is not None:
            with contextlib.suppress(Exception):
                place, proba = self.plan.ask(row)
                return np.array([place]), np.array([proba])
        return self.ask_pipeline(to_table([row], self.model.schema))

    def ask_pipeline(self, table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Return what `ask` says of a clean *table*."""
        return ask(self.model.pipeline, table, self.model.manifest.classes)

    def ask_table(self, table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Return the same of a clean *table* whose categories are coded, by the shortcut where there is one."""
        if self.shortcut is not None:
            with contextlib.suppress(Exception):
                return self.shortcut.ask_table(table)
        return self.ask_pipeline(without_codes(table))

    def predict_table(self, table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Return the place of the class and the probability for each row of such a *table*; raises ModelFailed."""
        _ = self.shortcut  # made now, beyond the time of these rows
        return self.predict_within(len(table), self.ask_table, table)

    def named(self, places: np.ndarray, probas: np.ndarray) -> tuple[list[Any], list[float]]:
        """Return the classes at these *places*, and *probas*, as they are answered."""
        return [self.model.manifest.classes[place] for place in places], probas.tolist()

    def predict_within(self, rows: int, function: Callable[..., Any], *arguments: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return places and probabilities by what *function*(*arguments*) says of so many *rows*, within their time."""
        if self.resting:
            raise ModelFailed("it failed too often and rests")
        try:
            # A second more for each thousand rows: the budget is meant for one applicant.
            seconds = self.seconds + (rows - 1) / 1000
            answered = to_answer(*self.within(seconds, function, *arguments))
        except Exception as error:
            failure = error if isinstance(error, ModelFailed) else ModelFailed(f"it answered no table of numbers "
                                                                               f"({type(error).__name__})")  # fmt: skip
            if rows == 1:  # one bad row of a batch says nothing about the model; the rows are asked again alone
                self.failed(str(failure))
            raise failure from error
        self.failures, self.trouble = 0, ""
        return answered

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


def to_answer(chosen: np.ndarray, proba: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what `ask` said of some rows with the probabilities to answer; raises ModelFailed."""
    if not np.isfinite(proba).all():
        raise ModelFailed("it gave probabilities that are no numbers")
    return chosen, shown(chosen, proba).clip(0.0, 1.0).round(DIGITS)


def rounded(proba: float) -> float:
    """Return *proba* between 0 and 1, rounded as NumPy does it; raises ValueError when it is no number.

    >>> rounded(2 / 3) == np.array([2 / 3]).round(DIGITS)[0], rounded(1 + 1e-16)
    (np.True_, 1.0)
    """
    return round(min(max(proba, 0.0), 1.0) * 10.0**DIGITS) / 10.0**DIGITS


def describe(error: BaseException) -> str:
    """Return the kind of *error* and where it was raised; not its text, which may hold an applicant's values."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__} ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else "an error"
