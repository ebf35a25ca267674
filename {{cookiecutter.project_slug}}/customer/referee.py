"""Asks one player about one applicant and judges the answer: points, and the reason for them.

A prediction counts when it equals the true label and is of its kind: in JSON 1.0 and 1 are the same number, but
`true` is not a number and "1" is a text. Whatever a player answers, the referee comes back before the deadline.
"""

import asyncio
import json
import time
import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from customer.contract import Contract

MOST_BYTES = 1_000_000  # of an answer, before and after unpacking
DEADLINE_SECONDS = 2.0
LABELS_DEADLINE_SECONDS = 10.0

CORRECT, WRONG = "correct", "wrong"
TIMEOUT, REFUSED, DISCONNECTED = "timeout", "refused", "disconnected"
TOO_LARGE, NOT_JSON, NO_PREDICTION, UNKNOWN_CLASS = "too large", "not JSON", "no pred", "unknown class"
POINTS = {CORRECT: 1, WRONG: 0}  # every other reason costs a point


@dataclass(frozen=True)
class Verdict:
    """What one request earned, why, and how long it took."""

    reason: str
    milliseconds: float = 0.0

    @property
    def points(self) -> int:
        """+1 for the right prediction, 0 for a wrong one, -1 for none."""
        return POINTS.get(self.reason, -1)

    @property
    def answered(self) -> bool:
        """Whether there was a prediction at all."""
        return self.reason in POINTS


@dataclass(frozen=True)
class Player:
    """Where a player lives: the address the paths of the contract are added to, and its key for sending labels."""

    url: str
    key: str = ""


class TooLarge(Exception):
    """The answer is longer than anybody needs for a prediction."""


@asynccontextmanager
async def open_session() -> AsyncIterator[aiohttp.ClientSession]:
    """Open a client that carries nothing from one player to another and knows no time limit but the referee's."""
    # Names are resolved once: an address that changes during the game cannot lead the customer elsewhere.
    connector = aiohttp.TCPConnector(limit=0, ttl_dns_cache=None)
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),
        trust_env=False,
        auto_decompress=False,
        headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "customer"},
    ) as session:
        yield session


class Referee:
    """Asks one player and sends it labels, each call within one total deadline."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        player: Player,
        contract: Contract,
        labels: tuple[Any, ...],
        deadline: float = DEADLINE_SECONDS,
    ) -> None:
        self.session, self.player, self.contract, self.labels = session, player, contract, labels
        self.deadline = deadline

    async def ask(self, request_id: str, features: Mapping[str, Any], label: Any) -> Verdict:
        """Ask for a prediction about *features* and judge it against the true *label*. Never raises."""
        names = self.contract
        body: dict[str, Any] = {names.request_id: request_id}
        body |= {names.features: features} if names.features else features
        started = time.perf_counter()
        status, answer = await self.post(names.predict, body, self.deadline)
        milliseconds = 1000 * (time.perf_counter() - started)
        reason = status or judge(answer, names.prediction, label, self.labels)
        return Verdict(reason, round(milliseconds, 2))

    async def send_labels(self, labels: list[tuple[str, Any]]) -> str:
        """Send (request id, true label) pairs to the player; return "" or why they did not arrive. Never raises."""
        names = self.contract
        body = [{names.request_id: request_id, names.label: label} for request_id, label in labels]
        headers = {"Authorization": f"Bearer {self.player.key}"} if self.player.key else {}
        reason, _ = await self.post(names.feedback, body, LABELS_DEADLINE_SECONDS, headers)
        return reason

    async def post(
        self, path: str, body: Any, deadline: float, headers: Mapping[str, str] | None = None
    ) -> tuple[str, bytes]:
        """Post *body* as JSON; return ("", answer) for a 200 and (reason, b"") for anything else. Never raises."""
        data = json.dumps(body).encode()
        headers = {"Content-Type": "application/json", **(headers or {})}
        try:
            async with asyncio.timeout(deadline):
                return await self.exchange(self.player.url + path, data, headers)
        except TimeoutError:
            return TIMEOUT, b""
        except aiohttp.ClientConnectorError:
            return REFUSED, b""
        except TooLarge:
            return TOO_LARGE, b""
        except (zlib.error, EOFError):
            return NOT_JSON, b""
        except (aiohttp.ClientError, OSError, ValueError):  # ValueError: what came back is not HTTP
            return DISCONNECTED, b""

    async def exchange(self, url: str, data: bytes, headers: Mapping[str, str]) -> tuple[str, bytes]:
        """Do one HTTP exchange. Asks again, once, when a connection that was kept open turns out to be closed."""
        for attempt in (1, 2):
            try:
                async with self.session.post(url, data=data, headers=headers, allow_redirects=False) as response:
                    if response.status != 200:
                        return f"status {response.status}", b""
                    return "", await read_answer(response)
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                # A server may close an idle connection at the moment it is used again: nobody's fault. The id is the
                # same, so a player that did see the first request answers it once.
                if attempt == 2 or isinstance(error, aiohttp.ClientConnectorError):
                    raise
        raise AssertionError("unreachable")


async def read_answer(response: aiohttp.ClientResponse) -> bytes:
    """Return the body of *response*, unpacked; raises TooLarge as soon as it is longer than allowed."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MOST_BYTES:
            raise TooLarge
    if response.headers.get("Content-Encoding", "identity").lower() not in ("gzip", "deflate"):
        return bytes(body)
    unpacked = zlib.decompressobj(wbits=47).decompress(bytes(body), MOST_BYTES + 1)  # 47: gzip or zlib, as it comes
    if len(unpacked) > MOST_BYTES:
        raise TooLarge
    return unpacked


def judge(answer: bytes, key: str, label: Any, labels: tuple[Any, ...]) -> str:
    """Return the reason an *answer* earns its points, given the true *label* and all *labels* there are.

    >>> judge(b'{"pred": 1}', "pred", 1, (0, 1)), judge(b'{"pred": true}', "pred", 1, (0, 1))
    ('correct', 'unknown class')
    """
    try:
        content = json.loads(answer)
    except (ValueError, RecursionError):
        return NOT_JSON
    if not isinstance(content, dict) or content.get(key) is None:
        return NO_PREDICTION
    if same(content[key], label):
        return CORRECT
    return WRONG if any(same(content[key], known) for known in labels) else UNKNOWN_CLASS


def same(prediction: Any, label: Any) -> bool:
    """Tell whether *prediction* is *label*: of the same JSON type (number, text, true/false) and equal."""
    return json_type(prediction) == json_type(label) and bool(prediction == label)


def json_type(value: Any) -> str:
    """Return what kind of JSON value this is; integers and floats are both numbers."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "number"
    return type(value).__name__
