"""Writes a fitted pipeline as a pickle that can be loaded again without running what only learning needed."""

import copy
import functools
import io
import pickle
from typing import Any

from scipy.stats.distributions import rv_frozen
from sklearn.preprocessing import FunctionTransformer

from player.errors import ModelRefused


class Pickler(pickle.Pickler):
    """Writes two things in another way than Python does, wherever in the pipeline they are.

    A distribution that a search drew from becomes text: loading it would run code that stands in the file. A function
    with some arguments given, as boosted trees with categories have one, becomes the function and its arguments.
    """

    def reducer_override(self, thing: Any) -> Any:
        """Return how to write *thing*: NotImplemented stands for Python's own way."""
        if isinstance(thing, rv_frozen):
            return str, (described(thing),)
        if type(thing) is FunctionTransformer and isinstance(thing.func, functools.partial) and not thing.func.args:
            plain = copy.copy(thing)
            plain.func, plain.kw_args = thing.func.func, {**thing.func.keywords, **(thing.kw_args or {})}
            return plain.__reduce_ex__(5)
        return NotImplemented


def described(distribution: Any) -> str:
    """Return a SciPy *distribution* as it was written in Python: loguniform(0.01, 10)."""
    values = [str(value) for value in distribution.args]
    values += [f"{name}={value}" for name, value in distribution.kwds.items()]
    return f"{distribution.dist.name}({', '.join(values)})"


def dumps(pipeline: Any) -> bytes:
    """Return the pickle of *pipeline*; raises ModelRefused when a part of it cannot be written."""
    target = io.BytesIO()
    try:
        Pickler(target, protocol=5).dump(pipeline)
    except Exception as error:  # a step of the pipeline may raise anything
        said = " ".join(str(error).split())[:200]
        raise ModelRefused(
            f"The pipeline cannot be written to a file ({type(error).__name__}: {said}). A lambda, and a function or "
            "class inside another function, has no name it could be found by: write it with def or class at the top "
            "of player/features.py."
        ) from None
    return target.getvalue()
