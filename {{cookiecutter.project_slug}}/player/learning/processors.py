"""How a heavy command shares the processors with the service, and with itself."""

import os


def be_nice() -> None:
    """Let others go first, and use one processor; call it before scikit-learn is imported, which counts them."""
    if hasattr(os, "nice"):
        os.nice(10)
    use_one_thread()


def use_one_thread() -> None:
    """Let each computation use one processor, for who makes several at once; call it before NumPy is imported."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
