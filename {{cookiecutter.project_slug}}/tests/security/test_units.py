"""The units of the service manager: how little a service of ours may do on its machine."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import PROJECT

UNITS = sorted((PROJECT / "server").glob("*.service"))
MOST_EXPOSED = 2.0  # of 10, as systemd counts


def settings_of(unit: Path) -> list[str]:
    """Return the lines of *unit* that say something."""
    lines = unit.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="this system has no systemd")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_is_hardly_exposed(unit: Path) -> None:
    """The service manager's own analysis says how much a service that was taken over could do."""
    done = subprocess.run(
        ["systemd-analyze", "security", "--no-pager", "--offline=true", str(unit)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    if "--offline" in done.stderr:
        pytest.skip("this systemd analyses no file")
    said = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)

    assert said, done.stderr
    assert float(said[1]) < MOST_EXPOSED


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_what_a_unit_writes_is_for_its_own_user(unit: Path) -> None:
    """Whatever the service manager would give otherwise."""
    assert "UMask=0077" in settings_of(unit)


def test_the_service_reads_models_and_has_public_keys_alone() -> None:
    """Who takes it over signs nothing and changes no model: it writes to its output, and to its log."""
    lines = settings_of(PROJECT / "server" / "player.service")

    assert not [line for line in lines if "SIGNING_KEY" in line]
    assert [line for line in lines if line.startswith("Environment=PLAYER_PUBLIC_KEYS_FILE=")]
    assert "ProtectSystem=strict" in lines
    (written,) = (line for line in lines if line.startswith("ReadWritePaths="))
    assert re.fullmatch(r"ReadWritePaths=/srv/\S+/output", re.sub(r"\{\{.*?\}\}", "project", written))
