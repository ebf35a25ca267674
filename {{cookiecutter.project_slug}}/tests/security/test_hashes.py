"""Where an organisation has written down which files it trusts, only these are installed."""

import configparser
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import PROJECT

SHOW = '\nshow-hashes:\n\t@echo "given: $$HASHES"\n'


def given(folder: Path) -> str:
    """Return what `make` in *folder* gives to tox in the variable HASHES."""
    done = subprocess.run(["make", "-s", "show-hashes"], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.skipif(shutil.which("make") is None, reason="this system has no make")
def test_make_uses_hashes_where_there_are_any(tmp_path: Path) -> None:
    """Without hashes.txt nothing changes; with it the file is given to tox."""
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    (tmp_path / "Makefile").write_text(makefile + SHOW, encoding="utf-8")
    without = given(tmp_path)
    (tmp_path / "hashes.txt").touch()

    assert ("given:", "given: -rhashes.txt") == (without, given(tmp_path))


def test_tox_installs_what_the_file_of_hashes_names() -> None:
    """The environment that all others use installs it first: pip and uv then take no file with another hash."""
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(PROJECT / "tox.ini", encoding="utf-8")

    assert "{env:HASHES:}" == tox["testenv:py"]["deps"]


def test_another_file_than_the_trusted_one_stops_an_installation(tmp_path: Path) -> None:
    """A hash is no remark: pip refuses the file and says so, and nothing is installed."""
    pytest.importorskip("pip", reason="there is uv alone, which refuses it as well")
    (tmp_path / "tiny-1.0-py3-none-any.whl").write_bytes(b"another file than the one that was looked at")
    (tmp_path / "hashes.txt").write_text(f"tiny==1.0 --hash=sha256:{64 * '0'}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "--isolated", "install", "--no-index", "--no-deps", "--find-links", ".",
               "--target", "installed", "-r", "hashes.txt"]  # fmt: skip

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stderr
    assert not (tmp_path / "installed").exists()
