"""Builds and fits a pipeline; whatever is wrong with it is one sentence that says what to change."""

import logging
import queue
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from player.errors import ModelFailed, PipelineError, PlayerError
from player.features import Schema
from player.learning.asking import are_probabilities, ask

log = logging.getLogger(__name__)

TRIED_ROWS = 20
LONG_SECONDS = 60.0  # after so long the console says that it is still learning
WHERE = "build_pipeline in player/training.py"
# What the commonest errors of scikit-learn mean here. The first that is found in an error's text is shown with it.
HINTS = {
    "could not convert string to float": "A text column reaches a step that takes numbers only: encode it before, "
    "with OneHotEncoder.",
    "contains NaN": "Put a SimpleImputer before it, or take HistGradientBoostingClassifier: it learns from gaps too.",
    "number of members in each class": "Use fewer folds (cv=…), or give it more rows of the rarest class.",
    "examples for at least one class": "Use fewer folds (cv=…), or give it more rows of the rarest class.",
    "unknown categories": 'Requests bring categories nobody has seen: OneHotEncoder(handle_unknown="ignore").',
    "not columns of the dataframe": "The columns of the table are in the schema: schema.names.",
}  # fmt: skip


def fit(
    make: Callable[[Schema], Any], schema: Schema, table: pd.DataFrame, truth: np.ndarray,
    seconds: float = 30.0, **extra: Any,
) -> Any:  # fmt: skip
    """Return the pipeline that *make* builds for *schema*, having learned from *table* (rows, features) and *truth*.

    *extra* goes to its `fit`. Raises PipelineError when it cannot be built, cannot learn, or does not answer rows it
    has learned from, within *seconds*, with a probability for each class.
    """
    pipeline = build(make, schema)
    patience = threading.Timer(LONG_SECONDS, log.warning, ["%s is still learning; Ctrl-C stops it, and the old model "
                                                            "stays", name_of(pipeline)])  # fmt: skip
    patience.daemon = True
    patience.start()
    try:
        pipeline.fit(table, truth, **extra)
    except (Exception, SystemExit) as error:  # a step may do anything
        raise PipelineError(f"{name_of(pipeline)} cannot learn from this table: {explain(error)}") from error
    finally:
        patience.cancel()
    check(pipeline, table.head(TRIED_ROWS), np.unique(truth), seconds)
    return pipeline


def build(make: Callable[[Schema], Any], schema: Schema) -> Any:
    """Return what *make* builds for *schema*; raises PipelineError when that is no classifier."""
    try:
        pipeline = make(schema)
    except (Exception, SystemExit) as error:
        raise PipelineError(f"{WHERE} failed: {explain(error)}") from error
    if pipeline is None:
        raise PipelineError(f"{WHERE} returned None; end it with `return` and the pipeline.")
    if isinstance(pipeline, type):
        raise PipelineError(f"{WHERE} returned the class {pipeline.__name__}; write {pipeline.__name__}() to make one.")
    if not callable(getattr(pipeline, "fit", None)):
        raise PipelineError(
            f"{WHERE} returned {a(type(pipeline).__name__)}, which cannot be fitted; return a Pipeline."
        )
    kind = kind_of(pipeline)
    if kind not in ("", "classifier"):
        raise PipelineError(f"{name_of(pipeline)} is {a(kind)}, and the label is a class; end the pipeline with a "
                            "classifier, such as LogisticRegression().")  # fmt: skip
    return pipeline


