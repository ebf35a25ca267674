"""Asks one player about one case and judges the answer: points, and the reason for them.

A prediction counts when it equals the true label and is of its kind: in JSON 1.0 and 1 are the same number, but
`true` is not a number and "1" is a text. Where the contract has no prediction, the probability is judged: above one
half it means the second class. Whatever a player answers, the referee comes back before the deadline.
"""

import asyncio
import errno
import json
import time
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver

from customer.contract import Contract

MOST_BYTES = 1_000_000  # of an answer, before and after unpacking
DEADLINE_SECONDS = 2.0
LABELS_DEADLINE_SECONDS = 10.0
LABELS_AT_ONCE = 8  # requests on their way, where each brings one label

CORRECT, WRONG = "correct", "wrong"
KEPT, ANOTHER_ANSWER = "kept", "another answer"  # of what is asked again in the last round
TIMEOUT, REFUSED, DISCONNECTED = "timeout", "refused", "disconnected"
TIMEOUT_CONNECTING, TIMEOUT_READING = "timeout connecting", "timeout reading"
TIMEOUTS = (TIMEOUT_CONNECTING, TIMEOUT, TIMEOUT_READING)  # no connection, no answer, half an answer by the deadline
NO_NETWORK = "no network"  # the customer's own machine could not ask
TOO_LARGE, NOT_JSON, NO_PREDICTION, UNKNOWN_CLASS = "too large", "not JSON", "no pred", "unknown class"
NO_PROBABILITY = "no probability"  # where the contract asks for nothing else: it is no number from 0 to 1
POINTS = {CORRECT: 1, WRONG: 0, KEPT: 1, ANOTHER_ANSWER: 0}  # every other reason costs a point
OWN_TROUBLE = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL, errno.ENETDOWN)
EXCERPT = 300  # characters of an answer that are kept to be looked at

Headers = Mapping[str, str]
Signer = Callable[[str, bytes], Headers]


@dataclass(frozen=True)
class Verdict:
    """What one request earned, why, how long it took, the beginning of the answer, and what a prediction said."""

    reason: str
    milliseconds: float = 0.0
    answer: str = field(default="", compare=False)
    said: str = field(default="", compare=False)  # prediction and probability, by which it is known again

    @property
    def points(self) -> int:
        """+1 for the right prediction or one that was kept, 0 for another one, -1 for none."""
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


@dataclass
class Exchange:
    """How far one HTTP exchange has come, and what it brought."""

    phase: str = TIMEOUT_CONNECTING
    reason: str = ""
    body: bytes = b""


class TooLarge(Exception):
    """The answer is longer than anybody needs for a prediction."""


async def connected(session: Any, context: Any, params: Any) -> None:
    """Note that the connection of an exchange is there, so that the reason of a timeout says more."""
    if isinstance(context.trace_request_ctx, Exchange):
        context.trace_request_ctx.phase = TIMEOUT


def tracing() -> aiohttp.TraceConfig:
    """Return what lets an exchange know how far it has come."""
    trace = aiohttp.TraceConfig()
    trace.on_connection_create_end.append(connected)
    trace.on_connection_reuseconn.append(connected)
    return trace


@asynccontextmanager
async def open_session(resolver: AbstractResolver | None = None) -> AsyncIterator[aiohttp.ClientSession]:
    """Open a client that carries nothing from one player to another and knows no time limit but the referee's."""
    # Names are resolved once: an address that changes during the game cannot lead the customer elsewhere.
    connector = aiohttp.TCPConnector(limit=0, ttl_dns_cache=None, resolver=resolver)
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),
        trust_env=False,
        auto_decompress=False,
        trace_configs=[tracing()],
        headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "customer"},
    ) as session:
        yield session


def unsigned(path: str, body: bytes) -> Headers:
    """Sign nothing."""
    return {}


