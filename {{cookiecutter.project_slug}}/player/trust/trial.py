"""Tries a model in a process of its own before it is let in: there it may crash, hang or eat memory alone."""

import json
import math
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from player.errors import ModelError, ModelFailed, ModelRefused
from player.features import Schema, to_table
from player.learning.asking import are_probabilities, ask
from player.settings.sections import ModelSettings
from player.trust.unpickler import loads

BUSY = 4  # on a busy machine a trial may take so many times its processor time


def try_model(data: bytes, manifest: Mapping[str, Any], limits: ModelSettings) -> None:
    """Raise ModelRefused unless the pickle *data* answers its own examples within the limits of time and memory.

    *manifest* gives what is needed: globals, schema, classes and examples.
    """
    needed: dict[str, Any] = {name: manifest[name] for name in ("globals", "schema", "classes", "examples")}
    needed["further"] = limits.libraries
    seconds = BUSY * limits.trial_seconds  # the limit itself is processor time, which the child is held to
    most = str(limits.trial_memory_mb), str(math.ceil(limits.trial_seconds))
    command = [sys.executable, "-B", "-m", "player.trust.cage", *most]
    # The child gets no secrets, and finds the packages where this process finds them. It has one thread when it enters.
    keep = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "LD_LIBRARY_PATH")
    environment = {name: os.environ[name] for name in keep if name in os.environ}
    environment |= {
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    try:
        child = subprocess.run(  # noqa: S603 - our own interpreter and module
            command,
            input=json.dumps(needed).encode() + b"\n" + data,
            capture_output=True,
            timeout=seconds,
            check=False,
            env=environment,
        )
    except subprocess.TimeoutExpired:
        raise ModelRefused(f"The model did not answer its trial within {seconds:g} s.") from None
    except OSError as error:
        raise ModelRefused(f"The model's trial could not be started ({error.strerror}).") from None
    if child.returncode < 0:
        raise ModelRefused(f"The model crashed in its trial (signal {-child.returncode}).")
    if child.returncode != 0:
        said = child.stdout.decode("utf-8", "replace").strip().splitlines()
        raise ModelRefused(said[-1][:400] if said else "The model broke its trial.")


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
