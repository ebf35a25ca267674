"""`player join` against a host that answers whatever a test wants."""

import json
import os
import stat
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from player.cli import main
from player.config import Settings
from player.errors import ConfigError
from player.web import joining
from player.web.joining import FILE, NotJoined, own_url, read_address

WORKS = {"works": True, "advice": "It works."}
JOINED = {"name": "Ada", "key": "7-secret", "url": "http://127.0.0.1:5001", "check": WORKS}


class Host:
    """A tournament: what it was asked, and what it answers to the next calls."""

    def __init__(self) -> None:
        """Start to listen."""
        self.asked: list[tuple[str, dict[str, str], str]] = []
        self.answers: list[tuple[int, Any]] = []
        host = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                """Keep the call and give the next answer."""
                words = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                host.asked.append((self.path, words, self.headers["Authorization"]))
                status, said = host.answers.pop(0)
                self.send_response(status)
                self.end_headers()
                self.wfile.write(said if isinstance(said, bytes) else json.dumps(said).encode())

            def log_message(self, *_: Any) -> None:
                """Print nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def stop(self) -> None:
        """Close the port."""
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture(name="host")
def _host(settings: Settings) -> Iterator[Host]:
    """A tournament on a port of its own."""
    host = Host()
    yield host
    host.stop()


def join(host: Host, *more: str, answers: list[tuple[int, Any]] | None = None) -> Result:
    """Return what `player join` says when the host gives these *answers*."""
    host.answers = [(200, JOINED)] if answers is None else list(answers)
    result = CliRunner().invoke(main, ["-e", "testing", "join", host.address, *more])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert [] == host.answers, "every answer was asked for"
    return result


def test_the_team_joins_under_its_own_address(host: Host, settings: Settings) -> None:
    """Its name, where it is, and the code of the room go along; the key that opens its page is kept for it alone."""
    result = join(host, "--code", "blue")
    words = {"name": settings.project.team, "url": f"http://127.0.0.1:{settings.server.port}", "code": "blue"}
    path = settings.home / FILE

    assert [("/join", words, "Bearer ")] == host.asked
    assert 0 == result.exit_code
    assert ["Ada has joined as http://127.0.0.1:5001", "It works.", f"Your page: {host.address}/me"] == (
        result.output.splitlines()[:3]
    )
    assert f"Your key stands in {path}" in result.output
    assert {"host": host.address, "name": "Ada", "key": "7-secret"} == json.loads(path.read_text(encoding="utf-8"))
    assert os.name != "posix" or 0o600 == stat.S_IMODE(path.stat().st_mode)


def test_who_has_joined_moves(host: Host) -> None:
    """The second time the key says who it is; nothing is registered, and nothing new has to be kept."""
    join(host)
    result = join(host, "--name", "Bea", "--url", "http://10.0.0.7:5001")

    (path, words, key) = host.asked[-1]
    assert ("/me/move", "Bearer 7-secret") == (path, key)
    assert ("Bea", "http://10.0.0.7:5001") == (words["name"], words["url"])
    assert "Ada plays as http://127.0.0.1:5001" in result.output
    assert "Your key stands" not in result.output


def test_a_tournament_of_another_day_is_joined_anew(host: Host, settings: Settings) -> None:
    """It does not know the key of the last one; the new key takes the place of the old."""
    join(host)
    result = join(host, answers=[(401, {"error": "no such key"}), (200, {**JOINED, "key": "8-new"})])

    assert ["/join", "/me/move", "/join"] == [path for path, *_ in host.asked]
    assert "Bearer " == host.asked[-1][2]
    assert "Ada has joined" in result.output
    assert "8-new" == joining.read_known(settings.home / FILE, host.address)


def test_another_refusal_of_a_move_is_said(host: Host) -> None:
    """Only a key that is not known is a reason to register again."""
    join(host)
    result = join(host, answers=[(409, {"error": "That address is registered already."})])

    assert ["/join", "/me/move"] == [path for path, *_ in host.asked]
    assert "That address is registered already." in result.output


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((403, {"error": "Wrong code."}), "Wrong code."),
        ((404, b"<html>"), "The tournament answered with status 404: is this its address?"),
        ((500, {}), "The tournament answered with status 500"),
        ((500, [1]), "The tournament answered with status 500"),
        ((200, b"<html>"), "gives no usable answer"),
    ],
)
def test_a_refusal_is_one_sentence(host: Host, settings: Settings, answer: tuple[int, Any], said: str) -> None:
    """Whatever listens there; and nothing is kept."""
    result = join(host, answers=[answer])

    assert 0 != result.exit_code
    assert said in result.output
    assert 1 == result.output.count("\n")
    assert not (settings.home / FILE).exists()


def test_a_player_that_does_not_work_yet_has_joined_all_the_same(host: Host, settings: Settings) -> None:
    """The exit code tells a script, the advice a person."""
    broken = {"works": False, "advice": "Nothing listens there."}
    result = join(host, answers=[(200, {**JOINED, "check": broken})])

    assert 1 == result.exit_code
    assert "Nothing listens there.\nYou are tested every two seconds" in result.output
    assert "7-secret" == joining.read_known(settings.home / FILE, host.address)
    assert "tested every two seconds" not in join(host).output


@pytest.mark.parametrize(
    ("required", "key", "goes_along"),
    [("true", "0a1b2c3d4e5f60718293a4b5c6d7e8f9", True), ("true", "", False), ("false", "0a1b2c3d4e5f6071", False)],
)
def test_the_key_for_labels_goes_along_where_one_is_needed(
    host: Host, monkeypatch: pytest.MonkeyPatch, required: str, key: str, goes_along: bool
) -> None:
    """And it is said: a key is not sent behind anybody's back."""
    monkeypatch.setenv("PLAYER_ACCESS__KEY_REQUIRED", required)
    if key:
        monkeypatch.setenv("PLAYER_API_KEY", key)
    result = join(host)

    assert (key if goes_along else None) == host.asked[0][1].get("label_key")
    assert goes_along == ("Your API key goes along" in result.output)


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("10.0.0.5:8000", "http://10.0.0.5:8000"),
        ("http://10.0.0.5:8000/board?x=1", "http://10.0.0.5:8000"),
        ("https://host.example/join", "https://host.example"),
    ],
)
def test_an_address_may_be_that_of_any_page(given: str, address: str) -> None:
    """Whatever was copied from the host's screen."""
    assert address == read_address(given)


