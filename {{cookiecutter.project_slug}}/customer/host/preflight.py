"""What to look at the day before: is this machine ready to host, and will the others reach it?"""

import platform
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from customer.errors import CustomerError
from customer.host.addresses import reachable_address
from customer.host.store import open_engine

FILES_FOR_A_ROOM = 1024


class Look(NamedTuple):
    """One thing that was looked at."""

    name: str
    good: bool
    text: str


def look(address: str, port: int, database: str, output: Path) -> Iterator[Look]:
    """Look at everything; nothing is changed and nothing is sent to another machine."""
    own = reachable_address()
    yield Look("network", own != "127.0.0.1", f"other machines reach this one as {own}")
    yield port_is_free(address, port)
    if address in ("127.0.0.1", "localhost", "::1"):
        yield Look("address", False, f"{address} is this machine to itself: start with --address 0.0.0.0")
    else:
        yield reaches_itself(own)
    yield firewall(port)
    yield Look("database", *database_works(database))
    free = shutil.disk_usage(output if output.is_dir() else Path()).free / 1e9
    yield Look("disk", free > 1, f"{free:.0f} GB free; a day of thirty players needs less than one")
    yield open_files()


def port_is_free(address: str, port: int) -> Look:
    """Try to listen on the port for a moment."""
    try:
        with socket.create_server((address, port)):
            return Look("port", True, f"{port} is free")
    except OSError as error:
        return Look("port", False, f"{port} cannot be used: {error.strerror or error}; choose another --port")


def reaches_itself(own: str) -> Look:
    """Connect to this machine by the address that others use."""
    try:
        with socket.create_server((own, 0)) as server:
            socket.create_connection(server.getsockname()[:2], timeout=2).close()
        return Look("address", True, f"{own} takes connections")
    except OSError as error:
        return Look("address", False, f"{own} takes no connections: {error}")


def firewall(port: int) -> Look:
    """Say how this machine's firewall is asked; only another machine can see whether it is open."""
    how = {
        "Windows": f"New-NetFirewallRule -DisplayName tournament -Direction Inbound -Protocol TCP -LocalPort {port} "
        "-Action Allow (PowerShell, as administrator)",
        "Darwin": "System Settings, Network, Firewall: allow python",
    }.get(platform.system(), f"sudo ufw allow {port}/tcp, or: sudo firewall-cmd --add-port={port}/tcp")
    return Look(
        "firewall", True, f"only another machine can tell. Open the board from a participant's laptop; else: {how}"
    )


def database_works(address: str) -> tuple[bool, str]:
    """Connect to the database."""
    try:
        engine = open_engine(address)
        with engine.connect():
            pass
        engine.dispose()
    except CustomerError as error:
        return False, str(error)
    except Exception as error:
        return False, f"cannot be reached: {str(error).splitlines()[0]}"
    return True, f"{engine.url.render_as_string(hide_password=True)} can be used"


def open_files() -> Look:
    """Look how many connections this process may have."""
    try:
        import resource
    except ImportError:  # Windows
        return Look("open files", True, "no limit known on this system")
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    enough = most < 0 or most >= FILES_FOR_A_ROOM
    return Look("open files", enough, f"up to {'any number' if most < 0 else most}; each player and browser needs one")
