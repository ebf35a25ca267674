"""Several workers share a tournament; who dies loses nothing."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from customer.cli import main
from tests.customer.host_process import HostProcess, hosted, run, wait_for
from tests.postgres import PASSWORD, Postgres, _postgres, _postgres_url  # noqa: F401 - fixtures

PLAYERS = 6
GAME = "--rounds;as trained;--minutes;0.2;--rate;5;--block;10;--seed;7;--deadline;10;--workers"


@pytest.fixture(name="host")
def _host(tmp_path: Path, postgres_url: str) -> Iterator[HostProcess]:
    """A tournament in PostgreSQL that asks nobody by itself."""
    with hosted(tmp_path, PLAYERS, *GAME.split(";"), database=postgres_url) as host:
        yield host


@pytest.fixture(name="workers")
def _workers(host: HostProcess) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Two workers of it."""
    words = ["-m", "customer.cli", "worker"]
    workers = [run(host.folder, words, CUSTOMER_DATABASE_URL=host.database) for _ in range(2)]
    yield workers
    for each in workers:
        each.kill()
        each.wait()


def test_a_worker_and_the_host_are_killed_and_nothing_is_lost(
    host: HostProcess, workers: list[subprocess.Popen[bytes]]
) -> None:
    """Points are those of the undisturbed game; each of the two has asked; the one that is left asks on."""
    wait_for(lambda: host.query("SELECT COUNT(*) FROM procrastinate_workers") == [(2,)])
    host.do("next")
    wait_for(lambda: host.query("SELECT 1 FROM asks"))
    time.sleep(1.0)
    both = host.query("SELECT DISTINCT worker_id FROM procrastinate_jobs WHERE status = 'doing'")
    workers[0].kill()
    host.kill()
    host.start()
    wait_for(lambda: host.rounds_done() == 1)
    board = {player["name"]: player["points"] for player in host.status()["players"]}
    asked = host.query("SELECT player_id, number, COUNT(*) FROM asks GROUP BY 1, 2")

    assert 2 == len(both)
    assert host.worth(PLAYERS) == host.points() == board
    assert PLAYERS * 60 == len(asked)
    assert {1} == {count for _, _, count in asked}


def test_the_host_decides_and_the_workers_follow(host: HostProcess) -> None:
    """It is said that nobody asks; a worker asks until a pause, and after it; with the tournament it ends by itself."""
    host.do("next")
    waits = wait_for(lambda: host.status()["no_worker"])
    worker = run(host.folder, ["-m", "customer.cli", "worker"], CUSTOMER_DATABASE_URL=host.database)
    try:
        wait_for(lambda: host.query("SELECT 1 FROM asks"))
        host.do("pause")
        time.sleep(1.0)
        during = [host.query("SELECT COUNT(*) FROM asks") for _ in range(2) if time.sleep(1.0) is None]
        host.do("remove", player="Player 0")
        host.do("resume")
        wait_for(lambda: host.rounds_done() == 1)
        removed, stayed = (
            host.query(f"SELECT COUNT(*) FROM asks JOIN players ON id = player_id WHERE name = 'Player {number}'")[0][0]
            for number in (0, 3)
        )
        host.do("end")

        assert f"{PLAYERS} players wait for a worker; start one: customer worker" == waits
        assert during[0] == during[1]
        assert removed < stayed == 60
        assert "" == host.status()["no_worker"]
        assert 0 == worker.wait(30)
    finally:
        worker.kill()
        worker.wait()


def test_the_database_is_away_for_a_while(tmp_path: Path, postgres: Postgres) -> None:
    """Host and worker wait for it, and go on; nothing is lost, doubled or charged."""
    with hosted(tmp_path, PLAYERS, *GAME.split(";"), database=postgres.database()) as host:
        worker = run(host.folder, ["-m", "customer.cli", "worker"], CUSTOMER_DATABASE_URL=host.database)
        try:
            host.do("next")
            wait_for(lambda: host.query("SELECT 1 FROM asks"))
            postgres.stop()
            time.sleep(4.0)
            postgres.start()
            wait_for(lambda: host.rounds_done() == 1)
        finally:
            worker.kill()
            worker.wait()
        asked = host.query("SELECT player_id, number, COUNT(*) FROM asks GROUP BY 1, 2")

        assert host.worth(PLAYERS) == host.points()
        assert PLAYERS * 60 == len(asked)
        assert {1} == {count for _, _, count in asked}


def test_without_a_tournament_a_worker_says_so(tmp_path: Path, postgres_url: str) -> None:
    """One line, no password in it; a host that would have workers in SQLite is told what they need."""
    there = f"sqlite:///{tmp_path / 'tournament.db'}"
    for words, said in (
        (["worker", "--database", postgres_url], "holds no tournament; begin it there: customer host --workers"),
        (["worker", "--database", there], "holds no tournament"),
        (["worker", "--database", postgres_url[:-1]], "cannot be used"),
        (["host", "--workers", "--database", there, "--output", str(tmp_path)], "through PostgreSQL"),
    ):
        found = CliRunner().invoke(main, words)
        assert 1 == found.exit_code, words
        assert said in found.output
        assert 1 == len(found.output.strip().splitlines())
        assert PASSWORD not in found.output
