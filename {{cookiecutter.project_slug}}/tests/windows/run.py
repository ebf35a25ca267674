"""Runs tests as on Windows, as far as Linux can be like it: `tox -e windows`, or with the tests to run.

No fork and no fcntl, no file deleted or replaced while this process has it open (`like_windows/sitecustomize.py`), text
in the code page 1252 where nobody says otherwise, lines that end in CR LF, a blank in the path. What stays untried: the
branches of the code for `win32` itself, the console, and paths with a drive.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).parents[2]
LEFT_OUT = shutil.ignore_patterns(".*", "*.egg-info", "build", "chaos", "models", "output", "__pycache__")
TEXT = {".cfg", ".csv", ".css", ".html", ".ini", ".ipynb", ".json", ".mako", ".md", ".py", ".svg", ".toml", ".txt"}
NOT_LIKE_IT = (  # tests that fail here for a reason that Windows does not have
    "tests/customer/test_world.py::test_training_data_is_what_the_command_writes",  # Git keeps its LF
    "tests/serving/test_connections.py::test_a_worker_takes_all_the_open_files_it_may_have",  # there is a limit here
    "tests/serving/test_connections.py::test_where_there_is_no_limit_enough_are_asked_for",
    "tests/storage/test_backup.py::test_postgresql_is_dumped_and_comes_back",  # variables there are not in a code page
)
TESTS = ("tests/test_end_to_end.py", "tests/test_cli.py", "tests/test_features.py", "tests/test_logging.py",
         "tests/test_training.py", "tests/customer", "tests/model", "tests/reading", "tests/serving", "tests/settings",
         "tests/storage", "tests/trust")  # fmt: skip


def copy_with_crlf(into: Path) -> Path:
    """Copy the project as Git does on Windows with `core.autocrlf`; return the copy."""
    copy = into / "my player"
    shutil.copytree(PROJECT, copy, ignore=LEFT_OUT)
    for folder in ("models", "output"):
        (copy / folder).mkdir()
    for path in copy.rglob("*"):
        if path.suffix in TEXT:
            path.write_bytes(path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    return copy


def code_page(into: Path) -> dict[str, str]:
    """Make a locale with the code page 1252; return the variables that choose it."""
    name = "en_US.CP1252"
    command = ["localedef", "-i", "en_US", "-f", "CP1252", str(into / name)]
    try:
        subprocess.run(command, capture_output=True, check=False)  # it warns of what the code page cannot write
    except FileNotFoundError:
        sys.exit("There is no localedef here: this needs Linux with glibc.")
    if not (into / name).exists():
        sys.exit("The code page 1252 cannot be made: install your distribution's package `locales`.")
    return {"LOCPATH": str(into), "LC_ALL": name, "PYTHONUTF8": "0"}


def main(tests: list[str]) -> int:
    """Run the tests in such a copy; return pytest's exit code."""
    with tempfile.TemporaryDirectory() as folder:
        copy = copy_with_crlf(Path(folder))
        path = os.pathsep.join((str(Path(__file__).parent / "like_windows"), str(copy)))
        variables = {**os.environ, **code_page(Path(folder)), "PYTHONPATH": path}
        # By its name: tox has a Python of its own, without what the tests need, before that of .venv.
        command = ["pytest", "-q", "-p", "no:cacheprovider", *tests]
        command += [f"--deselect={test}" for test in NOT_LIKE_IT]
        return subprocess.run(command, cwd=copy, env=variables, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or list(TESTS)))
