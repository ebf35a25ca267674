"""Asks the application a million odd requests in its own process: `python -m tests.chaos.fuzz REQUESTS SEED`.

Prints what it saw as JSON on the last line. It is a program of its own so that its memory is its own.
"""

import io
import json
import logging
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_from_bytes

import psutil
from flask import Flask

from player.app import create_app
from player.config import load_settings

WARM_UP = 0.2  # of all requests
SLOW_SECONDS = 5.0
KNOWN_IDS = 2_000

NUMBERS = [0, -0.0, 1, -1, 42, 1e308, -1e308, 5e-324, 10**30, 2**63, -(2**63), float("nan"), float("inf")]
TEXTS = [
    "", " ", "42", "4,2", "1.234,5", "1,234.5", "NaN", "null", "None", "true", "TRUE", "ja", "0x10", "1e400", "٤٢", "½",
    "rent", "RENT", " rent ", "\x00", "\ud800", "\U0001f600", "\u202eabc", "a\r\nb: c", "\x1b[31m", "%s%n", "{0}",
    "'; DROP TABLE predictions; --", "<script>alert(1)</script>", "${jndi:x}", "../../etc/passwd", "=1+1", "\u2028",
]  # fmt: skip
IDS = ["", "x" * 200, "x" * 201, 0, -1, 10**17, 10**400, 1.5, True, None, [], {}, "\x00", "\ud800", "ü", "a\nb", "7", 7]
PATHS = ["/api", "/api/", "/feedback", "/feedback/", "/health/live", "/health/ready", "/version", "/openapi.json",
         "/", "/apix", "/api//", "/%2e%2e/", "/\x00", "/dashboard", "/docs", "/metrics", "/static/../x"]  # fmt: skip
METHODS = ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "get", "BREW"]
TYPES = ["application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
         "application/json; charset=utf-16", "x", "", "multipart/form-data", "application/xml"]  # fmt: skip


class Fuzzer:
    """Makes odd requests from a seed: the same ones each time."""

    def __init__(self, app: Flask, seed: int) -> None:
        """Learn from *app* what a good request looks like."""
        self.random = random.Random(seed)
        predictor = app.extensions["player"].predictor
        manifest = predictor.chain.links[0].model.manifest
        self.classes: list[Any] = manifest.classes
        self.examples: list[dict[str, Any]] = manifest.examples
        self.names = list(predictor.schema.names)

    def request(self) -> tuple[str, str, bytes, dict[str, str], bool]:
        """Return method, path with query, body, headers, and whether a prediction must come back."""
        kind = self.random.random()
        if kind < 0.6:
            return "POST", "/api", self.to_json(self.envelope()), {"CONTENT_TYPE": "application/json"}, True
        if kind < 0.7:
            return "GET", "/api?" + self.query(), b"", {}, True
        if kind < 0.8:
            body = self.flipped(self.to_json(self.envelope()))
            return "POST", "/api", body, {"CONTENT_TYPE": self.random.choice(TYPES)}, False
        if kind < 0.9:
            return "POST", "/feedback", self.labels(), {"CONTENT_TYPE": "application/json"}, False
        headers = {f"HTTP_{name}": self.text() for name in ("X_REQUEST_ID", "AUTHORIZATION", "ORIGIN", "ACCEPT")}
        body = self.random.randbytes(self.random.randrange(200))
        return self.random.choice(METHODS), self.random.choice(PATHS), body, headers, False

    def envelope(self) -> dict[str, Any]:
        """Return a request for a prediction with some odd values, keys and ids."""
        features = dict(self.random.choice(self.examples))
        for _ in range(self.random.randrange(4)):
            features[self.random.choice(self.names)] = self.value()
        if self.random.random() < 0.1:
            features[self.text()] = self.value()
        if self.random.random() < 0.1:
            features.pop(self.random.choice(self.names), None)
        body: dict[str, Any] = {"features": features}
        if self.random.random() < 0.05:
            body["features"] = self.value()
        if self.random.random() < 0.05:
            body[self.text()] = self.value()
        return body | self.id()

    def id(self) -> dict[str, Any]:
        """Return a request id: a new one, one of a few, an odd one, or none."""
        kind = self.random.random()
        if kind < 0.3:
            return {"request_id": f"fuzz-{self.random.randrange(KNOWN_IDS)}"}
        if kind < 0.4:
            return {"request_id": self.random.choice(IDS)}
        return {}

    def value(self, depth: int = 0) -> Any:
        """Return any JSON value, nested at most a few times."""
        kind = self.random.randrange(12)
        if kind < 4:
            return self.random.choice(NUMBERS)
        if kind < 8:
            return self.text()
        if kind == 8 and depth < 4:
            return [self.value(depth + 1) for _ in range(self.random.randrange(4))]
        if kind == 9 and depth < 4:
            return {self.text(): self.value(depth + 1) for _ in range(self.random.randrange(4))}
        return self.random.choice([None, True, False, self.random.gauss(0, 1e4), "9" * self.random.randrange(1, 600)])

    def text(self) -> str:
        """Return an odd text, rarely a very long one."""
        kind = self.random.random()
        if kind < 0.7:
            return self.random.choice(TEXTS)
        if kind < 0.999:
            return "".join(chr(self.random.randrange(0xD800)) for _ in range(self.random.randrange(20)))
        return "x" * 100_000

    def to_json(self, value: Any) -> bytes:
        """Return *value* as JSON, sometimes in another encoding or with what JSON does not know."""
        text = json.dumps(value, ensure_ascii=self.random.random() < 0.5)
        encoding = self.random.choice(["utf-8"] * 8 + ["utf-16", "utf-32-le"])
        return text.encode(encoding, "surrogatepass")

    def query(self) -> str:
        """Return query arguments: names of features and others, values of all kinds, bytes beyond ASCII."""
        pairs = []
        for _ in range(self.random.randrange(6)):
            name = self.random.choice([*self.names, "request_id", "features", self.text()])[:300]
            value = str(self.value())[:300]
            pairs.append("=".join(quote_from_bytes(part.encode("utf-8", "surrogatepass")) for part in (name, value)))
        return "&".join(pairs)

    def flipped(self, body: bytes) -> bytes:
        """Return *body* with bytes changed, cut, doubled or put in."""
        changed = bytearray(body)
        for _ in range(self.random.randrange(1, 5)):
            place = self.random.randrange(len(changed) + 1)
            changed[place : place + self.random.choice([0, 1, 1, 10])] = self.random.randbytes(self.random.randrange(3))
        if self.random.random() < 0.2:
            del changed[self.random.randrange(len(changed) + 1) :]
        return bytes(changed)

    def labels(self) -> bytes:
        """Return one label or a list of them, most of them odd."""
        items = [
            {
                "request_id": f"fuzz-{self.random.randrange(KNOWN_IDS)}",
                "label": self.random.choice([0, 1, self.value()]),
            }
            for _ in range(self.random.randrange(1, 4))
        ]
        if self.random.random() < 0.3:
            items[0].update(self.id())
        body = self.to_json(items if len(items) > 1 else items[0])
        return self.flipped(body) if self.random.random() < 0.3 else body