def check(pipeline: Any, table: pd.DataFrame, classes: np.ndarray, seconds: float) -> None:
    """Raise PipelineError unless the fitted *pipeline* answers the rows of *table* as the API needs it."""
    name = name_of(pipeline)
    if not hasattr(pipeline, "predict"):
        raise PipelineError(f"{name} cannot predict; end the pipeline with a classifier, such as LogisticRegression().")
    if not hasattr(pipeline, "predict_proba"):
        raise PipelineError(f"{name} gives no probabilities (it has no predict_proba); {remedy(pipeline)}.")
    learned = np.asarray(getattr(pipeline, "classes_", [])).tolist()
    if learned != classes.tolist():
        raise PipelineError(f"{name} learned the classes {learned} (its classes_), but the table has "
                            f"{classes.tolist()}; pass the labels on to scikit-learn as they come.")  # fmt: skip
    try:
        _, proba = within(seconds, lambda: ask(pipeline, table, learned))
    except ModelFailed as failure:
        raise PipelineError(f"{name} gives no usable answer: {failure}. {default()}") from None
    except (Exception, SystemExit) as error:
        raise PipelineError(f"{name} cannot answer rows it has learned from: {explain(error)}") from error
    if not are_probabilities(proba):
        raise PipelineError(f"{name} gives probabilities that are none: a row must lie between 0 and 1 and add up to "
                            f"1. {default()}")  # fmt: skip


@contextmanager
def told_in_a_sentence() -> Iterator[None]:
    """Raise what goes wrong in the participant's own code as PipelineError: one sentence, with file and line."""
    try:
        yield
    except PlayerError:
        raise
    except (Exception, SystemExit) as error:
        raise PipelineError(f"player/training.py cannot train: {explain(error)}") from error


def answered(question: Callable[..., Any], pipeline: Any, *arguments: Any) -> Any:
    """Return *question*(*pipeline*, *arguments*), about rows it has not seen; raises PipelineError."""
    try:
        return question(pipeline, *arguments)
    except (Exception, SystemExit) as error:
        raise PipelineError(f"{name_of(pipeline)} cannot answer rows it has not seen: {explain(error)}") from error


def within(seconds: float, function: Callable[[], Any]) -> Any:
    """Return *function*(), or raise what it raises, or ModelFailed after *seconds*; its thread is then left behind."""
    outcome: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()

    def work() -> None:
        try:
            outcome.put((function(), None))
        except BaseException as error:
            outcome.put((None, error))

    threading.Thread(target=work, daemon=True, name="trial").start()
    try:
        result, error = outcome.get(timeout=seconds)
    except queue.Empty:
        raise ModelFailed(f"it took longer than {seconds:g} s ([model].trial_seconds)") from None
    if error is not None:
        raise error
    return result


def kind_of(pipeline: Any) -> str:
    """Return what scikit-learn calls *pipeline*: classifier, regressor, clusterer …; "" when it does not say."""
    try:
        return str(get_tags(pipeline).estimator_type or "").replace("_", " ")
    except Exception:  # not from scikit-learn, or a pipeline with a broken step: then fitting tells
        return ""


def name_of(pipeline: Any) -> str:
    """Return the name of the last step of *pipeline*: what it is all about."""
    while isinstance(pipeline, Pipeline) and pipeline.steps:
        pipeline = pipeline.steps[-1][1]
    return type(pipeline).__name__


def remedy(pipeline: Any) -> str:
    """Return what to do about a classifier without probabilities."""
    name = name_of(pipeline)
    if name == "VotingClassifier":
        return 'write VotingClassifier(…, voting="soft")'
    return f"wrap it, as in CalibratedClassifierCV({name}(…), ensemble=False)"


def explain(error: BaseException) -> str:
    """Return *error* as one sentence: its kind, its first line, where in this project it was raised, what to do."""
    said = " ".join(str(error).split())[:300].rstrip(". ")
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).name in ("training.py", "features.py")
            and Path(frame.filename).parent.name == "player"]  # fmt: skip
    place = f" (player/{Path(ours[-1].filename).name}, line {ours[-1].lineno})" if ours else ""
    hint = next((hint for text, hint in HINTS.items() if text in str(error)), default())
    return f"{type(error).__name__}{': ' if said else ''}{said}{place}. {hint}"


def default() -> str:
    """Return the remedy when no better one is known."""
    return f"Change {WHERE}."


def a(noun: str) -> str:
    """Return *noun* with its article."""
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"
