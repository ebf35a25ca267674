"""Runs the tests of a wing on a mutant, in a copy of the project, and says whether one of them noticed."""

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from queue import SimpleQueue

import psutil
from mutants import PROJECT, Mutant

NOT_COPIED = shutil.ignore_patterns(".*", "__pycache__", "output", "models", "build", "*.egg-info")


class Judge:
    """Copies of the project, each for one run of the tests at a time."""

    def __init__(self, folder: Path, copies: int) -> None:
        """Make the copies in *folder*."""
        self.free: SimpleQueue[Path] = SimpleQueue()
        self.seconds: dict[tuple[str, ...], float] = {}  # what the tests of a wing need without any change
        for number in range(copies):
            home = Path(shutil.copytree(PROJECT, folder / str(number), ignore=NOT_COPIED))
            for name in ("models", "output"):
                (home / name).mkdir()
            self.free.put(home)

    def measure(self, tests: tuple[str, ...]) -> None:
        """Run *tests* on the code as it is; raises SystemExit when one fails, because then nothing can be said."""
        started = time.monotonic()
        if failed := self.find_failure(tests):
            raise SystemExit(f"Mend this first, it fails without any change: {failed}")
        self.seconds[tests] = time.monotonic() - started

    def notices(self, wing: str, mutant: Mutant) -> bool:
        """Tell whether a test fails, or takes three times as long as all together do, because of *mutant*."""
        seconds = 20 + 3 * self.seconds[find_tests(wing)]
        return bool(self.find_failure(find_tests(wing, mutant.path), mutant, seconds))

    def find_failure(self, tests: tuple[str, ...], mutant: Mutant | None = None, seconds: float | None = None) -> str:
        """Return what failed first of *tests* in a copy with that change, "" when all passed in time."""
        home = self.free.get()
        if mutant:
            (home / mutant.path).write_text(mutant.code, encoding="utf-8", newline="\n")
        try:
            return run_pytest(home, tests, seconds)
        finally:
            if mutant:
                shutil.copyfile(PROJECT / mutant.path, home / mutant.path)
            self.free.put(home)


def find_tests(wing: str, changed: Path | None = None) -> tuple[str, ...]:
    """Return the test files of *wing*; first those that are most likely to notice what *changed*."""
    folder = PROJECT / "tests" / wing
    found = sorted((folder if folder.is_dir() else PROJECT / "tests").glob("test_*.py"))
    if changed:
        found = sorted(
            (path for path in found if path.stem != "test_examples"), key=lambda path: distance(path, changed)
        )
    return tuple(str(path.relative_to(PROJECT)) for path in found) + examples(wing, changed)


def distance(test: Path, changed: Path) -> int:
    """Return how far a *test* file is from the module that *changed*: of its name, naming it, or another one."""
    if test.stem.startswith(f"test_{changed.stem}"):
        return 0
    named = re.search(rf"\b{changed.stem}\b", test.read_text(encoding="utf-8"))
    return 1 if named else 2


def examples(wing: str, changed: Path | None) -> tuple[str, ...]:
    """Return the test of the examples in the docstrings of what *changed*; none where it has none."""
    if not changed:  # among the tests of the ground floor it is already
        return ("tests/test_examples.py",) if (PROJECT / "tests" / wing).is_dir() else ()
    if ">>>" not in (PROJECT / changed).read_text(encoding="utf-8"):
        return ()
    module = ".".join(changed.with_suffix("").parts).removesuffix(".__init__")
    return (f"tests/test_examples.py::test_the_examples_of_a_module_hold[{module}]",)


def run_pytest(home: Path, tests: tuple[str, ...], seconds: float | None) -> str:
    """Run *tests* in *home* until the first failure; return its name, "" when all passed in time."""
    command = [shutil.which("pytest") or "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    # No compiled code of another mutant, and no fight for the cores: that makes training many times slower.
    alone = {"PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    variables = {**os.environ, **alone, "PYTHONPATH": str(home)}
    with tempfile.TemporaryFile() as said:
        run = subprocess.Popen(command, cwd=home, env=variables, stdout=said, stderr=subprocess.STDOUT)
        try:
            code = run.wait(seconds)
        except subprocess.TimeoutExpired:
            for process in [*psutil.Process(run.pid).children(recursive=True), run]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            run.wait()
            return "it takes too long"
        said.seek(0)
        lines = said.read().decode("utf-8", "replace").splitlines()
    failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))] or lines[-1:] or [f"exit code {code}"]
    return failed[0] if code else ""
