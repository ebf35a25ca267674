"""Reads a model's pickle without running what it does not know: the second lock, behind the signature.

A pickle is a list of small orders: fetch a name, call it, fill what came out. Names are checked against
`player.trust.allowed`; called is only what was fetched by such a name; filled is only what such a call has made.
"""

import io
import pickle
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from player.errors import ModelRefused
from player.trust.allowed import allowed
from player.trust.libraries import class_of, how_to_allow, library_of
from player.trust.parts import check_parts

PYTHON_2 = {"__builtin__": "builtins", "copy_reg": "copyreg"}  # how protocols 0 to 2 name two modules
NEVER_NEEDED = (pickle.INST, pickle.OBJ, pickle.EXT1, pickle.EXT2, pickle.EXT4)  # Python 3 does not write these


class AllowList(pickle._Unpickler):
    """An unpickler that resolves and calls the good names and refuses all others before anything runs.

    It is the one that Python has in Python: slower than the one in C (milliseconds for a model), but the orders can
    be checked one by one, and its memo cannot be made to fill the memory.
    """

    dispatch: ClassVar[dict[int, Any]] = pickle._Unpickler.dispatch.copy()
    stack: list[Any]

    def __init__(self, data: bytes, listed: Iterable[str] | None = None, libraries: Sequence[str] = ()) -> None:
        """Read *data*; *listed* are the names the manifest says the pickle uses, None when there is no manifest.

        *libraries* are those beside scikit-learn that it may use.
        """
        super().__init__(io.BytesIO(data))
        self.listed = None if listed is None else frozenset(listed)
        self.libraries = libraries
        self.used: set[str] = set()
        self.fetched: dict[int, Any] = {}  # by id(); the object is kept, so that its id stays its own

    def find_class(self, module: str, name: str) -> Any:
        """Return the object *module*.*name*; raises ModelRefused when a model does not need it."""
        module = PYTHON_2.get(module, module)
        if self.listed is not None and f"{module}.{name}" not in self.listed:
            raise ModelRefused(f"The pickle uses {shown(module, name)}, which its manifest does not list.")
        found = None if "." in name else allowed(module, name) or class_of(module, name, self.libraries)
        if found is None:
            remedy = how_to_allow(module, self.libraries)
            why = f"and was not loaded. {remedy}" if remedy else "which no model needs; it was not loaded."
            raise ModelRefused(f"The pickle uses {shown(module, name)}, {why}")
        self.used.add(f"{module}.{name}")
        self.fetched[id(found)] = found
        return found

    def persistent_load(self, pid: Any) -> Any:
        """Refuse references to objects outside the pickle."""
        raise ModelRefused("The pickle refers to objects outside itself; it was not loaded.")

    def check_call(self, called: Any) -> None:
        """Refuse to call anything but what was fetched by its name: an object may do more than its class."""
        if id(called) not in self.fetched:
            raise ModelRefused(f"The pickle calls a {type(called).__name__}, which no model does; it was not loaded.")

    def check_empty(self, made: Any, called: bool) -> None:
        """Refuse to make an object of a further library's class from arguments: it may take the name of a file."""
        if called and isinstance(made, type) and library_of(made.__module__):
            raise ModelRefused(f"The pickle calls {made.__name__}, which Python does not write; it was not loaded.")

    def load_reduce(self) -> None:
        """Call a function, after checking it."""
        self.check_call(self.stack[-2])
        self.check_empty(self.stack[-2], called=True)
        super().load_reduce()  # type: ignore[misc]

    def load_newobj(self) -> None:
        """Make an object of a class, after checking the class."""
        self.check_call(self.stack[-2])
        self.check_empty(self.stack[-2], called=bool(self.stack[-1]))
        super().load_newobj()  # type: ignore[misc]

    def load_newobj_ex(self) -> None:
        """Make an object of a class with named arguments, after checking the class."""
        self.check_call(self.stack[-3])
        self.check_empty(self.stack[-3], called=True)
        super().load_newobj_ex()  # type: ignore[misc]

    def load_build(self) -> None:
        """Fill an object, unless it is a class or function that others use too, or the state replaces its methods."""
        state, filled = self.stack[-1], self.stack[-2]
        parts = state if isinstance(state, tuple) else (state,)
        if isinstance(filled, type) or id(filled) in self.fetched:
            raise ModelRefused("The pickle changes a class or a function, which no model does; it was not loaded.")
        if any(isinstance(part, dict) and any(special(str(key)) for key in part) for part in parts):
            raise ModelRefused("The pickle replaces a special method, which no model does; it was not loaded.")
        super().load_build()  # type: ignore[misc]

    def load_never_needed(self) -> None:
        """Refuse the orders that no pickle of our time has."""
        raise ModelRefused("The pickle uses an order that Python 3 does not write; it was not loaded.")

    dispatch[pickle.REDUCE[0]] = load_reduce
    dispatch[pickle.NEWOBJ[0]] = load_newobj
    dispatch[pickle.NEWOBJ_EX[0]] = load_newobj_ex
    dispatch[pickle.BUILD[0]] = load_build
    dispatch.update(dict.fromkeys((order[0] for order in NEVER_NEEDED), load_never_needed))


def special(key: str) -> bool:
    """Tell whether *key* is the name of a method that Python itself calls."""
    return key.startswith("__") and key.endswith("__")


def shown(module: str, name: str) -> str:
    """Return a name from a pickle so that it can be printed: short, ASCII, on one line."""
    return ascii(f"{module[:80]}.{name[:80]}")[1:-1]


def loads(data: bytes, listed: Iterable[str] | None = None, libraries: Sequence[str] = ()) -> Any:
    """Return the object in the pickle *data*; raises ModelRefused, whatever is wrong with it.

    *libraries* are those beside scikit-learn that it may use.
    """
    try:
        found = AllowList(data, listed, libraries).load()
        check_parts(found)
        return found
    except ModelRefused:
        raise
    except Exception as error:  # a broken pickle can raise anything
        raise ModelRefused(f"The pickle is broken ({type(error).__name__}).") from None


def names_used(data: bytes, libraries: Sequence[str] = ()) -> list[str]:
    """Return the names `module.name` that the pickle *data*, which we just made, uses.

    Raises ModelRefused when it could not be loaded again: better now than in production.
    """
    reader = AllowList(data, libraries=libraries)
    try:
        reader.load()
    except ModelRefused as refusal:
        hint = " Functions belong in player/features.py, transformers there or in player/training.py."
        raise ModelRefused(f"{refusal}{'' if '[model]' in str(refusal) else hint}") from None
    return sorted(reader.used)
