"""What is made from the tournament's secret: keys, ids that say nothing, orders, signatures."""

import hashlib
import hmac
import time
import uuid
from collections.abc import Callable

import numpy as np

TIME_HEADER, SIGNATURE_HEADER = "X-Customer-Time", "X-Customer-Signature"


def derive(secret: str, *parts: object) -> bytes:
    """Return 32 bytes that nobody can make without the *secret*."""
    return hmac.new(secret.encode(), "\n".join(map(str, parts)).encode(), hashlib.sha256).digest()


def player_key(secret: str, player_id: int, name: str) -> str:
    """Return the key of a player: it opens the player's page, and signs what the customer sends."""
    return f"{player_id}-{derive(secret, 'player', player_id, name).hex()[:32]}"


def host_key(secret: str) -> str:
    """Return the key of the host."""
    return f"host-{derive(secret, 'host').hex()[:32]}"


def request_id(secret: str, play_id: int, player_id: int, number: int) -> str:
    """Return the id of a request: the same after a restart, and nothing can be read from it."""
    return str(uuid.UUID(bytes=derive(secret, "request", play_id, player_id, number)[:16], version=4))


def order(secret: str, block_id: int, player_id: int, numbers: list[int]) -> list[int]:
    """Return *numbers* in this player's own order."""
    seed = int.from_bytes(derive(secret, "order", block_id, player_id)[:8], "big")
    return [numbers[each] for each in np.random.default_rng(seed).permutation(len(numbers)).tolist()]


def share(secret: str, player_id: int) -> float:
    """Return a number from 0 to 1 for a player, so that not all are asked in the same instant."""
    return int.from_bytes(derive(secret, "share", player_id)[:4], "big") / 2**32


def sign(key: str, at: int, path: str, body: bytes) -> str:
    """Return the signature of a request: HMAC-SHA256 over the time, the path and the body, as hexadecimal digits."""
    return hmac.new(key.encode(), f"{at}\n{path}\n".encode() + body, hashlib.sha256).hexdigest()


def signer(key: str) -> Callable[[str, bytes], dict[str, str]]:
    """Return what makes the headers by which the player with this *key* knows who asks."""

    def headers(path: str, body: bytes) -> dict[str, str]:
        at = int(time.time())
        return {TIME_HEADER: str(at), SIGNATURE_HEADER: sign(key, at, path, body)}

    return headers


def is_key(given: str, wanted: str) -> bool:
    """Compare in constant time: the time of a refusal must not tell how much of a guess was right."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())