class Referee:
    """Asks one player and sends it labels, each call within one total deadline.

    *sign* gives the headers that prove who asks; with *peek* the beginning of an error's page is kept as well.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        player: Player,
        contract: Contract,
        labels: tuple[Any, ...],
        deadline: float = DEADLINE_SECONDS,
        sign: Signer = unsigned,
        peek: bool = False,
    ) -> None:
        self.session, self.player, self.contract, self.labels = session, player, contract, labels
        self.deadline, self.sign, self.peek = deadline, sign, peek

    async def ask(
        self, request_id: str, features: Mapping[str, Any], label: Any, headers: Headers | None = None
    ) -> Verdict:
        """Ask for a prediction about *features* and judge it against the true *label*. Never raises."""
        names = self.contract
        body: dict[str, Any] = {names.request_id: request_id}
        body |= {names.features: features} if names.features else features
        started = time.perf_counter()
        done = await self.post(names.predict, body, self.deadline, {**self.key_header(), **(headers or {})})
        milliseconds = 1000 * (time.perf_counter() - started)
        reason = done.reason or judge(done.body, names, label, self.labels)
        excerpt = done.body[: 4 * EXCERPT].decode("utf-8", "replace")[:EXCERPT]
        said = what_was_said(done.body, names, self.labels) if reason in POINTS else ""
        return Verdict(reason, round(milliseconds, 2), excerpt, said)

    async def send_labels(self, labels: list[tuple[str, Any]]) -> str:
        """Send (request id, true label) pairs to the player; return "" or why they did not arrive. Never raises."""
        names = self.contract
        items = [{names.request_id: request_id, names.label: label} for request_id, label in labels]
        bodies: Iterator[Any] = iter([items] if names.label_lists else items)
        trouble = ""

        async def work() -> None:
            nonlocal trouble
            for body in bodies:
                if not trouble:
                    done = await self.post(names.feedback, body, LABELS_DEADLINE_SECONDS, self.key_header())
                    trouble = done.reason or trouble

        await asyncio.gather(*(work() for _ in range(LABELS_AT_ONCE)))
        return trouble

    def key_header(self) -> dict[str, str]:
        """Return the header with the player's key, where it gave one: labels need it, and predictions may."""
        return {"Authorization": f"Bearer {self.player.key}"} if self.player.key else {}

    async def post(self, path: str, body: Any, deadline: float, headers: Headers | None = None) -> Exchange:
        """Post *body* as JSON; the exchange's reason is "" for a 200 that was read whole. Never raises."""
        data = json.dumps(body).encode()
        headers = {"Content-Type": "application/json", **(headers or {}), **self.sign(path, data)}
        done = Exchange()
        try:
            async with asyncio.timeout(deadline):
                await self.exchange(done, self.player.url + path, data, headers)
        except TimeoutError:
            done.reason = done.phase
        except aiohttp.ClientConnectorError as error:
            done.reason = NO_NETWORK if error.errno in OWN_TROUBLE else REFUSED
        except TooLarge:
            done.reason = TOO_LARGE
        except (zlib.error, EOFError):
            done.reason = NOT_JSON
        except (aiohttp.ClientError, OSError, ValueError):  # ValueError: what came back is not HTTP
            done.reason = DISCONNECTED
        return done

    async def exchange(self, done: Exchange, url: str, data: bytes, headers: Headers) -> None:
        """Do one HTTP exchange. Asks again, once, when a connection that was kept open turns out to be closed."""
        for attempt in (1, 2):
            try:
                async with self.session.post(
                    url, data=data, headers=headers, allow_redirects=False, trace_request_ctx=done
                ) as response:
                    if response.status == 200:
                        done.phase = TIMEOUT_READING
                        done.body = await read_answer(response)
                    else:
                        done.reason = f"status {response.status}"
                        done.body = await peek_at(response) if self.peek else b""
                    return
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                # A server may close an idle connection at the moment it is used again: nobody's fault. The id is the
                # same, so a player that did see the first request answers it once.
                if attempt == 2 or isinstance(error, aiohttp.ClientConnectorError):
                    raise


async def peek_at(response: aiohttp.ClientResponse) -> bytes:
    """Return the beginning of an error's page, or where a redirect leads; "" when it does not come at once."""
    if location := response.headers.get("Location"):
        return location.encode()
    try:
        async with asyncio.timeout(0.5):
            return await response.content.read(4 * EXCERPT)
    except (TimeoutError, aiohttp.ClientError):
        return b""


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


def judge(answer: bytes, names: Contract, label: Any, labels: tuple[Any, ...]) -> str:
    """Return the reason an *answer* earns its points, given the true *label* and all *labels* there are.

    >>> judge(b'{"pred": 1}', Contract(), 1, (0, 1)), judge(b'{"pred": true}', Contract(), 1, (0, 1))
    ('correct', 'unknown class')
    >>> judge(b'{"proba": 0.7}', Contract(prediction=""), 1, (0, 1))
    'correct'
    """
    try:
        content = json.loads(answer)
    except (ValueError, RecursionError):
        return NOT_JSON
    if not isinstance(content, dict) or content.get(names.answer) is None:
        return NO_PREDICTION
    said = content[names.answer]
    if not names.prediction:
        if json_type(said) != "number" or not 0 <= said <= 1:
            return NO_PROBABILITY
        said = labels[said > 0.5]
    if same(said, label):
        return CORRECT
    return WRONG if any(same(said, known) for known in labels) else UNKNOWN_CLASS


def what_was_said(answer: bytes, names: Contract, labels: tuple[Any, ...]) -> str:
    """Return the prediction and the probability of an *answer* with one of the *labels*, as a text to compare.

    Six digits of the probability are compared: a database may round it.

    >>> what_was_said(b'{"pred": 1.0, "proba": 0.25, "model": "v2"}', Contract(), (0, 1))
    '[1, 0.25]'
    """
    content = json.loads(answer)
    label = next((known for known in labels if same(content[names.answer], known)), None)  # None: a probability alone
    probability = content.get(names.probability)
    usable = json_type(probability) == "number" and 0 <= probability <= 1
    return json.dumps([label, round(float(probability), 6) if usable else None])


def asked_again(verdict: Verdict, first: str) -> Verdict:
    """Return the *verdict* on a request that came before, when *first* was said: whether that answer was kept."""
    if not verdict.answered:
        return verdict
    return replace(verdict, reason=KEPT if verdict.said == first else ANOTHER_ANSWER)


def same(prediction: Any, label: Any) -> bool:
    """Tell whether *prediction* is *label*: of the same JSON type (number, text, true/false) and equal."""
    return json_type(prediction) == json_type(label) and bool(prediction == label)


def json_type(value: Any) -> str:
    """Return what kind of JSON value this is; integers and floats are both numbers."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "number"
    return type(value).__name__
