"""Tries a model in a process of its own before it is let in: there it may crash, hang or eat memory alone."""

import json
import math
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from player.errors import ModelError, ModelRefused
from player.features import Schema, to_table
from player.model.unpickler import loads
from player.settings import ModelSettings


def try_model(data: bytes, manifest: Mapping[str, Any], limits: ModelSettings) -> None:
    """Raise ModelRefused unless the pickle *data* answers its own examples within the limits of time and memory.

    *manifest* gives what is needed: globals, schema, classes and examples.
    """
    needed = {name: manifest[name] for name in ("globals", "schema", "classes", "examples")}
    message = json.dumps({**needed, "memory_mb": limits.trial_memory_mb}).encode() + b"\n" + data
    command = [sys.executable, "-m", "player.model.trial"]
    # The child gets no secrets, and finds the packages where this process finds them.
    keep = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "HOME", "LD_LIBRARY_PATH")
    environment = {name: os.environ[name] for name in keep if name in os.environ}
    environment |= {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"}
    try:
        child = subprocess.run(  # noqa: S603 - our own interpreter and module
            command, input=message, capture_output=True, timeout=limits.trial_seconds, check=False, env=environment
        )
    except subprocess.TimeoutExpired:
        raise ModelRefused(f"The model did not answer its trial within {limits.trial_seconds:g} s.") from None
    if child.returncode < 0:
        raise ModelRefused(f"The model crashed in its trial (signal {-child.returncode}).")
    if child.returncode != 0:
        said = child.stdout.decode("utf-8", "replace").strip().splitlines()
        raise ModelRefused(said[-1] if said else "The model broke its trial.")


def check_answers(pipeline: Any, schema: Schema, classes: list[Any], examples: list[dict[str, Any]]) -> None:
    """Raise ModelRefused unless *pipeline* gives each example known classes with finite probabilities."""
    known = [value.item() if hasattr(value, "item") else value for value in getattr(pipeline, "classes_", [])]
    if known != classes:
        raise ModelRefused("The model's classes are not those of its manifest.")
    proba = pipeline.predict_proba(to_table(examples, schema))
    if proba.shape != (len(examples), len(classes)):
        raise ModelRefused(f"The model answered with shape {proba.shape}, not ({len(examples)}, {len(classes)}).")
    if not all(math.isfinite(p) and -1e-9 <= p <= 1 + 1e-9 for row in proba for p in row):
        raise ModelRefused("The model answered with something that is no probability.")


def limit_memory(megabytes: int) -> None:
    """Let this process have *megabytes* at most, where the system can enforce that."""
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (megabytes * 2**20, megabytes * 2**20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> int:
    """Read manifest and pickle from standard input; return 0 when the model works, else say why not."""
    header = json.loads(sys.stdin.buffer.readline())
    limit_memory(header["memory_mb"])
    try:
        pipeline = loads(sys.stdin.buffer.read(), header["globals"])
        check_answers(pipeline, Schema.from_dict(header["schema"]), header["classes"], header["examples"])
    except ModelError as refusal:
        print(refusal)
        return 1
    except BaseException as error:  # whatever the model does, it does it here
        print(f"The model failed its trial ({type(error).__name__}).")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
