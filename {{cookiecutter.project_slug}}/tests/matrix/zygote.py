"""Runs commands, each in a process of its own that is forked here, where everything is imported: a start is cheap then.

Orders come in as lines of JSON, exit codes go out. As root it is started without the right to read and write what
belongs to somebody else (`place.ORDINARY`), so that a closed file is closed.
"""

import json
import os
import pkgutil
import resource
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

import player
from player.app import create_app
from player.config import load_settings
from player.serving.checks import before_serving

MOST_SECONDS = 600.0
HUNG = 99


def run(order: dict[str, Any]) -> int:
    """Fork, do what is ordered, and return the exit code; minus the signal when it was killed."""
    pid = os.fork()
    if pid == 0:
        os._exit(child(order))
    began, killed_at = time.monotonic(), order.get("kill_after") or MOST_SECONDS
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() - began > killed_at:
            os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return -signal.SIGKILL if order.get("kill_after") else HUNG
        if order.get("until", "\0") in Path(order["output"]).read_text(encoding="utf-8", errors="replace"):
            os.kill(pid, signal.SIGTERM)
        time.sleep(0.01)


def child(order: dict[str, Any]) -> int:
    """Run one command as a shell would: in the project's folder, with these variables, printing into files."""
    os.setpgid(0, 0)
    for number, name in ((1, "output"), (2, "errors")):
        os.dup2(os.open(order[name], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), number)
    for limit, most in order.get("limits", {}).items():
        resource.setrlimit(int(limit), (most, most))
    os.environ.clear()
    os.environ.update(order["variables"])
    os.chdir(order["home"])
    program, *arguments = order["words"]
    try:
        with in_short():
            starts() if program == "starts" else import_module(f"{program}.cli").main(arguments, prog_name=program)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else bool(end.code)
    except BaseException:
        traceback.print_exc()
        return 70
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def starts() -> None:
    """Start as `player serve` does, and answer; raises when that is not possible."""
    settings = load_settings()
    before_serving(settings)
    app = create_app(settings)
    try:
        answer = app.test_client().get("/health/ready")
        assert 200 == answer.status_code, answer.text
    finally:
        app.extensions["player"].stop()


@contextmanager
def in_short() -> Iterator[None]:
    """Let `player schedule` not wait, and no promotion run the unit tests."""
    with (
        patch("apscheduler.schedulers.blocking.BlockingScheduler.start", lambda scheduler: None),
        patch("player.promotion.gates.UNIT_TESTS", ("--version",)),
    ):
        yield


def main() -> None:
    """Import everything, then do what is ordered until nobody orders any more."""
    for module in pkgutil.walk_packages(player.__path__, "player."):
        with suppress(ImportError):  # what needs Spark
            if not module.name.startswith("player.storage.migrations."):
                import_module(module.name)
    for line in sys.stdin:
        print(run(json.loads(line)), flush=True)


if __name__ == "__main__":
    main()
