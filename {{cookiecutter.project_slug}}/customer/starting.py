"""Starts a player's server for the time of a game, waits until it is ready, and stops it afterwards."""

import os
import shlex
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from customer.errors import NoPlayer

READY_WITHIN_SECONDS = 60.0
STOPPED_WITHIN_SECONDS = 30.0
ON_WINDOWS = sys.platform == "win32"


@contextmanager
def running(command: str, url: str, log: Path) -> Iterator[None]:
    """Run *command* until the block ends; enter it when *url* says that it is ready. What it prints goes to *log*.

    Raises NoPlayer when the address is taken, the server stops by itself, or it is not ready in time.
    """
    if is_ready(url):
        raise NoPlayer(f"Something answers at {url} already; stop it first, or play against it without --start.")
    previous = signal.signal(signal.SIGTERM, leave)  # so that a stopped customer stops the server as well
    try:
        server = start(command, log)
        try:
            wait_until_ready(server, url, log)
            yield
        finally:
            stop(server)
    finally:
        signal.signal(signal.SIGTERM, previous)


def leave(number: int, frame: Any) -> None:
    """End the program as the shell expects it after a signal."""
    sys.exit(128 + number)


def start(command: str, log: Path) -> "subprocess.Popen[bytes]":
    """Start *command* in a process group of its own: Ctrl-C goes to the customer, who stops it in order."""
    apart: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    try:  # S603: the command is the user's own
        words = command if ON_WINDOWS else shlex.split(command)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            return subprocess.Popen(words, stdout=output, stderr=output, stdin=subprocess.DEVNULL, **apart)  # noqa: S603
    except (OSError, ValueError) as error:
        raise NoPlayer(f"{command!r} cannot be started: {error}") from None


def wait_until_ready(server: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    """Return when the server answers 200 on /health/ready; raises NoPlayer when it will not."""
    give_up = time.monotonic() + READY_WITHIN_SECONDS
    while not is_ready(url):
        if server.poll() is not None:
            raise NoPlayer(f"The server stopped with exit code {server.returncode}: {last_line(log)} (more in {log})")
        if time.monotonic() > give_up:
            raise NoPlayer(f"{url}/health/ready was not ready in {READY_WITHIN_SECONDS:.0f} s; see {log}.")
        time.sleep(0.1)


def is_ready(url: str) -> bool:
    """Ask the server once whether it is ready."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with suppress(OSError, ValueError), opener.open(f"{url}/health/ready", timeout=2) as answer:
        return bool(answer.status == 200)
    return False


def last_line(log: Path) -> str:
    """Return the last thing the server said."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def stop(server: "subprocess.Popen[bytes]") -> None:
    """Ask the server to stop in order, and end it when it does not."""
    if server.poll() is not None:
        return
    if ON_WINDOWS:
        os.kill(server.pid, getattr(signal, "CTRL_BREAK_EVENT", signal.SIGTERM))
    else:
        server.terminate()
    try:
        server.wait(STOPPED_WITHIN_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
