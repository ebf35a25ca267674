"""How the service is run: a socket, a supervisor of its workers, and what each signal does.

The port opens when the first worker can answer, not before. SIGTERM or Ctrl-C stops the workers gracefully. SIGHUP
replaces them one by one: the next one goes only when its successor answers, so that no request is lost.
"""

import errno
import os
import shutil
import signal
import socket
from contextlib import suppress
from functools import partial

import click
from flask import Flask
from werkzeug.serving import run_simple

from player.config import Settings
from player.errors import ConfigError, PlayerError
from player.serving.supervisor import Supervisor
from player.settings.remedies import of_system

FIRST_GIVEN = 3  # the number of the first file that a service manager hands over
NOT_HERE = "this machine has no such address: correct [server].host, or --host"
PORT_TROUBLE = {
    errno.EADDRINUSE: "another service uses the port: choose one with PLAYER_SERVER__PORT or --port",
    errno.EADDRNOTAVAIL: NOT_HERE,
    errno.EACCES: "this user may not open the port: choose one above 1023 with PLAYER_SERVER__PORT or --port",
}


def serve(settings: Settings) -> None:
    """Run the service until it is stopped; raises PlayerError when its port is taken or no worker can start."""
    if settings.server.debug:
        serve_for_coding(settings)
        return
    sock = given_socket() or bind(settings)
    share_metrics(settings)
    supervisor = Supervisor(settings, sock, partial(announce, settings, *sock.getsockname()[:2]))
    signal.signal(signal.SIGINT, supervisor.ask_to_stop)
    signal.signal(signal.SIGTERM, supervisor.ask_to_stop)
    for name, handler in (("SIGHUP", supervisor.ask_to_restart), ("SIGBREAK", supervisor.ask_to_stop)):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), handler)
    supervisor.run()


def announce(settings: Settings, host: str, port: int) -> None:
    """Say that requests are answered: to whoever reads, and to a service manager that waits for it."""
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    click.echo(f"Serving on {address}{settings.contract.predict} (begin at {address}/). Stop with Ctrl-C.")
    place = os.environ.get("NOTIFY_SOCKET", "")
    if place and hasattr(socket, "AF_UNIX"):
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.sendto(b"READY=1", place.replace("@", "\0", 1) if place.startswith("@") else place)


def given_socket() -> socket.socket | None:
    """Return the listening socket that the service manager opened and keeps, None when there is none.

    It stays open while we restart, so that who comes then waits in its queue instead of being refused (systemd's
    sd_listen_fds(3)).
    """
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS", "0") == "0":
        return None
    sock = socket.socket(fileno=FIRST_GIVEN)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def check_port(settings: Settings) -> None:
    """Raise ConfigError when the port is taken, before anything else is looked at; a given socket has it already."""
    if "LISTEN_PID" not in os.environ:
        bind(settings).close()


def bind(settings: Settings) -> socket.socket:
    """Return the socket that all workers share, with its port taken but not open: the first worker opens it."""
    host, port = settings.server.host, settings.server.port
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        if os.name == "posix":  # after a restart old connections must not keep the port from us
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Connections inherit it. Without it an answer of two packets waits 40 ms for the client to confirm the first.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        why = NOT_HERE if isinstance(error, socket.gaierror) else PORT_TROUBLE.get(error.errno or 0, error.strerror)
        raise ConfigError(f"Cannot listen on {host}:{port}: {why}.") from None
    return sock


def share_metrics(settings: Settings) -> None:
    """Prepare the folder in which the counters of all workers of this service, and of no other, meet."""
    folder = settings.path("output/{environment}-metrics") / str(settings.server.port)
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PlayerError(f"The counters cannot be kept in {folder}: {of_system(error)}.") from None
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)


def serve_for_coding(settings: Settings) -> None:
    """Run Flask's own server: it reloads when a file changes and shows tracebacks, but runs no code."""
    os.environ["PLAYER_ENV"] = settings.environment
    from player.app import create_app

    reloaded = os.environ.get("WERKZEUG_RUN_MAIN") == "true"  # the reloader runs this command again as its child
    if not reloaded:
        bind(settings).close()  # a taken port is said in one line, as everywhere
    app = create_app(settings) if reloaded else Flask("reloader")
    if reloaded:
        announce(settings, settings.server.host, settings.server.port)
    extra = [str(path) for path in (settings.home / "config").glob("*.toml")]
    run_simple(settings.server.host, settings.server.port, app, use_reloader=True,
               use_debugger=True, use_evalex=False, threaded=True, extra_files=extra)  # fmt: skip
