"""Finds a port for a player's server, starts it for the time of a game, waits until it is ready, and stops it."""

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from customer.errors import NoPlayer

READY_WITHIN_SECONDS = 60.0
STOPPED_WITHIN_SECONDS = 30.0
ON_WINDOWS = sys.platform == "win32"
PORT = "{port}"  # stands in a command where the server takes its port
FIRST_CHOICE = 5000  # where the address names no port


@contextmanager
def on_a_free_port(command: str, url: str) -> Iterator[tuple[str, str]]:
    """Give (command, url) with a free port in both; until the block ends no other customer takes it.

    That is the port of *url*, or a free one above when it is taken. Only a *command* that says with `{port}` where its
    port goes can be told so; any other is given back as it is. Raises NoPlayer when no port is free.
    """
    if PORT not in command:
        yield command, url
        return
    parts = urlsplit(url)
    host = parts.hostname or ""
    port, claim = first_free(host, parts.port or FIRST_CHOICE)
    with claim:
        netloc = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        yield command.replace(PORT, str(port)), parts._replace(netloc=netloc).geturl()


def first_free(host: str, wished: int) -> tuple[int, socket.socket]:
    """Return the port *wished*, or the first free one of 50 above, and the claim to it; raises NoPlayer."""
    above = range(wished + 10, min(wished + 60, 65_536))  # the next few may belong to the player's other environments
    for port in (wished, *above):
        with suppress(OSError):
            return port, claim_port(host, port)
    raise NoPlayer(f"No port is free at {host}: {wished} is taken, and so is every one up to {wished + 59}.")


def claim_port(host: str, port: int) -> socket.socket:
    """Return an open socket that claims a free port; raises OSError when it is taken or claimed.

    The server itself needs the TCP port, so the claim is the UDP port with the same number: of two customers who look
    for a port in the same second, before either server listens, only one can have it.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    claim = socket.socket(family, socket.SOCK_DGRAM)
    try:
        claim.bind((host, port))
        socket.create_server((host, port), family=family).close()
    except OSError:
        claim.close()
        raise
    return claim


@contextmanager
def running(command: str, url: str, log: Path) -> Iterator[Callable[[], None]]:
    """Run *command* until the block ends; enter it when *url* says that it is ready. What it prints goes to *log*.

    Gives what kills the server as a power cut would, starts it again and returns when it is ready.
    Raises NoPlayer when the address is taken, the server stops by itself, or it is not ready in time.
    """
    if is_ready(url):
        raise NoPlayer(
            f"Something answers at {url} already; stop it first, play against it without --start, or write {PORT} into "
            f"--start where the server takes its port: then a free one is chosen."
        )
    previous = signal.signal(signal.SIGTERM, leave)  # so that a stopped customer stops the server as well
    try:
        servers = [start(command, log)]

        def kill_and_start() -> None:
            kill(servers[-1])
            servers.append(start(command, log, "ab"))
            wait_until_ready(servers[-1], url, log)

        try:
            wait_until_ready(servers[-1], url, log)
            yield kill_and_start
        finally:
            stop(servers[-1])
    finally:
        signal.signal(signal.SIGTERM, previous)


def leave(number: int, frame: Any) -> None:
    """End the program as the shell expects it after a signal."""
    sys.exit(128 + number)


def start(command: str, log: Path, mode: str = "wb") -> "subprocess.Popen[bytes]":
    """Start *command* in a process group of its own: Ctrl-C goes to the customer, who stops it in order."""
    apart: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    try:  # S603: the command is the user's own
        words = command if ON_WINDOWS else shlex.split(command)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open(mode) as output:
            return subprocess.Popen(words, stdout=output, stderr=output, stdin=subprocess.DEVNULL, **apart)  # noqa: S603
    except (OSError, ValueError) as error:
        raise NoPlayer(f"{command!r} cannot be started: {error}") from None


def wait_until_ready(server: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    """Return when the server answers 200 on /health/ready; raises NoPlayer when it will not."""
    give_up = time.monotonic() + READY_WITHIN_SECONDS
    while True:
        if server.poll() is not None:
            raise NoPlayer(f"The server stopped with exit code {server.returncode}: {last_line(log)} (more in {log})")
        if is_ready(url):  # asked of a server that runs: one that could not listen has ended by now
            return
        if time.monotonic() > give_up:
            raise NoPlayer(
                f"{url}/health/ready was not ready in {READY_WITHIN_SECONDS:.0f} s; see {log}. A server that listens "
                f"elsewhere is told its port with {PORT} in --start."
            )
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


def kill(server: "subprocess.Popen[bytes]") -> None:
    """Kill a server and all its workers at once, with no time to put anything in order."""
    if sys.platform == "win32":
        whole_tree = ["taskkill", "/F", "/T", "/PID", str(server.pid)]
        subprocess.run(whole_tree, capture_output=True, check=False)  # noqa: S603 - a number of our own
    else:
        with suppress(ProcessLookupError):  # it has ended by itself
            os.killpg(server.pid, signal.SIGKILL)
    server.wait()


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
