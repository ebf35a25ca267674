"""What Windows does otherwise, for every Python process that starts with this folder on its path."""

import builtins
import multiprocessing
import os
import signal
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

MISSING = {"fcntl", "grp", "pwd", "resource", "termios"}
OURS = ("player", "customer")
real_import = builtins.__import__


def import_there(name: str, globals: dict[str, Any] | None = None, *rest: Any, **options: Any) -> Any:  # noqa: A002
    """Import a module, unless our own code asks for one that Windows has not."""
    asking = str((globals or {}).get("__name__", "")).split(".")[0]
    if name in MISSING and asking in OURS:
        raise ModuleNotFoundError(f"No module named {name!r} (as on Windows)", name=name)
    return real_import(name, globals, *rest, **options)


def in_use(path: Any) -> bool:
    """Tell whether this process has the file open, which keeps Windows from moving or deleting it."""
    if isinstance(path, int) or not (named := Path(os.fsdecode(path))).is_file():
        return False
    found = named.stat()
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            held = os.fstat(int(descriptor.name))
        except OSError:
            continue
        if stat.S_ISREG(held.st_mode) and os.path.samestat(found, held):
            return True
    return False


def refusing(change: Callable[..., None]) -> Callable[..., None]:
    """Return *change*, a function of `os`, that refuses a file in use."""

    def changed(*paths: Any, **options: Any) -> None:
        for path in paths[:2]:
            if not options and in_use(path):
                raise PermissionError(13, "used by another process (as on Windows)", os.fsdecode(path))
        change(*paths, **options)

    return changed


builtins.__import__ = import_there
for change in ("remove", "unlink", "rename", "replace"):
    setattr(os, change, refusing(getattr(os, change)))
for name in ("fork", "forkpty"):
    delattr(os, name)
for name in ("SIGHUP", "SIGUSR1", "SIGUSR2"):
    delattr(signal, name)
multiprocessing.set_start_method("spawn")
multiprocessing.get_all_start_methods = lambda: ["spawn"]
