"""`player join`, from a player's own folder."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from player.cli import main
from tests.customer.host_process import hosted


def player(*words: Any) -> Any:
    return CliRunner().invoke(main, [str(word) for word in words])


def test_join_finds_the_address_and_moves_when_it_changes(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first call registers and tests, the key stays in a private file; a second one moves, it does not register."""
    with hosted(tmp_path, 2, "--seed", 7) as host:
        taken = [each["url"] for each in host.status()["players"]]
        monkeypatch.setenv("PLAYER_SERVER__PORT", "18765")
        first = player("join", f"http://127.0.0.1:{host.port}/join", "--name", "Ada & <Co>")
        again = player("join", f"127.0.0.1:{host.port}", "--url", "http://127.0.0.1:18766")
        clash = player("join", f"127.0.0.1:{host.port}", "--url", taken[0])
        (home / "output" / "joined.json").write_text(
            json.dumps({"host": f"http://127.0.0.1:{host.port}", "key": "9-of another day"}), encoding="utf-8"
        )
        anew = player("join", f"http://127.0.0.1:{host.port}", "--name", "Bob", "--url", "http://127.0.0.1:18767")
        players = {each["name"]: each["url"] for each in host.status()["players"]}

    assert 1 == first.exit_code
    assert "Ada & <Co> has joined as http://127.0.0.1:18765" in first.output
    assert "Nothing listens there" in first.output
    assert "plays as http://127.0.0.1:18766" in again.output
    assert "registered already" in clash.output
    assert "Bob has joined" in anew.output
    assert "http://127.0.0.1:18766" == players["Ada & <Co>"]
    assert 0o600 == (home / "output" / "joined.json").stat().st_mode & 0o777


@pytest.mark.parametrize(
    ("address", "message"), [("http://127.0.0.1:9", "cannot be reached"), ("ftp://x", "is no address")]
)
def test_join_where_there_is_no_tournament(home: Path, address: str, message: str) -> None:
    """A wrong address is told in one sentence."""
    outcome = player("join", address)

    assert 0 != outcome.exit_code
    assert message in outcome.output
    assert 1 == len(outcome.output.strip().splitlines())
