"""How a heavy command leaves the processors to the service: lower priority, one thread."""

import os


def be_nice() -> None:
    """Let others go first, and use one processor; call it before scikit-learn is imported, which counts them."""
    if hasattr(os, "nice"):
        os.nice(10)
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