@pytest.mark.parametrize("given", ["ftp://host", "http://", "http:///join", "://"])
def test_what_is_no_address_is_said_with_an_example(given: str) -> None:
    """Before anything is sent."""
    with pytest.raises(ConfigError, match=r"is no address; it looks like http://10\.0\.0\.5:8000"):
        read_address(given)


@pytest.mark.parametrize(
    ("host", "port", "own", "url"),
    [
        ("http://10.0.0.5:8000", 8000, "10.0.0.7", "http://10.0.0.7:5001"),
        ("http://10.0.0.5", 80, "10.0.0.7", "http://10.0.0.7:5001"),
        ("http://[fd00::5]:8000", 8000, "fd00::7", "http://[fd00::7]:5001"),
    ],
    ids=["with a port", "the usual port", "IPv6"],
)
def test_the_own_address_is_the_one_that_leads_to_the_host(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, host: str, port: int, own: str, url: str
) -> None:
    """A machine has several; only one of them can be reached from there."""
    asked = []

    class Way:
        def __init__(self, address: tuple[str, int], timeout: float) -> None:
            asked.append(address)

        def __enter__(self) -> Any:
            return SimpleNamespace(getsockname=lambda: (own, 50_000, 0, 0))

        def __exit__(self, *_: object) -> None:
            """Nothing is open."""

    monkeypatch.setattr(joining.socket, "create_connection", Way)

    assert url == own_url(host, settings)
    assert [port] == [asked_port for _, asked_port in asked]


@pytest.mark.parametrize(
    ("error", "said"),
    [(ConnectionRefusedError(111, "Connection refused"), "Connection refused"), (OSError("odd"), "odd")],
)
def test_a_host_that_cannot_be_reached_is_one_sentence(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, error: OSError, said: str
) -> None:
    """With the cause, as the system names it."""

    def refuse(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(joining.socket, "create_connection", refuse)
    with pytest.raises(NotJoined, match=rf"cannot be reached \({said}\): is it the address on the board"):
        own_url("http://10.0.0.5:8000", settings)


@pytest.mark.parametrize(
    "text", ["", "[1]", "{}", '{"host": "http://10.0.0.5"}', '{"host": "http://10.0.0.6", "key": "7"}'],
    ids=["empty", "a list", "nothing", "no key", "another host"],
)  # fmt: skip
def test_a_key_is_only_for_the_host_that_gave_it(settings: Settings, text: str) -> None:
    """A file that is damaged holds none."""
    path = settings.home / FILE
    assert "" == joining.read_known(path, "http://10.0.0.5")
    path.write_text(text, encoding="utf-8")

    assert "" == joining.read_known(path, "http://10.0.0.5")


def test_the_folder_of_the_key_is_made(settings: Settings) -> None:
    """Somebody may have cleaned up; a shorter key leaves nothing of a longer one."""
    (settings.home / "output").rmdir()
    for key in ("7-a long one", "8"):
        joining.remember(settings.home / FILE, {"host": "http://10.0.0.5", "key": key})

        assert key == joining.read_known(settings.home / FILE, "http://10.0.0.5")
