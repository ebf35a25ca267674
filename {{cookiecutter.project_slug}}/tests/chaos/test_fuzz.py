"""A million odd requests: no error of the service's own, nothing hangs, no memory is lost, odd values are answered."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from player.config import Settings
from tests.chaos.fuzz import Fuzzer, ask, complaint
from tests.service import Service

PROJECT = Path(__file__).parents[2]


def test_odd_requests_in_process(
    model_settings: Settings, amount: Callable[[str], int], report: Callable[..., None]
) -> None:
    """Whatever is asked, the status is below 500, and a question about an applicant gets a known class."""
    command = [sys.executable, "-m", "tests.chaos.fuzz", str(amount("REQUESTS")), "20261123"]
    done = subprocess.run(command, cwd=PROJECT, env={**os.environ, "PYTHONPATH": str(PROJECT)}, capture_output=True,
                          text=True, check=False)  # fmt: skip
    assert 0 == done.returncode, done.stderr[-3000:]
    result = json.loads(done.stdout.splitlines()[-1])
    report(**{name: result[name] for name in ("requests", "statuses", "slowest_s", "growth_percent", "seconds")})

    assert {} == result["wrong"], "\n".join(result["examples"])
    assert result["slowest_s"] < 5, result["slowest"]
    assert result["growth_percent"] < 5, result["rss_mb"]


def test_odd_requests_over_the_network(
    app: Flask, start: Callable[..., Service], amount: Callable[[str], int], report: Callable[..., None]
) -> None:
    """The same through the real service: what its server, its front and its threads make of it."""
    import asyncio

    settings = app.extensions["player"].settings
    service, fuzzer = start(settings, PLAYER_STORAGE__SPOOL="output/other-spool.db"), Fuzzer(app, 7)
    statuses: Counter[int] = Counter()
    wrong: list[str] = []
    requests = max(100, amount("REQUESTS") // 50)

    async def client(session: aiohttp.ClientSession, count: int) -> None:
        for _ in range(count):
            method, target, body, headers, must_predict = fuzzer.request()
            if not method.isupper() or "\x00" in target:
                continue  # aiohttp itself refuses to send these
            sent = {"Content-Type": headers["CONTENT_TYPE"]} if headers.get("CONTENT_TYPE") else {}
            async with session.request(method, f"http://127.0.0.1:{service.port}{target}", data=body, headers=sent,
                                       allow_redirects=False) as answer:  # fmt: skip
                content = await answer.read()
            statuses[answer.status] += 1
            if problem := complaint(answer.status, content, must_predict, fuzzer.classes):
                wrong.append(f"{problem}: {method} {target[:200]} {body[:200]!r} -> {content[:200]!r}")

    async def all_clients() -> None:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(30)) as session:
            await asyncio.gather(*(client(session, requests // 16) for _ in range(16)))

    started = time.monotonic()
    asyncio.run(all_clients())
    report(requests=statuses.total(), statuses=dict(statuses), seconds=round(time.monotonic() - started))

    assert [] == wrong[:10]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["rent", "42", "4,2"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("envelope", [True, False])
def test_any_json_object_is_answered(app: Flask, envelope: bool) -> None:
    """Hypothesis finds no JSON object without a prediction of a known class."""
    fuzzer = Fuzzer(app, 1)
    features = st.dictionaries(st.sampled_from(fuzzer.names) | st.text(), ANYTHING, max_size=8)

    @given(features)
    def answered(found: dict[str, object]) -> None:
        body = json.dumps({"features": found} if envelope else found).encode()
        status, content = ask(app, "POST", "/api", body, {"CONTENT_TYPE": "application/json"})
        assert "" == complaint(status, content, True, fuzzer.classes)

    answered()
