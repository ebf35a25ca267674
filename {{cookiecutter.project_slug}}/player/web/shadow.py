"""Sends a copy of each request to another environment, and never waits for it: what fails there is only counted."""

import http.client
import json
import logging
import queue
import threading
from contextlib import closing, suppress
from typing import Any
from urllib.parse import urlsplit

from prometheus_client import Counter

from player.logging_config import QuietLog
from player.settings.sections import Contract

log = logging.getLogger(__name__)

# More copies, or bytes of them, are dropped: the shadow is too slow, and production must not notice.
MOST_WAITING, MOST_BYTES = 500, 8_000_000
ANSWER_SECONDS, LARGEST_ANSWER = 2.0, 100_000
PAUSE_SECONDS = 5.0  # after a failure nothing is tried for so long

COPIES = Counter("player_shadow_copies", "Requests copied to the shadow: sent, failed or dropped", ["result"])


class Shadow:
    """Mirrors requests to the service at *url*; without one it does nothing."""

    def __init__(self, url: str, contract: Contract, key: str = "") -> None:
        """Connect to nothing yet; *key* opens the other service, where it needs one."""
        self.url = url
        self.headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
        self.contract = contract
        self.waiting: queue.Queue[bytes] = queue.Queue(MOST_WAITING)
        self.lock, self.held = threading.Lock(), 0  # bytes of what waits
        self.quiet = QuietLog(log)
        self.stopping = threading.Event()
        self.thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread that sends."""
        if self.url:
            self.thread = threading.Thread(target=self.send_all, daemon=True, name="shadow")
            self.thread.start()

    def stop(self) -> None:
        """Stop sending; copies that still wait are dropped."""
        self.stopping.set()
        if self.thread is not None:
            self.thread.join(ANSWER_SECONDS + 1)

    def mirror(self, request_id: str, features: dict[str, Any]) -> None:
        """Leave a copy of a request to be sent, and return at once. *features* as they were received."""
        if not self.url:
            return
        copy = self.written(request_id, features)
        try:
            with self.lock:
                if self.held + len(copy) > MOST_BYTES:
                    raise queue.Full
                self.waiting.put_nowait(copy)
                self.held += len(copy)
        except queue.Full:
            COPIES.labels("dropped").inc()

    def written(self, request_id: str, features: dict[str, Any]) -> bytes:
        """Return a request as it is sent: as bytes it waits in the least room."""
        names = self.contract
        asked = {names.features: features} if names.features else features
        return json.dumps({**asked, names.request_id: request_id}).encode("ascii")

    def next(self) -> bytes:
        """Return the copy that waits longest; raises queue.Empty after half a second without one."""
        copy = self.waiting.get(timeout=0.5)
        with self.lock:
            self.held -= len(copy)
        return copy

    def send_all(self) -> None:
        """Send what waits, over one connection, until stopped."""
        with closing(self.connect()) as connection:
            while not self.stopping.is_set():
                with suppress(queue.Empty):
                    self.send(connection, self.next())

    def connect(self) -> http.client.HTTPConnection:
        """Return a connection that opens itself with the first request, and again after it was closed."""
        parts = urlsplit(self.url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        return kind(parts.hostname or "", parts.port, timeout=ANSWER_SECONDS)

    def send(self, connection: http.client.HTTPConnection, copy: bytes) -> None:
        """Send one copy; when that fails, wait before the next one."""
        try:
            self.ask(connection, copy)
            COPIES.labels("sent").inc()
        except (OSError, http.client.HTTPException) as error:
            COPIES.labels("failed").inc()
            why = str(error) or type(error).__name__
            self.quiet.say(logging.WARNING, f"the shadow at {self.url} does not answer: {why}")
            connection.close()
            self.stopping.wait(PAUSE_SECONDS)

    def ask(self, connection: http.client.HTTPConnection, copy: bytes) -> None:
        """Ask the shadow once; raises OSError or HTTPException when it gives no prediction."""
        connection.request("POST", self.contract.predict, copy, self.headers)
        answer = connection.getresponse()
        if len(answer.read(LARGEST_ANSWER + 1)) > LARGEST_ANSWER:
            raise http.client.HTTPException(f"more than {LARGEST_ANSWER} bytes of answer")
        if answer.status != http.client.OK:
            raise http.client.HTTPException(f"status {answer.status}")
