"""How the service is run: a socket, a supervisor of its workers, and what each signal does.

SIGTERM or Ctrl-C stops them gracefully. SIGHUP replaces them one by one: the next one goes only when its successor
answers, so that no request is lost.
"""

import os
import shutil
import signal
import socket

from flask import Flask
from werkzeug.serving import run_simple

from player.config import Settings
from player.errors import ConfigError
from player.serving.connections import BACKLOG
from player.serving.supervisor import Supervisor


def serve(settings: Settings) -> None:
    """Run the service until it is stopped; raises ConfigError when its port is taken."""
    if settings.server.debug:
        serve_for_coding(settings)
        return
    sock = listen(settings)
    share_metrics(settings)
    supervisor = Supervisor(settings, sock)
    signal.signal(signal.SIGINT, supervisor.ask_to_stop)
    signal.signal(signal.SIGTERM, supervisor.ask_to_stop)
    for name, handler in (("SIGHUP", supervisor.ask_to_restart), ("SIGBREAK", supervisor.ask_to_stop)):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), handler)
    supervisor.run()


def listen(settings: Settings) -> socket.socket:
    """Return the listening socket that all workers share."""
    address = (settings.server.host, settings.server.port)
    family = socket.AF_INET6 if ":" in settings.server.host else socket.AF_INET
    try:
        sock = socket.create_server(address, family=family, backlog=BACKLOG)
        # Connections inherit it. Without it an answer of two packets waits 40 ms for the client to confirm the first.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock
    except OSError as error:
        raise ConfigError(
            f"Cannot listen on {address[0]}:{address[1]} ({error.strerror}); another service may use the port: "
            f"choose one with PLAYER_SERVER__PORT or --port."
        ) from None


def share_metrics(settings: Settings) -> None:
    """Prepare the folder in which the counters of all workers meet."""
    folder = settings.path("output/{environment}-metrics")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)


def serve_for_coding(settings: Settings) -> None:
    """Run Flask's own server: it reloads when a file changes and shows tracebacks, but runs no code."""
    os.environ["PLAYER_ENV"] = settings.environment
    from player.app import create_app

    reloaded = os.environ.get("WERKZEUG_RUN_MAIN") == "true"  # the reloader runs this command again as its child
    if not reloaded:
        listen(settings).close()  # a taken port is said in one line, as everywhere
    app = create_app(settings) if reloaded else Flask("reloader")
    extra = [str(path) for path in (settings.home / "config").glob("*.toml")]
    run_simple(settings.server.host, settings.server.port, app, use_reloader=True,
               use_debugger=True, use_evalex=False, threaded=True, extra_files=extra)  # fmt: skip
