"""Runs the tests of a wing on a mutant, in a copy of the project, and says whether one of them noticed."""

import os
import shutil
import subprocess
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
        """Run *tests* on the code as it is; raises SystemExit when one fails."""
        started = time.monotonic()
        if not self.passes(tests):
            raise SystemExit(f"Mend this first, it fails without any change: pytest -x {' '.join(tests)}")
        self.seconds[tests] = time.monotonic() - started

    def notices(self, wing: str, mutant: Mutant) -> bool:
        """Tell whether a test fails, or takes three times as long as all together do, because of *mutant*."""
        seconds = 20 + 3 * self.seconds[find_tests(wing)]
        return not self.passes(find_tests(wing, first=mutant.path.stem), mutant, seconds)

    def passes(self, tests: tuple[str, ...], mutant: Mutant | None = None, seconds: float | None = None) -> bool:
        """Tell whether *tests* pass in time in a copy with that change."""
        home = self.free.get()
        if mutant:
            (home / mutant.path).write_text(mutant.code, encoding="utf-8", newline="\n")
        try:
            return run_pytest(home, tests, seconds)
        finally:
            if mutant:
                shutil.copyfile(PROJECT / mutant.path, home / mutant.path)
            self.free.put(home)


def find_tests(wing: str, first: str = "test") -> tuple[str, ...]:
    """Return the tests of *wing*; those of the module *first* before the others: they notice sooner."""
    folder = PROJECT / "tests" / wing
    found = sorted((folder if folder.is_dir() else PROJECT / "tests").glob("test_*.py"))
    found = sorted({*found, PROJECT / "tests" / "test_examples.py"}, key=lambda path: (first not in path.stem, path))
    return tuple(str(path.relative_to(PROJECT)) for path in found)


def run_pytest(home: Path, tests: tuple[str, ...], seconds: float | None) -> bool:
    """Run *tests* in *home* until the first failure; tell whether all passed in time."""
    command = [shutil.which("pytest") or "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    # No compiled code of another mutant, and no fight for the cores: that makes training many times slower.
    alone = {"PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    variables = {**os.environ, **alone, "PYTHONPATH": str(home)}
    with subprocess.Popen(command, cwd=home, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT) as run:
        try:
            return run.wait(seconds) == 0
        except subprocess.TimeoutExpired:
            for process in [*psutil.Process(run.pid).children(recursive=True), run]:
                process.kill()
            return False
