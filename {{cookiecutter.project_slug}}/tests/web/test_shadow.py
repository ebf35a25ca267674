"""The shadow: production's requests reach another service, and nothing that happens there reaches production."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from flask import Flask

from player.app import create_app
from player.config import Settings, load_settings
from player.web import shadow
from player.web.shadow import COPIES, Shadow
from tests.service import wait_until


class Receiver:
    """A service that notes what it is asked, and answers with a status of choice."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.status = 200
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.asked.append({"path": self.path, **json.loads(body)})
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture(name="receiver")
def _receiver() -> Iterator[Receiver]:
    """The other service."""
    receiver = Receiver()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()


@pytest.fixture(name="silent")
def _silent() -> Iterator[str]:
    """The address of a service that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def mirroring(settings: Settings, url: str, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """Return the application with a shadow at *url*."""
    monkeypatch.setenv("PLAYER_SHADOW__URL", url)
    return create_app(load_settings(settings.environment))


def ask(app: Flask, body: dict[str, Any]) -> int:
    """Ask once, take the whole answer, and return its status."""
    with app.test_client().post("/api", data=json.dumps(body)) as answer:
        return answer.status_code


def copies(result: str) -> float:
    """Return how many copies ended so."""
    value: float = COPIES.labels(result)._value.get()
    return value


def test_each_request_reaches_the_shadow_once(
    model_settings: Settings, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Id and features are those that came, odd ones too; a question asked again is not sent again."""
    app = mirroring(model_settings, receiver.url, monkeypatch)
    asked = [{"request_id": f"r{i}", "features": {"age": "forty", "name": "Zoë \ud800", "x": [None]}} for i in range(5)]
    for body in [*asked, asked[0]]:
        assert ask(app, body) == 200

    wait_until(lambda: len(receiver.asked) == 5)
    app.extensions["player"].stop()

    assert [{"path": "/api", **body} for body in asked] == receiver.asked


def test_the_answer_leaves_before_the_copy(
    model_settings: Settings, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is copied until the client has the whole answer: the shadow takes no time from it."""
    app = mirroring(model_settings, receiver.url, monkeypatch)
    app.extensions["player"].shadow.stop()  # copies stay where they wait
    waiting = app.extensions["player"].shadow.waiting
    answer = app.test_client().post("/api", json={"request_id": "a"})
    before = waiting.qsize()
    answer.close()
    app.extensions["player"].stop()

    assert (0, 1) == (before, waiting.qsize())


def test_a_contract_without_an_envelope_holds_for_the_shadow_too(
    model_settings: Settings, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the features are the body itself, they are sent so."""
    monkeypatch.setenv("PLAYER_CONTRACT__FEATURES", "")
    monkeypatch.setenv("PLAYER_CONTRACT__REQUEST_ID", "id")
    app = mirroring(model_settings, receiver.url, monkeypatch)
    ask(app, {"id": "a", "age": 40})

    wait_until(lambda: bool(receiver.asked))
    app.extensions["player"].stop()

    assert [{"path": "/api", "id": "a", "age": 40}] == receiver.asked


@pytest.mark.parametrize("kind", ["silent", "absent", "refusing"])
def test_a_shadow_that_does_not_answer_is_not_noticed(
    kind: str, model_settings: Settings, receiver: Receiver, silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every request is answered, and not one copy is sent twice; what went wrong is counted."""
    receiver.status = 503
    url = {"silent": silent, "absent": "http://127.0.0.1:9", "refusing": receiver.url}[kind]
    monkeypatch.setattr(shadow, "ANSWER_SECONDS", 0.2)
    failed = copies("failed")
    app = mirroring(model_settings, url, monkeypatch)
    statuses = {ask(app, {"request_id": f"r{i}"}) for i in range(30)}

    wait_until(lambda: copies("failed") == failed + 1)
    app.extensions["player"].stop()

    assert {200} == statuses


def test_a_shadow_that_comes_back_is_used_again(
    model_settings: Settings, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a pause the next copies are sent."""
    monkeypatch.setattr(shadow, "PAUSE_SECONDS", 0.1)
    copied = Shadow(receiver.url, model_settings.contract)
    receiver.status = 500
    copied.start()
    copied.mirror("a", {})
    wait_until(lambda: len(receiver.asked) == 1)
    receiver.status = 200
    sent = copies("sent")
    copied.mirror("b", {})

    wait_until(lambda: copies("sent") == sent + 1)
    copied.stop()

    assert ["a", "b"] == [one["request_id"] for one in receiver.asked]


def test_copies_that_cannot_be_sent_are_dropped(
    model_settings: Settings, silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The queue has an end: a slow shadow costs no memory."""
    monkeypatch.setattr(shadow, "MOST_WAITING", 10)
    copied = Shadow(silent, model_settings.contract)
    dropped = copies("dropped")
    for number in range(25):
        copied.mirror(str(number), {})

    assert 15 == copies("dropped") - dropped


def test_copies_wait_in_bounded_bytes(model_settings: Settings, receiver: Receiver) -> None:
    """A stranger's large requests and a slow shadow together cost no memory; what is sent makes room again."""
    copied = Shadow(receiver.url, model_settings.contract)
    dropped = copies("dropped")
    for number in range(50):
        copied.mirror(str(number), {"note": "x" * 400_000})
    held = copied.held
    copied.start()
    wait_until(lambda: len(receiver.asked) == 19)
    copied.mirror("after", {})
    wait_until(lambda: len(receiver.asked) == 20)
    copied.stop()

    assert 7_000_000 < held <= shadow.MOST_BYTES
    assert (31, 0) == (copies("dropped") - dropped, copied.held)


def test_without_an_address_nothing_is_copied(app: Flask) -> None:
    """The default: no thread, no queue that fills."""
    ask(app, {})

    assert app.extensions["player"].shadow.thread is None
    assert app.extensions["player"].shadow.waiting.empty()