def ask(app: Callable[..., Any], method: str, target: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
    """Return status and body of one answer, through WSGI as a server would ask."""
    path, _, query = target.partition("?")
    environ = {
        "REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query, "SCRIPT_NAME": "", "SERVER_NAME": "x",
        "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1", "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(body), "wsgi.errors": sys.stderr,
        "wsgi.multithread": True, "wsgi.multiprocess": True, "wsgi.run_once": False,
        "CONTENT_LENGTH": str(len(body)), "HTTP_HOST": "x",
        **{name: value.encode("utf-8", "replace").decode("latin-1") for name, value in headers.items()},
    }  # fmt: skip
    seen: list[str] = []

    def start(status: str, sent: list[tuple[str, str]], _: Any = None) -> None:
        for name, value in sent:  # what no server could send
            (name + value).encode("latin-1")
        seen.append(status)

    answer = app(environ, start)
    try:
        content = b"".join(answer)
    finally:
        if hasattr(answer, "close"):
            answer.close()
    return int(seen[0][:3]), content


def run(app: Flask, requests: int, seed: int) -> dict[str, Any]:
    """Ask *requests* odd requests; return statuses, slow ones, growth of memory, and up to ten of each complaint."""
    fuzzer, statuses, wrong = Fuzzer(app, seed), Counter[str](), Counter[str]()
    process, samples, slowest = psutil.Process(), list[int](), (0.0, "")
    examples: list[str] = []
    started = time.monotonic()
    for number in range(requests):
        method, target, body, headers, must_predict = fuzzer.request()
        before = time.perf_counter()
        status, content = ask(app, method, target, body, headers)
        slowest = max(slowest, (time.perf_counter() - before, f"{method} {target[:200]} {len(body)} bytes"))
        statuses[str(status)] += 1
        problem = complaint(status, content, must_predict, fuzzer.classes)
        if problem:
            wrong[problem] += 1
            if len(examples) < 10:
                examples.append(f"{problem}: {method} {target[:200]} {body[:300]!r} {headers} -> {content[:300]!r}")
        if number % max(1, requests // 50) == 0:
            samples.append(process.memory_info().rss)
    seconds = time.monotonic() - started
    warm = samples[int(len(samples) * WARM_UP) :]
    half = len(warm) // 2
    growth = max(warm[half:]) / max(warm[:half]) - 1
    return {"requests": requests, "seed": seed, "statuses": dict(statuses), "wrong": dict(wrong), "examples": examples,
            "slowest_s": round(slowest[0], 3), "slowest": slowest[1],
            "growth_percent": round(100 * growth, 2), "seconds": round(seconds, 1),
            "rss_mb": [round(one / 1e6, 1) for one in samples]}  # fmt: skip


def complaint(status: int, content: bytes, must_predict: bool, classes: list[Any]) -> str:
    """Return what is wrong with an answer, or nothing."""
    if status >= 500:
        return f"status {status}"
    if not must_predict:
        return ""
    if status != 200:
        return f"no prediction but {status}"
    said = json.loads(content)
    if said["pred"] not in classes or not 0 <= said["proba"] <= 1:
        return "no known class"
    return "answered by a fallback" if said["degraded"] else ""


def main() -> None:
    """Run with the two arguments of the command line; the log goes nowhere, but each line of it is made."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123 - os.devnull is a text
        out, sys.stdout = sys.stdout, nowhere
        app = create_app(load_settings("testing"))
        logging.getLogger("player").setLevel("INFO")
        result = run(app, int(sys.argv[1]), int(sys.argv[2]))
        app.extensions["player"].stop()
        sys.stdout = out
    print(json.dumps(result))


if __name__ == "__main__":
    main()
