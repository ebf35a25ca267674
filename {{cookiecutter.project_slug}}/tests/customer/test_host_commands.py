"""What the host and a player type."""

import asyncio
import json
import socket
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from customer.cli import main
from customer.host.checking import look_once
from customer.host.plumbing import Finding
from customer.rounds import the_world
from tests.customer.host_process import hosted, wait_for
from tests.customer.rivals import HOSTILE, Rival, serving


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command runs in a folder of its own."""
    monkeypatch.chdir(tmp_path)


def customer(*words: Any) -> Any:
    return CliRunner().invoke(main, [str(word) for word in words])


def test_a_tournament_from_the_command_line(tmp_path: Path) -> None:
    """Begun, watched and ended from the command line; results and keys stand in files, the keys for the host only."""
    with hosted(tmp_path, 3, "--minutes", 0.02, "--rate", 10, "--block", 6, "--seed", 7) as host:
        assert "as trained begins" in customer("host", "next").output
        wait_for(lambda: host.rounds_done() == 1)
        status = customer("host", "status").output
        assert "Player 0" in status
        assert "next: odd values" in status
        assert 3 == len(json.loads(customer("host", "status", "--json").output)["players"])
        assert "Works: answered in" in customer("check", host.status()["players"][0]["url"]).output
        assert "Player 1: Works" in customer("host", "test", "Player 1").output
        assert "does not count" in customer("host", "void", "1", "the network was down").output
        assert "not asked any more" in customer("host", "remove", "2").output
        assert "ends" in customer("host", "end").output
        wait_for((tmp_path / "output" / "results.json").exists)

    found = json.loads((tmp_path / "output" / "results.json").read_text(encoding="utf-8"))

    assert "the network was down" == found["rounds"][0]["void"]
    for name in ("host.json", "player-keys.json"):
        assert 0o600 == (tmp_path / "output" / name).stat().st_mode & 0o777


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["next"], "start the tournament first"),
        (["status"], "start the tournament first"),
        (["--database", "sqlite:///no/such.txt", "--seed", "1", "--players", "list.csv"], "no column url"),
        (["--rounds", "bad weather"], "There is no round"),
        (["--networks", "ten"], "--networks"),
        (["--database", "what"], "no database to play in"),
        (["--data", "list.csv"], "--data and --label go together"),
    ],
)
def test_one_sentence_when_it_cannot_start(tmp_path: Path, words: list[str], message: str) -> None:
    """What cannot be done is told in one line, and the exit code is not 0."""
    (tmp_path / "list.csv").write_text("name,address\nAda,x\n", encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    outcome = customer("host", "--port", port, *words)

    assert 0 != outcome.exit_code
    assert message in outcome.output
    assert "Traceback" not in outcome.output


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    """A taken port is named, with what to do."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        outcome = customer("host", "--port", other.getsockname()[1])

    assert 1 == outcome.exit_code
    assert "Another one: --port" in outcome.output


def test_the_day_before(tmp_path: Path) -> None:
    """`customer host check` looks at everything and fails when something is to be mended."""
    good = customer("host", "--address", "0.0.0.0", "--port", 18_765, "check").output
    bad = customer("host", "--port", 18_765, "--database", "what", "check")

    assert "ok   port" in good
    assert 1 == bad.exit_code
    assert "FIX  database" in bad.output
    assert "FIX  address" in bad.output


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (None, "Works: answered in"),
        ("page", "web page"),
        ("redirect", "sends the customer elsewhere"),
        ("hang", "no answer began within the deadline"),
        ("drip", "not whole within the deadline"),
        ("both", "none of the labels 0 and 1"),
        ("error", "failed inside (status 500)"),
        ("large", "longer than 1 MB"),
        ("closes", "connection was cut"),
        ("not text", "not JSON"),
    ],
)
def test_what_is_wrong_in_plain_words(kind: str | None, message: str) -> None:
    """The check of `customer check` and of the tournament says what is wrong with a player, and what to do."""

    async def look() -> Finding:
        async with AsyncExitStack() as stack:
            rival = Rival("any", HOSTILE[kind]) if kind else Rival("any")
            await serving(stack, [rival])
            return await look_once(rival.url, 1.0, the_world())

    finding = asyncio.run(look())

    assert message in finding.advice
    assert finding.works is (kind is None)


def test_nobody_there() -> None:
    """A refused connection asks whether the player listens for others."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    outcome = customer("check", f"http://127.0.0.1:{port}", "--json")

    assert "refused" == json.loads(outcome.stdout)["reason"]
    assert "--host 0.0.0.0" in json.loads(outcome.stdout)["advice"]
