"""Two workers on networks of their own, as on two machines, share one tournament; needs root and `ip`."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.customer.host_process import hosted, run, wait_for
from tests.postgres import Postgres

BRIDGE, PLAYERS = "players0", 9
OWN, PLACES = "10.77.0.1", {"north": "10.77.0.2", "south": "10.77.0.3"}
GAME = "--rounds;as trained;--minutes;0.4;--rate;5;--block;10;--seed;7;--deadline;10;--workers"


def ip(words: str) -> None:
    """Change the network of this machine."""
    subprocess.run(["ip", *words.split()], check=True)


def remove() -> None:
    """Take the networks away, also those that a run before has left."""
    for name in PLACES:
        subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
    subprocess.run(["ip", "link", "del", BRIDGE], check=False, capture_output=True)


@pytest.fixture(name="networks")
def _networks() -> Iterator[None]:
    """Two network namespaces, each with one address, behind a bridge of this machine."""
    remove()
    ip(f"link add {BRIDGE} type bridge")
    ip(f"addr add {OWN}/24 dev {BRIDGE}")
    ip(f"link set {BRIDGE} up")
    for name, address in PLACES.items():
        ip(f"netns add {name}")
        ip(f"link add {name}-out type veth peer name {name}-in netns {name}")
        ip(f"link set {name}-out master {BRIDGE} up")
        ip(f"-n {name} addr add {address}/24 dev {name}-in")
        ip(f"-n {name} link set {name}-in up")
    yield
    remove()


@pytest.fixture(name="database")
def _database(networks: None) -> Iterator[str]:
    """A database that both networks reach."""
    folder = Path(tempfile.mkdtemp(prefix="player-postgres-"))
    server = Postgres(folder, OWN)
    yield server.database()
    server.stop()
    shutil.rmtree(folder)


def test_two_workers_on_two_networks_share_a_tournament(tmp_path: Path, database: str) -> None:
    """One is killed in the middle of a round: nothing is lost or doubled, and points are those of one host alone."""
    with hosted(tmp_path, PLAYERS, *GAME.split(";"), database=database, address=OWN) as host:
        words = ["-m", "customer.cli", "worker"]
        workers = [
            run(tmp_path, words, ["ip", "netns", "exec", name], CUSTOMER_DATABASE_URL=database) for name in PLACES
        ]
        try:
            wait_for(lambda: host.query("SELECT COUNT(*) FROM procrastinate_workers") == [(2,)])
            host.do("next")
            wait_for(lambda: host.query("SELECT 1 FROM asks"))
            time.sleep(2.0)
            both = host.query("SELECT DISTINCT worker_id FROM procrastinate_jobs WHERE status = 'doing'")
            workers[0].kill()
            wait_for(lambda: host.rounds_done() == 1)
            board = {player["name"]: player["points"] for player in host.status()["players"]}
            asked = host.query("SELECT player_id, number, COUNT(*) FROM asks GROUP BY 1, 2")
        finally:
            for each in workers:
                each.kill()
                each.wait()

        assert 2 == len(both)
        assert host.worth(PLAYERS) == host.points() == board
        assert PLAYERS * 120 == len(asked)
        assert {1} == {count for _, _, count in asked}
