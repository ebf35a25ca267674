"""The cage by itself: what it asks of the system, and what it says when the system has no such thing."""

import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from player.trust import cage


class System:
    """A C library that keeps what it was asked, and says what a test wants."""

    def __init__(self, says: Callable[[int], int] = lambda number: 0, unshare: int = 0) -> None:
        """Answer each system call by its number."""
        self.calls: list[tuple[Any, ...]] = []
        self.says = says
        self.unshared = unshare

    def syscall(self, number: int, *given: Any) -> int:
        """Keep the call."""
        self.calls.append((number, *given))
        return self.says(number)

    def __getattr__(self, name: str) -> Any:
        def keep(*given: Any) -> int:
            self.calls.append((name, *given))
            return self.unshared if name == "unshare" else 0

        return keep

    def asked(self, what: Any) -> list[tuple[Any, ...]]:
        """Return what was given with each call of this name or number."""
        return [tuple(given) for name, *given in self.calls if name == what]


POSIX = pytest.mark.skipif(os.name != "posix", reason="Windows has neither these files nor these users")


@pytest.fixture(name="linux")
def _linux(monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux, whatever system runs the tests."""
    monkeypatch.setattr(cage.sys, "platform", "linux")


def use(monkeypatch: pytest.MonkeyPatch, system: System) -> System:
    """Let the cage ask *system*."""
    monkeypatch.setattr(cage, "system", lambda: system)
    return system


@pytest.mark.usefixtures("linux")
@pytest.mark.parametrize(("said", "version"), [(-1, 0), (0, 0), (1, 1), (7, 7)])
def test_the_version_of_landlock_is_what_the_system_says(
    monkeypatch: pytest.MonkeyPatch, said: int, version: int
) -> None:
    """A kernel without it returns an error."""
    system = use(monkeypatch, System(lambda _: said))

    assert version == cage.landlock_version()
    assert [(444, None, 0, 1)] == system.calls
    isolated = "a process of its own, without secrets"
    assert cage.described() == (f"Landlock version {version}, namespaces, limits" if version else isolated)


def test_another_system_has_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not even asked."""
    monkeypatch.setattr(cage.sys, "platform", "darwin")
    system = use(monkeypatch, System(lambda _: 7))

    assert (0, False, []) == (cage.landlock_version(), cage.own_network(), system.calls)


@pytest.mark.parametrize(
    ("network", "version", "restricted", "limited", "found"),
    [
        (True, 7, True, True, []),
        (True, 6, True, True, []),
        (True, 5, True, True, ["other programs of this user, by a signal"]),
        (False, 7, True, True, ["the network, except for TCP"]),
        (False, 4, True, True, ["the network, except for TCP", "other programs of this user, by a signal"]),
        (False, 3, True, True, ["the network", "other programs of this user, by a signal"]),
        (True, 7, False, True, ["files of other programs"]),
        (False, 7, False, True, ["the network, except for TCP", "files of other programs"]),
        (True, 7, True, False, ["memory and time of the processor"]),
        (False, 0, True, False, ["the network", "files of other programs", "other programs of this user, by a signal",
                                 "memory and time of the processor"]),
    ],
)  # fmt: skip
def test_what_the_system_cannot_keep_out_is_named(
    monkeypatch: pytest.MonkeyPatch, network: bool, version: int, restricted: bool, limited: bool, found: list[str]
) -> None:
    """Thing by thing: somebody has to decide whether that is good enough."""
    limits: list[tuple[int, int]] = []
    monkeypatch.setattr(cage, "own_network", lambda: network)
    monkeypatch.setattr(cage, "landlock_version", lambda: version)
    monkeypatch.setattr(cage, "restrict", lambda _: restricted)
    monkeypatch.setattr(cage, "limit", lambda *given: limits.append(given) or limited)

    assert found == cage.enter(2048, 30)
    assert [(2048, 30)] == limits


@POSIX
@pytest.mark.usefixtures("linux")
@pytest.mark.parametrize(
    ("version", "size", "rights", "network", "scope"),
    [(1, 8, 13, 0, 0), (2, 8, 14, 0, 0), (3, 8, 15, 0, 0), (4, 16, 15, 3, 0), (5, 16, 16, 3, 0), (6, 24, 16, 3, 3),
     (9, 24, 16, 3, 3)],
)  # fmt: skip
def test_everything_that_a_version_can_forbid_is_forbidden(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: int, size: int, rights: int, network: int, scope: int
) -> None:
    """A version refuses what it does not know, so each gets what it has; allowed is to read, and nothing else."""
    (tmp_path / "file").touch()
    monkeypatch.setattr(cage, "readable", lambda: iter([tmp_path, tmp_path / "file", tmp_path / "gone"]))
    monkeypatch.setattr(cage, "PATH_ONLY", 0)
    opened = os.open(os.devnull, os.O_RDONLY)
    system = use(monkeypatch, System(lambda number: opened if number == cage.CREATE else 0))

    assert cage.restrict(version)
    ((rules, length, flags),) = system.asked(cage.CREATE)
    assert (size, size, 0) == (len(rules), length.value, flags)
    assert struct.pack("<QQQ", (1 << rights) - 1, network, scope)[:size] == rules
    assert [13, 5] == [struct.unpack("<Qi", rule)[0] for _, _, rule, _ in system.asked(cage.ADD)], "a folder, a file"
    assert [(38, 1, 0, 0, 0)] == system.asked("prctl")
    assert [(opened, 0)] == system.asked(cage.RESTRICT)
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(opened)


@POSIX
@pytest.mark.usefixtures("linux")
@pytest.mark.parametrize("fails", [cage.CREATE, cage.RESTRICT])
def test_a_system_that_refuses_is_not_taken_for_a_cage(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fails: int
) -> None:
    """Some containers forbid these calls."""
    opened = os.open(os.devnull, os.O_RDONLY)
    monkeypatch.setattr(cage, "readable", lambda: iter([]))
    use(monkeypatch, System(lambda number: -1 if number == fails else opened if number == cage.CREATE else 0))

    assert not cage.restrict(7)
    if fails == cage.CREATE:
        os.close(opened)


@POSIX
@pytest.mark.usefixtures("linux")
def test_the_network_is_one_without_any_other_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what servers of this machine listen at is covered, except where programs are."""
    system = use(monkeypatch, System())
    monkeypatch.setattr(cage, "readable", lambda: iter([Path("/var/lib/python/bin"), Path("/runner")]))
    written: list[tuple[str, str]] = []
    monkeypatch.setattr(Path, "write_text", lambda path, text, encoding: written.append((path.name, text)))

    assert cage.own_network()
    assert [(0x10000000 | 0x40000000 | 0x08000000 | 0x00020000,)] == system.asked("unshare")
    # The user may be the one it was, or it could not even read its own files.
    assert [("uid_map", f"0 {os.getuid()} 1"), ("setgroups", "deny"), ("gid_map", f"0 {os.getgid()} 1")] == written
    first, *covered = system.asked("mount")
    assert (None, b"/", None, 1 << 18 | 1 << 14, None) == first, "a copy of its own, that nobody else sees"
    assert [b"/run", b"/var/run"] == [place for _, place, *_ in covered]
    assert {(b"tmpfs", b"tmpfs", 0, b"size=4k")} == {
        (what, kind, flags, size) for what, _, kind, flags, size in covered
    }


@POSIX
@pytest.mark.usefixtures("linux")
def test_where_no_network_of_its_own_is_to_be_had_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else is tried then."""
    system = use(monkeypatch, System(unshare=-1))

    assert not cage.own_network()
    assert ["unshare"] == [name for name, *_ in system.calls]


def test_of_this_project_only_the_package_can_be_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Not what lies beside it: keys, data, the database. Libraries can, also where the package is one of them."""
    package = Path(cage.__file__).parents[1]
    library = tmp_path / "site-packages"
    library.mkdir()
    monkeypatch.setattr(cage.sys, "path", ["", str(package.parent), str(tmp_path / "gone"), str(library)])
    monkeypatch.chdir(package.parent)
    found = list(cage.readable())

    assert package == found[0]
    assert library.resolve() in found
    assert {package.parent, package.parent.parent} & set(found) == set()
    assert tmp_path / "gone" not in found
    assert Path(sys.prefix).resolve() in found
    monkeypatch.setattr(cage, "__file__", str(library / "player" / "trust" / "cage.py"))
    assert library.resolve() in list(cage.readable())


def test_a_trial_has_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of memory and time; it writes no file and leaves no core, in which its values would stand."""
    resource = pytest.importorskip("resource", reason="Windows has no such limits")
    found: dict[int, tuple[int, int]] = {}
    monkeypatch.setattr(resource, "setrlimit", found.__setitem__)

    assert cage.limit(3, 7)
    assert {
        resource.RLIMIT_AS: (3 * 1024 * 1024,) * 2,
        resource.RLIMIT_CPU: (8, 8),
        resource.RLIMIT_CORE: (0, 0),
        resource.RLIMIT_FSIZE: (0, 0),
    } == found


@pytest.mark.parametrize("error", [ValueError, OSError])
def test_a_limit_that_cannot_be_set_leaves_the_others(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    """Some systems have no limit of memory."""
    resource = pytest.importorskip("resource", reason="Windows has no such limits")
    asked = []

    def refuse(kind: int, _: Any) -> None:
        asked.append(kind)
        raise error

    monkeypatch.setattr(resource, "setrlimit", refuse)

    assert cage.limit(3, 7)
    assert 4 == len(asked)


def test_a_system_without_limits_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Windows is."""
    monkeypatch.setitem(sys.modules, "resource", None)

    assert not cage.limit(3, 7)


@pytest.mark.parametrize(
    ("outcome", "found"),
    [
        ("", []),
        ("the network\n\nfiles of other programs\n", ["the network", "files of other programs"]),
        (OSError("no process"), ["anything"]),
        (subprocess.TimeoutExpired("x", 30), ["anything"]),
        (subprocess.CalledProcessError(1, "x"), ["anything"]),
    ],
)
def test_a_cage_that_cannot_be_tried_is_none(monkeypatch: pytest.MonkeyPatch, outcome: Any, found: list[str]) -> None:
    """It is entered for good, so another process tries it."""
    told: dict[str, Any] = {}

    def run(command: list[str], **more: Any) -> Any:
        told.update(more, command=command)
        if isinstance(outcome, Exception):
            raise outcome
        return SimpleNamespace(stdout=outcome if more["text"] and more["capture_output"] else outcome.encode())

    monkeypatch.setattr(cage.subprocess, "run", run)

    assert found == cage.missing()
    assert sys.executable == told["command"][0]
    assert told["check"], "a process that fails has shown nothing"
    assert os.environ["PATH"] == told["env"]["PATH"]
    assert list(filter(None, sys.path)) == told["env"]["PYTHONPATH"].split(os.pathsep)


def test_a_trial_enters_before_it_reads_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the limits that it was given, in megabytes and seconds."""
    steps: list[Any] = []
    monkeypatch.setattr(cage, "enter", lambda *given: steps.append(given))
    monkeypatch.setattr("player.trust.examination.main", lambda: steps.append("examined") or 7)
    monkeypatch.setattr(sys, "argv", ["cage", "2048", "30"])

    assert (7, [(2048, 30), "examined"]) == (cage.main(), steps)
