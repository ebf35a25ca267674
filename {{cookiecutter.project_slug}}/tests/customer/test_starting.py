"""What holds when the customer starts the player's server: it gets a port that nobody else has."""

import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from customer import starting
from customer.cli import main
from customer.errors import NoPlayer

COMMAND = "player serve --port {port}"
FAKE_PLAYER = f'"{sys.executable}" "{Path(__file__).parents[1] / "fake_player.py"}" {{port}}'


@pytest.fixture(name="taken")
def _taken() -> Iterator[int]:
    """A port on which somebody else listens."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield int(other.getsockname()[1])


def url(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def test_a_free_port_is_taken_as_it_is(taken: int) -> None:
    """The server gets the port of the address when it is free, a path behind it stays."""
    with starting.on_a_free_port(COMMAND, url(taken)) as (_, free):
        pass
    with starting.on_a_free_port(COMMAND, f"{free}/team") as (command, address):
        assert f"{free}/team" == address
        assert command == f"player serve --port {free.rpartition(':')[2]}"


def test_a_taken_port_is_replaced_by_a_free_one(taken: int) -> None:
    """Command and address name the same other port, and a server can listen there."""
    with starting.on_a_free_port(COMMAND, url(taken)) as (command, address):
        port = int(command.split()[-1])

        assert port != taken
        assert address == url(port)
        socket.create_server(("127.0.0.1", port)).close()


def test_two_customers_at_once_get_two_ports(taken: int) -> None:
    """Whoever looks for a port before the other's server listens gets another one."""
    look = starting.on_a_free_port
    with look(COMMAND, url(taken)) as (_, first), look(COMMAND, first) as (_, second):
        assert first != second
    with starting.on_a_free_port(COMMAND, first) as (_, again):
        assert first == again


def test_a_command_that_takes_no_port_stays_as_it_is(taken: int) -> None:
    """Only a command with `{port}` can be told where to listen."""
    with starting.on_a_free_port("player serve", url(taken)) as given:
        assert ("player serve", url(taken)) == given


def test_no_free_port_is_one_sentence() -> None:
    """When nothing is free, the customer says where it looked."""
    try:
        last = socket.create_server(("127.0.0.1", 65_535))
    except OSError:  # taken already, which is what we want
        last = socket.socket()
    with last, pytest.raises(NoPlayer, match="65535 is taken"), starting.on_a_free_port(COMMAND, url(65_535)):
        pass


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:abc", "http://127.0.0.1:70000", "http://127.0.0.1:0", "http://["]
)
def test_an_address_with_a_strange_port_is_wrong_usage(address: str) -> None:
    """A port that is none is said in one sentence."""
    outcome = CliRunner().invoke(main, ["play", "--url", address])

    assert 2 == outcome.exit_code
    assert "is not an address" in outcome.output


def test_a_game_with_the_port_taken(taken: int, tmp_path: Path) -> None:
    """The customer says which port the player has, and plays there."""
    words = ["play", "--url", url(taken), "--requests", "5", "--rounds", "as trained", "--output", str(tmp_path)]
    outcome = CliRunner().invoke(main, [*words, "--start", FAKE_PLAYER])

    assert 0 == outcome.exit_code, outcome.output
    played_at = json.loads((tmp_path / "game.json").read_text(encoding="utf-8"))["url"]
    assert played_at != url(taken)
    assert f"{url(taken)} is taken; the player gets {played_at} instead." in outcome.output.replace("\n", " ")
    assert f"{played_at}/dashboard" in outcome.output


def test_a_stranger_is_not_mistaken_for_the_server(taken: int, tmp_path: Path) -> None:
    """When the server has ended, the game does not begin, even if somebody else answers at its address."""
    log = tmp_path / "player.log"
    with starting.on_a_free_port(FAKE_PLAYER, url(taken)) as (command, address):
        stranger = starting.running(command, address, tmp_path / "stranger.log")
        ended = starting.start(f'"{sys.executable}" -c "print(\'port taken\')"', log)
        ended.wait()

        with stranger, pytest.raises(NoPlayer, match="port taken"):
            starting.wait_until_ready(ended, address, log)
