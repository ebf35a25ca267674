"""Which names a model's pickle may use. A pickle is a program; this is the list of what it may call.

It is a list of what is good, because lists of what is bad are always too short. It is the second lock: in acceptance
and production the first one is the signature.
"""

import importlib
import io
import pickle
import types
from collections.abc import Iterable
from typing import Any

from player.errors import ModelRefused

SCALARS = [
    "float64",
    "float32",
    "float16",
    "int64",
    "int32",
    "int16",
    "int8",
    "uint64",
    "uint32",
    "uint16",
    "uint8",
    "bool",
    "bool_",
    "str_",
    "bytes_",
    "object_",
]
EXACT: dict[str, frozenset[str]] = {
    "builtins": frozenset(
        [
            "set",
            "frozenset",
            "list",
            "dict",
            "tuple",
            "slice",
            "complex",
            "bytearray",
            "bytes",
            "range",
            "object",
            "int",
            "float",
            "bool",
            "str",
        ]
    ),
    "collections": frozenset(["OrderedDict", "defaultdict"]),
    "copyreg": frozenset(["_reconstructor"]),
    "_codecs": frozenset(["encode"]),
    "numpy": frozenset(["ndarray", "dtype", *SCALARS]),
    "numpy._core.multiarray": frozenset(["_reconstruct", "scalar"]),
    "numpy._core.numeric": frozenset(["_frombuffer"]),
    "numpy.random._pickle": frozenset(["__generator_ctor", "__bit_generator_ctor", "__randomstate_ctor"]),
    "numpy.random._mt19937": frozenset(["MT19937"]),
    "numpy.random._pcg64": frozenset(["PCG64"]),
    "numpy.random.bit_generator": frozenset(["SeedSequence", "__pyx_unpickle_SeedSequence"]),
    "sklearn.feature_selection._univariate_selection": frozenset(["f_classif", "chi2"]),
    "sklearn.feature_selection._mutual_info": frozenset(["mutual_info_classif"]),
    "scipy.sparse._csr": frozenset(["csr_matrix", "csr_array"]),
    "scipy.sparse._csc": frozenset(["csc_matrix", "csc_array"]),
    "sklearn.utils._bunch": frozenset(["Bunch"]),
    "sklearn.metrics._dist_metrics": frozenset(
        ["newObj", "EuclideanDistance64", "ManhattanDistance64", "MinkowskiDistance64", "ChebyshevDistance64"]
    ),
}
PYTHON_2 = {"__builtin__": "builtins", "copy_reg": "copyreg"}  # how protocols 0 to 2 name two of them
# In these packages of scikit-learn every class is a model or a part of one.
MODELS = frozenset(
    [
        "_loss",
        "calibration",
        "cluster",
        "compose",
        "cross_decomposition",
        "decomposition",
        "discriminant_analysis",
        "dummy",
        "ensemble",
        "feature_extraction",
        "feature_selection",
        "frozen",
        "gaussian_process",
        "impute",
        "isotonic",
        "kernel_approximation",
        "kernel_ridge",
        "linear_model",
        "mixture",
        "model_selection",
        "multiclass",
        "multioutput",
        "naive_bayes",
        "neighbors",
        "neural_network",
        "pipeline",
        "preprocessing",
        "random_projection",
        "semi_supervised",
        "svm",
        "tree",
    ]
)
OWN_FUNCTIONS = "player.features"  # for a FunctionTransformer
OWN_CLASSES = ("player.features", "player.training")


class AllowList(pickle.Unpickler):
    """An unpickler that resolves the good names and refuses all others before anything runs."""

    def __init__(self, data: bytes, listed: Iterable[str] | None = None) -> None:
        """Read *data*; *listed* are the names the manifest says the pickle uses, None when there is no manifest."""
        super().__init__(io.BytesIO(data))
        self.listed = None if listed is None else frozenset(listed)
        self.used: set[str] = set()

    def find_class(self, module: str, name: str) -> Any:
        """Return the object *module*.*name*; raises ModelRefused when a model does not need it."""
        module = PYTHON_2.get(module, module)
        if self.listed is not None and f"{module}.{name}" not in self.listed:
            raise ModelRefused(f"The pickle uses {module}.{name}, which its manifest does not list.")
        if "." not in name and (found := allowed(module, name)) is not None:
            self.used.add(f"{module}.{name}")
            return found
        raise ModelRefused(f"The pickle uses {module!a}.{name!a}, which no model needs; it was not loaded.")

    def persistent_load(self, pid: Any) -> Any:
        """Refuse references to objects outside the pickle."""
        raise ModelRefused("The pickle refers to objects outside itself; it was not loaded.")


def allowed(module: str, name: str) -> Any:
    """Return the object when it is on the list, else None. Imports only modules the list names."""
    if name in EXACT.get(module, ()):
        return getattr(importlib.import_module(module), name, None)
    package = module.split(".")
    if package[0] == "sklearn" and len(package) > 1 and package[1] in MODELS and "tests" not in package:
        return part_of_a_model(module, name)
    if module in OWN_CLASSES:
        return own(module, name)
    return None


def part_of_a_model(module: str, name: str) -> Any:
    """Return a class that scikit-learn itself defines there, or a maker of its compiled classes; else None."""
    found = look_up(module, name)
    if isinstance(found, type):
        return found if found.__module__.startswith("sklearn.") else None
    compiled = name.startswith("__pyx_unpickle_") or name == "newObj"
    return found if compiled and callable(found) else None


def own(module: str, name: str) -> Any:
    """Return a transformer or function that this project defines there, not one it merely imported; else None."""
    found = look_up(module, name)
    if getattr(found, "__module__", None) != module:
        return None
    if isinstance(found, type):
        return found
    return found if module == OWN_FUNCTIONS and isinstance(found, types.FunctionType) else None


def look_up(module: str, name: str) -> Any:
    """Return what *module* has under *name*, or None."""
    try:
        return getattr(importlib.import_module(module), name, None)
    except ImportError:
        return None


def loads(data: bytes, listed: Iterable[str] | None = None) -> Any:
    """Return the object in the pickle *data*; raises ModelRefused, whatever is wrong with it."""
    try:
        return AllowList(data, listed).load()
    except ModelRefused:
        raise
    except Exception as error:  # a broken pickle can raise anything
        raise ModelRefused(f"The pickle is broken ({type(error).__name__}).") from None


def names_used(data: bytes) -> list[str]:
    """Return the names `module.name` that the pickle *data*, which we just made, uses.

    Raises ModelRefused when it could not be loaded again: better now than in production.
    """
    reader = AllowList(data)
    try:
        reader.load()
    except ModelRefused as refusal:
        hint = "Functions belong in player/features.py, transformers there or in player/training.py."
        raise ModelRefused(f"{refusal} {hint}") from None
    return sorted(reader.used)
