"""Examines a model inside the cage: does it answer its own examples as its manifest says?"""

import json
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from player.errors import ModelError, ModelFailed, ModelRefused
from player.features import Schema, to_table
from player.learning.asking import are_probabilities, ask
from player.trust.unpickler import loads


def examine(data: bytes, asked: Mapping[str, Any]) -> str:
    """Return "" when the pickle *data* answers its examples as its manifest says, else one line that says why not."""
    try:
        pipeline = loads(data, asked["globals"], asked.get("further", ()))
        check_answers(pipeline, Schema.from_dict(asked["schema"]), asked["classes"], asked["examples"])
    except ModelError as refusal:
        return str(refusal)
    except BaseException as error:  # whatever the model does, it does it here
        return f"The model failed its trial ({type(error).__name__}: {ascii(str(error))[1:-1][:200]})."
    return ""


def check_answers(pipeline: Any, schema: Schema, classes: list[Any], examples: list[dict[str, Any]]) -> None:
    """Raise ModelRefused unless *pipeline* gives each example known classes with finite probabilities."""
    known = [value.item() if hasattr(value, "item") else value for value in getattr(pipeline, "classes_", [])]
    if not classes or known != classes:
        raise ModelRefused("The model's classes are not those of its manifest.")
    if not examples:
        raise ModelRefused("The manifest has no examples to try the model on.")
    try:
        rows = to_table(examples, schema)
        chosen, proba = ask(pipeline, rows, classes)
    except ModelFailed as failure:
        raise ModelRefused(f"The model is of no use: {failure}.") from None
    if not are_probabilities(proba):
        raise ModelRefused("The model answered with something that is no probability.")
    named = [classes[place] for place in chosen]
    if not np.array_equal(pipeline.predict_proba(rows), proba) or np.asarray(pipeline.predict(rows)).tolist() != named:
        raise ModelRefused("The model answers otherwise as a whole than step by step.")


def main() -> int:
    """Read manifest and pickle from standard input; return 0 when the model works, else say why not.

    `player.trust.cage` calls it, once nothing outside can be reached any more.
    """
    asked = json.loads(sys.stdin.buffer.readline())
    refusal = examine(sys.stdin.buffer.read(), asked)
    print(refusal)
    return 1 if refusal else 0
