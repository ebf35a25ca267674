"""Schemathesis reads the published contract and finds nothing that the running service does otherwise."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from player.config import Settings
from tests.service import Service


def test_the_published_contract(
    model_settings: Settings, start: Callable[..., Service], amount: Callable[[str], int], report: Callable[..., None],
    tmp_path: Path,
) -> None:  # fmt: skip
    """All its checks, on all operations, with data that fits the contract and data that does not: no finding."""
    service = start(model_settings)
    service.wait_for_all()
    examples = max(10, amount("REQUESTS") // 5000)
    command = [str(Path(sys.executable).with_name("schemathesis")), "run",
               f"http://127.0.0.1:{service.port}/openapi.json", "--max-examples", str(examples), "--seed", "1",
               "--continue-on-failure", "--no-color", "--request-timeout", "30"]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    cases = re.search(r"([\d,]+) generated", done.stdout)
    report(cases=cases[1] if cases else "?", findings=0 if done.returncode == 0 else "see the output")

    assert 0 == done.returncode, done.stdout[-15000:] + done.stderr[-2000:]
