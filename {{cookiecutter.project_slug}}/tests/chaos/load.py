"""Clients that ask numbered requests and remember every answer, and the comparison with what was stored."""

import asyncio
import itertools
import json
import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import aiohttp
import numpy as np
import pandas as pd
import sqlalchemy as sa

from player.config import Settings
from player.storage.tables import Prediction, create_engine_for
from tests.service import Service, wait_until


@dataclass(frozen=True)
class Answer:
    """One acknowledged request: what was said, when it was asked, and how long it took."""

    pred: Any
    proba: float
    model: str
    degraded: bool
    at: float
    seconds: float


class Load:
    """Many clients in a thread of their own, each with one request on its way at a time."""

    def __init__(self, service: Service, rate: float = 0, clients: int = 32, tries: int = 1, name: str = "") -> None:
        """Ask at *rate* requests a second altogether (0: as fast as answers come), each at most *tries* times."""
        self.service, self.rate, self.clients, self.tries = service, rate, clients, tries
        self.name = name or f"load{time.monotonic_ns()}"
        table = pd.read_csv(service.settings.home / "data" / "train_data.csv").head(500)
        self.applicants = json.loads(table.to_json(orient="records"))
        self.answers: dict[str, Answer] = {}
        self.interrupted: Counter[str] = Counter()  # tries that got no prediction, by what they got instead
        self.without_retry_after = 0
        self.failed: list[str] = []  # requests that got none in all their tries
        self.over = threading.Event()

    def __enter__(self) -> "Load":
        """Begin to ask."""
        self.thread = threading.Thread(target=lambda: asyncio.run(self.run()), name="load")
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop asking, and wait for what is on its way."""
        self.over.set()
        self.thread.join()

    async def run(self) -> None:
        """Run all clients; each has a connection of its own, so that a second try is made on a new one."""
        await asyncio.gather(*(self.client(number) for number in range(self.clients)))

    async def client(self, number: int) -> None:
        """Ask one request after the other until the load is over."""
        timeout, connector = aiohttp.ClientTimeout(30), aiohttp.TCPConnector(limit=1)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            await self.keep_asking(session, number)

    async def keep_asking(self, session: aiohttp.ClientSession, number: int) -> None:
        """Ask the requests of client *number*, in step with the rate."""
        step = self.clients / self.rate if self.rate else 0.0
        due = time.monotonic() + step * number / self.clients
        for count in itertools.count():
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if self.over.is_set():
                return
            await self.ask(session, f"{self.name}-{number}-{count}", self.applicants[(number + 7 * count) % 500])
            due = max(due + step, time.monotonic())

    async def ask(self, session: aiohttp.ClientSession, request_id: str, applicant: Any) -> None:
        """Ask one request, again when it failed and a try is left; note what became of it."""
        body = {"request_id": request_id, "features": applicant}
        started = time.monotonic()
        for _ in range(self.tries):
            problem = await self.ask_once(session, request_id, body)
            if not problem:
                return
            self.interrupted[problem] += 1
        self.failed.append(f"{request_id}: {problem} after {time.monotonic() - started:.2f} s")

    async def ask_once(self, session: aiohttp.ClientSession, request_id: str, body: Any) -> str:
        """Note the answer and return "", or return what came instead."""
        started = time.monotonic()
        try:
            async with session.post(f"http://127.0.0.1:{self.service.port}/api", json=body) as response:
                said = await response.json(content_type=None)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return type(error).__name__
        if response.status != 200 or said["request_id"] != request_id:
            self.without_retry_after += response.status == 503 and "Retry-After" not in response.headers
            return f"status {response.status}"
        seconds = time.monotonic() - started
        self.answers[request_id] = Answer(
            said["pred"], said["proba"], said["model"], said["degraded"], started, seconds
        )
        return ""

    def times(self, since: float = 0.0, until: float = float("inf")) -> dict[str, float]:
        """Return p50, p99 and worst answer time in ms of what was asked in that span (monotonic seconds)."""
        seconds = [a.seconds for a in list(self.answers.values()) if since <= a.at <= until] or [0.0]
        p50, p99, worst = np.percentile(seconds, [50, 99, 100]) * 1000
        return {"p50 ms": round(float(p50), 1), "p99 ms": round(float(p99), 1), "worst ms": round(float(worst), 1)}


def peak_rate(service: Service, seconds: float = 5.0) -> float:
    """Return how many requests a second 32 clients get answered that ask without a pause."""
    service.wait_for_all()
    with Load(service) as load:
        time.sleep(seconds)
    return len(load.answers) / seconds


def settle(settings: Settings, load: Load, seconds: float = 60.0) -> dict[str, Any]:
    """Wait until what was acknowledged is in the database; return how many ids are missing, twice or changed there.

    Fails when one is. *changed*: the stored prediction is not the one that was answered.
    """
    engine = create_engine_for(settings)
    try:
        took = wait_until(lambda: acknowledged(engine, load) == len(load.answers), seconds, "all rows are stored")
    except AssertionError:
        took = float("nan")
    with engine.connect() as connection:
        found = connection.execute(sa.select(Prediction.request_id, Prediction.pred, Prediction.model)).all()
    engine.dispose()
    stored = {row[0]: row[1:] for row in found}
    result = {
        "acknowledged": len(load.answers),
        "missing": len(load.answers.keys() - stored.keys()),
        "twice": len(found) - len(stored),
        "changed": sum(stored.get(key) not in (None, (a.pred, a.model)) for key, a in load.answers.items()),
        "stored after s": round(took, 1),
    }
    assert (0, 0, 0) == (result["missing"], result["twice"], result["changed"]), result
    return result


def acknowledged(engine: sa.Engine, load: Load) -> int:
    """Return how many of the acknowledged ids the database has; requests that were cut may be there as well."""
    query = sa.select(Prediction.request_id).where(Prediction.request_id.startswith(load.name, autoescape=True))
    with engine.connect() as connection:
        return len(load.answers.keys() & set(connection.scalars(query)))
