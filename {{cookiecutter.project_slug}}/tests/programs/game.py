"""A short game against a service, and what came of it."""

import subprocess
from typing import Any

from conftest import PROJECT

from player.storage import queries
from tests.service import Service

ASKED = 700  # more than one window: the first chapter of the history is whole


def run(command: list[str], service: Service) -> None:
    """Run *command* in the folder of the project."""
    variables = {**service.variables, "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(
        command, cwd=service.settings.home, env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def stored(service: Service) -> Any:
    """Return all rows with their labels."""
    return queries.read(service.settings, queries.recent, 10 * ASKED)
