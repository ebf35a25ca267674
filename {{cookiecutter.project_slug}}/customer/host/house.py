"""Where a tournament lives: its database, its address, its files, and who may be asked."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from customer.errors import CustomerError, reason
from customer.host.addresses import reachable_address

ANYWHERE = ("0.0.0.0", "::", "")  # noqa: S104 - compared with, not bound to


@dataclass(frozen=True)
class House:
    """Where the tournament lives: its database, its address, its files, and who may be asked."""

    database: str
    address: str = "127.0.0.1"
    port: int = 8000
    networks: tuple[str, ...] = ()
    room_code: str = ""
    output: Path = Path("output")
    players: Path | None = None
    seed: int | None = None
    public: str = ""  # the address that players know, when it is another one than the machine's
    workers: bool = False  # whether other processes ask, not this one

    @property
    def guard(self) -> dict[str, Any]:
        """Return which addresses may be asked, as a Guard takes it."""
        loopback = self.address not in ANYWHERE
        return {"allowed": list(self.networks), "own_port": self.port, "loopback": loopback}

    @property
    def url(self) -> str:
        """Return where players reach the host."""
        name = reachable_address() if self.address in ANYWHERE else self.address
        return self.public.rstrip("/") or f"http://{f'[{name}]' if ':' in name else name}:{self.port}"


def read_text(path: Path) -> str:
    """Return the text of a file; raises CustomerError when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise CustomerError(f"{path} cannot be read: {error}") from None


def write(path: Path, text: str, private: bool = False) -> None:
    """Write a file; a *private* one can be read by its owner only."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600 if private else 0o644)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as error:
        raise CustomerError(f"{path} cannot be written: {reason(error)}.") from None
