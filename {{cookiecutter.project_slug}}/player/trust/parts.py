"""Looks through an unpickled model before it is asked anything: what its estimators hold and are told to do.

Estimators that hold others call methods by name, and a few open files whose names are a parameter or a value of a
request. So beside the names in a pickle (`player.trust.allowed`) the values count: this room is the list of what the
parameters of estimators may be. Its functions look and never call anything of the model. That it is complete for the
installed scikit-learn is what `tests/security/test_listed.py` looks up in its sources.
"""

import types
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from player.errors import ModelRefused

# Where an estimator keeps others: below these names stand only estimators, and what says which columns they get.
HOLDERS = (
    "estimator", "estimator_", "estimators", "estimators_", "_estimators", "base_estimator", "base_estimator_",
    "best_estimator_", "final_estimator", "final_estimator_", "steps", "transformers", "transformers_",
    "transformer_list", "transformer", "transformer_", "regressor", "regressor_", "classifier", "classifier_",
    "calibrated_classifiers_", "named_estimators_", "init", "init_", "_label_encoder", "_label_binarizer",
    "label_binarizer_", "kernel", "kernel_",
)  # fmt: skip
# Parameters that are the name of a method, an attribute or a file, and what they may be.
METHODS = ("auto", "predict", "predict_proba", "predict_log_proba", "decision_function")
PARAMETERS: Mapping[str, tuple[Any, ...]] = {
    "input": ("content",),  # else CountVectorizer opens the file that a request names
    "memory": (None,),
    "importance_getter": ("auto", "coef_", "feature_importances_"),  # else the path to any attribute
    "stack_method": METHODS,
    "stack_method_": METHODS,
    "response_method": METHODS,
    "_response_method": METHODS,
    "prediction_method": METHODS,
    "chain_method": METHODS,
    "chain_method_": METHODS,
    "voting": ("hard", "soft"),
    "warm_start": (True, False),
    "verbose_feature_names_out": (True, False),
}
PLAIN = (str, bytes, bytearray, int, float, complex, bool, type(None), np.generic, np.dtype, slice, range)
MOST_PARTS = 2_000_000


def check_parts(model: Any) -> None:
    """Raise ModelRefused when a part of *model* is what no fitted pipeline has; looks at every object once."""
    seen: dict[int, Any] = {}
    waiting = [model]
    while waiting:
        thing = waiting.pop()
        if isinstance(thing, PLAIN) or id(thing) in seen:
            continue
        seen[id(thing)] = thing  # kept, so that its id stays its own
        if len(seen) > MOST_PARTS:
            raise ModelRefused("The model has more parts than any model needs.")
        if isinstance(thing, BaseEstimator) and is_sklearn(type(thing)):
            check_estimator(thing)
        waiting.extend(inside(thing))


def is_sklearn(kind: type) -> bool:
    """Tell whether a class is one of scikit-learn's own."""
    return kind.__module__.partition(".")[0] == "sklearn"


def inside(thing: Any) -> Iterator[Any]:
    """Return what *thing* holds, without calling anything of its own."""
    if isinstance(thing, dict):
        yield from dict.keys(thing)
        yield from dict.values(thing)
    elif isinstance(thing, list | tuple | set | frozenset):
        base: Any = next(kind for kind in (list, tuple, set, frozenset) if isinstance(thing, kind))
        yield from base.__iter__(thing)  # its own way, also where a class has another
    elif isinstance(thing, np.ndarray):
        if thing.dtype.hasobject:
            yield from np.ndarray.ravel(np.asarray(thing, dtype=object)).tolist()
    elif not isinstance(thing, type | types.FunctionType | types.BuiltinFunctionType | np.ufunc):
        held = getattr(thing, "__dict__", None)
        if isinstance(held, dict):
            yield from held.values()


def check_estimator(estimator: Any) -> None:
    """Raise ModelRefused when an attribute of *estimator* replaces a method, or is none that it may have."""
    kind = type(estimator)
    for name, value in vars(estimator).items():
        where = f"{kind.__name__}.{ascii(name)[1:-1][:60]}"
        if isinstance(getattr(kind, name, None), types.FunctionType | types.MethodType):
            raise ModelRefused(f"{where} replaces a method, which no model does; it was not run.")
        if name in PARAMETERS and not is_one_of(value, PARAMETERS[name]):
            raise ModelRefused(f"{where} is {shown(value)}, which it may not be here; it was not run.")
        if name in HOLDERS:
            check_held(value, where, depth=0)


def is_one_of(value: Any, allowed: tuple[Any, ...]) -> bool:
    """Tell whether *value*, or each of a plain list of values, is one of *allowed*; compares plain values only."""
    if isinstance(value, list | tuple):
        return all(is_one_of(each, allowed) for each in value)
    return type(value) in (str, bool, type(None)) and value in allowed


def check_held(value: Any, where: str, depth: int) -> None:
    """Raise ModelRefused unless *value* is an estimator, a helper of one, or a nest of lists of those and of names."""
    if isinstance(value, list | tuple | dict) and depth < 6:
        for each in value.values() if isinstance(value, dict) else value:
            check_held(each, where, depth + 1)
    elif isinstance(value, np.ndarray) and depth < 6:
        if value.dtype.hasobject:
            for each in value.ravel().tolist():
                check_held(each, where, depth + 1)
    elif not may_be_held(value):
        raise ModelRefused(f"{where} holds a {type(value).__name__}, which is no part of a model; it was not run.")


def may_be_held(value: Any) -> bool:
    """Tell whether an estimator may hold *value* in the place of another estimator, or beside it."""
    if isinstance(value, (BaseEstimator, pd.Index, *PLAIN)):  # an index says which columns
        return True
    if isinstance(value, types.FunctionType):
        return value.__module__ == "player.features"
    kind = type(value)
    helper = kind.__module__.startswith("sklearn.") and not isinstance(value, type)
    own = kind.__module__ in ("player.features", "player.training")
    further = kind.__module__.partition(".")[0] not in ("sklearn", "pandas", "numpy", "builtins", "collections")
    return helper or own or further


def shown(value: Any) -> str:
    """Return *value* for a message: a short text as it is, of all else the type."""
    return ascii(value[:40]) if type(value) is str else f"a {type(value).__name__}"
