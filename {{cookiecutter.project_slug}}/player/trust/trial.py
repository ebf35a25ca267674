"""Tries a model in a process of its own before it is let in: there it may crash, hang or eat memory alone."""

import json
import math
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from player.errors import ModelRefused
from player.settings.remedies import of_system
from player.settings.sections import ModelSettings

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
        raise ModelRefused(f"The model's trial could not be started: {of_system(error)}.") from None
    if child.returncode < 0:
        raise ModelRefused(f"The model crashed in its trial (signal {-child.returncode}).")
    if child.returncode != 0:
        said = child.stdout.decode("utf-8", "replace").strip().splitlines()
        raise ModelRefused(said[-1][:400] if said else "The model broke its trial.")
