"""How model files are read and written: whole, once, and only where they are plain files."""

import contextlib
import os
import stat
import tempfile
import time
from pathlib import Path

from player.errors import ModelMissing, ModelRefused
from player.settings.remedies import of_system


def read_once(path: Path, most_bytes: int) -> bytes:
    """Return the content of *path*, which must be a regular file of at most *most_bytes*.

    What is checked later is these bytes, never the file again: nobody can swap it in between. Raises ModelMissing
    when there is none, ModelRefused for a link, a pipe, a device, too large a file or one that cannot be read.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        raise ModelMissing(f"{path} does not exist.") from None
    except OSError as error:
        raise ModelRefused(f"{path} cannot be opened as a plain file: {of_system(error)}.") from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ModelRefused(f"{path} is not a regular file.")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(most_bytes + 1)
    except OSError as error:
        raise ModelRefused(f"{path} cannot be read: {of_system(error)}.") from None
    finally:
        os.close(descriptor)
    if len(content) > most_bytes:
        raise ModelRefused(f"{path} is larger than {most_bytes} bytes ([model].max_bytes).")
    return content


def write_whole(path: Path, content: bytes) -> None:
    """Write *content* to *path* so that it is there whole, also after a power cut, or not at all."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            if os.name == "posix":
                os.fchmod(file.fileno(), 0o640)  # a service of the same group reads what its deployer wrote
            file.flush()
            os.fsync(file.fileno())
        put_in_place(Path(name), path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    if os.name == "posix":  # a rename is durable only when its folder is
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def put_in_place(new: Path, path: Path) -> None:
    """Let *new* be *path* from now on. On Windows that has to wait for who reads the old one: a second at most."""
    for _ in range(50):
        try:
            new.replace(path)
            return
        except PermissionError:
            time.sleep(0.02)
    new.replace(path)


def sweep(folder: Path) -> None:
    """Delete what writers that were killed left half written in *folder*, an hour ago or longer."""
    for path in folder.glob(".*.*.*"):
        with contextlib.suppress(OSError):
            if path.stat().st_mtime < time.time() - 3600:
                path.unlink()
