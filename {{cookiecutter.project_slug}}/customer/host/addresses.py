"""Which addresses the customer asks: only what was registered, and only in networks the host allows.

A name is resolved and checked again when a connection is made, so that it cannot lead elsewhere later.
"""

import asyncio
import ipaddress
import socket
from typing import Any
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from customer.errors import CustomerError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
LOWEST_PORT = 1024
EXAMPLE = "it looks like http://10.0.0.17:5000"


class Guard:
    """Decides about addresses: the networks that are *allowed* (none given: all that can be a player's)."""

    def __init__(self, allowed: list[str] | None = None, own_port: int = 0, loopback: bool = True) -> None:
        self.own_port, self.loopback = own_port, loopback
        try:
            self.allowed: list[Network] = [ipaddress.ip_network(each.strip()) for each in allowed or []]
        except ValueError as error:
            raise CustomerError(f"--networks: {error}; it looks like 10.0.0.0/8,192.168.1.0/24.") from None

    def refusal(self, address: str) -> str:
        """Return why the customer does not go to this IP address, or ""."""
        ip = ipaddress.ip_address(address.partition("%")[0])
        if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
            ip = ip.ipv4_mapped
        if self.allowed and not any(ip.version == each.version and ip in each for each in self.allowed):
            return f"{ip} is in none of the host's networks ({', '.join(map(str, self.allowed))})"
        if ip.is_loopback and not (self.loopback or self.allowed):
            return f"{ip} is this machine to itself: give the address by which the host reaches yours"
        if ip.is_link_local or ip.is_multicast or ip.is_unspecified or (ip.is_reserved and not ip.is_loopback):
            return f"{ip} is no address of a player"
        return ""

    async def check(self, url: str) -> tuple[str, str]:
        """Return the address as it is asked, and the form by which two equal ones are known.

        Raises CustomerError when it is no address, is not allowed, cannot be found, or is the host itself.
        """
        scheme, host, port = split(url)
        loop = asyncio.get_running_loop()
        try:
            found = await asyncio.wait_for(loop.getaddrinfo(host, port, type=socket.SOCK_STREAM), 5)
        except (OSError, TimeoutError, UnicodeError):
            raise CustomerError(f"The name {host!r} is not known on the host's machine: give the number.") from None
        addresses = sorted({str(each[4][0]) for each in found})
        for address in addresses:
            if why := self.refusal(address):
                raise CustomerError(f"{url}: {why}.")
            if port == self.own_port and is_own(address):
                raise CustomerError(f"{url} is the host's own address; give your player's, {EXAMPLE}.")
        shown = f"[{host}]" if ":" in host else host
        return f"{scheme}://{shown}:{port}", f"{addresses[0]} {port}"


def split(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port of a player's address; raises CustomerError when it is none."""
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = urlsplit(""), None, None
    if parts.scheme not in ("http", "https") or not host or len(url) > 300:
        raise CustomerError(f"{url[:60]!r} is no address; {EXAMPLE}.")
    if parts.username is not None or parts.query or parts.fragment or parts.path not in ("", "/", "/api", "/api/"):
        raise CustomerError(f"{url[:60]!r} has more than name and port; {EXAMPLE}.")
    port = port or (443 if parts.scheme == "https" else 80)
    if port < LOWEST_PORT and port not in (80, 443):
        raise CustomerError(f"Port {port} belongs to another service; a player listens on 80, 443 or above 1023.")
    return parts.scheme, host, port


def is_own(address: str) -> bool:
    """Tell whether an IP address belongs to this machine."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def reachable_address() -> str:
    """Return the address by which other machines reach this one; nothing is sent to find out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address that belongs to nobody, RFC 5737
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


class CheckedResolver(AbstractResolver):
    """Resolves names for the customer's connections, and refuses what the guard refuses."""

    def __init__(self, guard: Guard) -> None:
        self.guard, self.inner = guard, ThreadedResolver()

    async def resolve(self, host: str, port: int = 0, family: Any = socket.AF_INET) -> list[ResolveResult]:
        """Return the addresses of *host* that are allowed."""
        found = await self.inner.resolve(host, port, family)
        allowed = [each for each in found if not self.guard.refusal(each["host"])]
        if not allowed:
            raise OSError(f"{host} leads outside the host's networks")
        return allowed

    async def close(self) -> None:
        """Nothing to close."""
