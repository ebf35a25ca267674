"""Where a model is tried: a process that reads nothing but program files, writes nothing, and reaches nobody.

Linux gives that to any program: Landlock (docs.kernel.org/userspace-api/landlock.html) for files, network and signals,
a network of its own (unshare), limits on memory, time and files. What a system does not have is said: `missing` names
it, `player doctor` shows it, and `player serve` logs it where models must be signed.
"""

import contextlib
import ctypes
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

CREATE, ADD, RESTRICT = 444, 445, 446  # the numbers of Landlock's three system calls, on every processor
READ = 1 << 0 | 1 << 2 | 1 << 3  # execute, read a file, read a folder
EVERYTHING = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}  # rights by Landlock's version
SIGNALS_TOO = 6  # from this version of Landlock on
NEW_USER, NEW_NETWORK, NEW_IPC, NEW_MOUNTS = 0x10000000, 0x40000000, 0x08000000, 0x00020000
NO_NEW_PRIVILEGES, OWN_COPY, PATH_ONLY = 38, 1 << 18 | 1 << 14, 0o10000000
# By the last one threadpoolctl finds the libraries of this very process.
PROGRAMS = ("/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64", "/usr/share/zoneinfo", "/etc/ld.so.cache",
            "/etc/localtime", "/dev/null", "/dev/urandom",
            "/proc/self/maps")  # fmt: skip
SOCKETS = ("/run", "/var/run", "/var/lib")  # where servers wait for programs of this machine


def system() -> ctypes.CDLL:
    """Return the C library."""
    return ctypes.CDLL(None, use_errno=True)


def landlock_version() -> int:
    """Return which version of Landlock this system has, 0 without."""
    if sys.platform != "linux":
        return 0
    return max(0, int(system().syscall(CREATE, None, 0, 1)))


def enter(megabytes: int, seconds: int) -> list[str]:
    """Put this process, which must have one thread, into the cage for good; return what this system cannot keep out."""
    found = []
    if not own_network():
        found.append("the network")
    version = landlock_version()
    if not version or not restrict(version):
        found.append("files of other programs")
    if version >= 4 and "the network" in found:
        found = ["the network, except for TCP", *found[1:]]
    if version < SIGNALS_TOO:
        found.append("other programs of this user, by a signal")
    if not limit(megabytes, seconds):
        found.append("memory and time of the processor")
    return found


def own_network() -> bool:
    """Give this process a network without any other machine, and no sockets of this machine's servers."""
    if sys.platform != "linux":
        return False
    uid, gid = os.getuid(), os.getgid()
    if system().unshare(NEW_USER | NEW_NETWORK | NEW_IPC | NEW_MOUNTS) != 0:
        return False
    with contextlib.suppress(OSError):
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1", encoding="ascii")
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1", encoding="ascii")
    system().mount(None, b"/", None, OWN_COPY, None)
    needed = [str(path) for path in readable()]
    for folder in SOCKETS:
        if not any(path.startswith(f"{folder}/") for path in needed):
            system().mount(b"tmpfs", folder.encode(), b"tmpfs", 0, b"size=4k")
    return True


def readable() -> Iterator[Path]:
    """Return the folders with programs: Python's own, the libraries, and of this project the package alone."""
    package = Path(__file__).parents[1]
    yield package
    for text in (*PROGRAMS, sys.prefix, sys.base_prefix, *sys.path):
        path = Path(text or ".").resolve()
        installed = path.name in ("site-packages", "dist-packages")  # libraries alone, also where player is one of them
        if path.exists() and (installed or path not in package.parents):
            yield path


def restrict(version: int) -> bool:
    """Let this process open nothing but what is `readable`, reach no port, and signal no other process."""
    handled = EVERYTHING[max(known for known in EVERYTHING if known <= version)]
    parts = [handled, 3 if version >= 4 else 0, 3 if version >= 6 else 0]
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    rules = struct.pack("<QQQ", *parts)[:size]
    ruleset = system().syscall(CREATE, rules, ctypes.c_size_t(size), 0)
    if ruleset < 0:
        return False
    for path in readable():
        with contextlib.suppress(OSError):
            descriptor = os.open(path, PATH_ONLY | os.O_CLOEXEC)
            allowed = READ if path.is_dir() else READ & ~(1 << 3)
            system().syscall(ADD, ruleset, 1, struct.pack("<Qi", allowed, descriptor), 0)
            os.close(descriptor)
    system().prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    done: int = system().syscall(RESTRICT, ruleset, 0)
    os.close(ruleset)
    return done == 0


def limit(megabytes: int, seconds: int) -> bool:
    """Let this process have *megabytes* and *seconds* of processor at most, write no file and leave no core.

    The processor time ends a child whose parent was killed and can no longer stop it.
    """
    try:
        import resource
    except ImportError:  # Windows
        return False
    size = megabytes * 2**20
    wanted = ((resource.RLIMIT_AS, size), (resource.RLIMIT_CPU, seconds + 1), (resource.RLIMIT_CORE, 0),
              (resource.RLIMIT_FSIZE, 0))  # fmt: skip
    for kind, most in wanted:
        with contextlib.suppress(ValueError, OSError):  # macOS, or a stricter limit that is already set
            resource.setrlimit(kind, (most, most))
    return True


def missing() -> list[str]:
    """Return what a model that is tried could reach on this system; empty where the cage is whole."""
    command = [sys.executable, "-c", "from player.trust import cage; print('\\n'.join(cage.enter(4096, 5)))"]
    path = os.pathsep.join(filter(None, sys.path))
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(  # noqa: S603 - our own interpreter and module
            command, capture_output=True, text=True, timeout=30, check=True, env={**os.environ, "PYTHONPATH": path}
        )
        return [line for line in done.stdout.splitlines() if line]
    return ["anything"]


def described() -> str:
    """Return how a trial is isolated on this system."""
    version = landlock_version()
    return f"Landlock version {version}, namespaces, limits" if version else "a process of its own, without secrets"


def main() -> int:
    """Read the limits from the first argument, enter the cage, and try the model that comes on standard input."""
    megabytes, seconds = map(int, sys.argv[1:3])
    enter(megabytes, seconds)
    from player.trust.examination import main as examine  # only now: every library is loaded inside

    return examine()


if __name__ == "__main__":
    sys.exit(main())
