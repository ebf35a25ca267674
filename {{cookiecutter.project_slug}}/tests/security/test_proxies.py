"""Whose word counts for where a request comes from: the connection's, and a trusted proxy's."""

import asyncio
from typing import Any

import pytest

from player.config import Settings, load_settings
from player.errors import ConfigError
from player.serving.worker import configure
from player.web.callers import plain_address


def seen_from(settings: Settings, peer: str, *forwarded: str) -> str:
    """Return the address under which a request from *peer* is known that says it was *forwarded* for others."""
    seen: list[Any] = []

    async def front(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)

    async def nothing(*_: Any) -> None:
        return None

    config = configure(front, settings)
    config.load()
    headers = [(b"x-forwarded-for", each.encode()) for each in forwarded]
    scope = {"type": "http", "scheme": "http", "client": (peer, 1), "headers": headers, "method": "GET", "path": "/",
             "query_string": b"", "http_version": "1.1", "server": ("127.0.0.1", 1), "root_path": ""}  # fmt: skip
    asyncio.run(config.loaded_app(scope, nothing, nothing))  # type: ignore[arg-type]
    return plain_address(seen[0]["client"][0])


@pytest.fixture(name="trusting")
def _trusting(home: Any, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings that trust the proxy 10.0.0.1 and those of a network."""
    monkeypatch.setenv("PLAYER_ACCESS__TRUSTED_PROXIES", "10.0.0.1, 10.1.0.0/16")
    return load_settings("testing")


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "10.0.0.1"])
def test_without_a_trusted_proxy_nobody_speaks_for_others(settings: Settings, peer: str) -> None:
    """Not even a program of this machine."""
    assert peer == seen_from(settings, peer, "203.0.113.7")


@pytest.mark.parametrize("peer", ["127.0.0.1", "10.0.0.2", "203.0.113.9", "::1"])
def test_a_stranger_is_not_believed(trusting: Settings, peer: str) -> None:
    """Whatever the header says, the connection says where it comes from."""
    assert peer == seen_from(trusting, peer, "203.0.113.7")


@pytest.mark.parametrize("peer", ["10.0.0.1", "10.1.7.9"])
def test_a_trusted_proxy_is_believed(trusting: Settings, peer: str) -> None:
    """By its address or its network."""
    assert "203.0.113.7" == seen_from(trusting, peer, "203.0.113.7")


def test_what_a_client_wrote_itself_is_not_believed(trusting: Settings) -> None:
    """The proxy appends whom it saw; what stands before that came from the client, in one header or in two."""
    assert "203.0.113.7" == seen_from(trusting, "10.0.0.1", "198.51.100.1, 203.0.113.7")
    assert "203.0.113.7" == seen_from(trusting, "10.0.0.1", "198.51.100.1", "203.0.113.7")
    assert "203.0.113.7" == seen_from(trusting, "10.0.0.1", "198.51.100.1, 203.0.113.7, 10.1.0.5")


@pytest.mark.parametrize(
    "forged", ["<script>", "a\tb", "1.2.3", "localhost", "' OR 1=1", "9" * 5000, "203.0.113.7\x00"]
)
def test_what_is_no_address_is_unknown(trusting: Settings, forged: str) -> None:
    """A proxy passes on what it got; only an address is stored as one."""
    assert "unknown" == seen_from(trusting, "10.0.0.1", forged)


@pytest.mark.parametrize("given", ["*", "proxy.example", "10.0.0.1, *", "10.0.0.300"])
def test_only_addresses_can_be_trusted(home: Any, given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A star would believe everybody."""
    monkeypatch.setenv("PLAYER_ACCESS__TRUSTED_PROXIES", given)
    with pytest.raises(ConfigError, match=r"access\.trusted_proxies"):
        load_settings("testing")
