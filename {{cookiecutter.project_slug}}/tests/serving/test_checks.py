"""What is looked at before the port opens, and what `player doctor` mends."""

import json
import os
import socket
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from unittest.mock import Mock

import pytest
from click.testing import CliRunner
from conftest import KEYS

from player.cli import main
from player.config import Settings, load_settings
from player.errors import PlayerError, StorageError, TablesOutdated
from player.model import saving, store
from player.serving import service, supervisor
from player.serving.checks import before_serving
from player.serving.supervisor import Supervisor, Worker
from player.serving.worker import READY
from player.storage import migrations
from player.storage.local.rescue import open_spool
from player.storage.migrations import prepare, upgrade
from player.storage.tables import create_engine_for
from player.training import Trained
from player.trust import cage
from tests.postgres import free_port
from tests.storage_rows import select, with_database


@pytest.fixture(name="production")
def _production(home: Path, trained: Trained, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Production with everything that it needs."""
    busy = {"PLAYER_SERVER__PORT": str(free_port()), "PLAYER_MODEL__TRIAL_SECONDS": "300"}  # the machine may be
    for name, value in {**KEYS, **busy}.items():
        monkeypatch.setenv(name, value)
    os.umask(0o077)
    settings = load_settings("production")
    store.activate(saving.save(trained, settings).version, settings)
    upgrade(settings)
    return settings


def doctor(*more: str) -> tuple[int, dict[str, str]]:
    """Return the exit code of `player doctor` in production, and what it finds wrong, by name."""
    result = CliRunner().invoke(main, ["-e", "production", "doctor", "--json", *more])
    assert "Traceback" not in result.output
    found = json.loads(result.stdout)
    return result.exit_code, {row["control"]: row["reason"] for row in found if row["required"] and not row["met"]}


def test_production_starts_while_the_database_is_away(production: Settings, caplog: pytest.LogCaptureFixture) -> None:
    """Rows can wait, so a restart in an outage of the database is no outage; the cause and its remedy are logged."""
    before_serving(with_database(production, f"postgresql+psycopg://player:words@127.0.0.1:{free_port()}/x"))

    assert "nothing listens there: start PostgreSQL" in caplog.text
    assert "Rows wait in the spool" in caplog.text
    assert "words" not in caplog.text


def test_tables_of_another_version_are_found_when_the_database_is_back(production: Settings) -> None:
    """What was not checked at the start is checked before the first row goes there."""
    engine = create_engine_for(production)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")

    with pytest.raises(TablesOutdated, match="player db upgrade"):
        prepare(production, engine)
    with pytest.raises(TablesOutdated, match="player db upgrade"):
        before_serving(production)


def newer_tables(settings: Settings) -> None:
    """Let the tables be those of a later version of this code."""
    with create_engine_for(settings).begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")


def file_for_folder(settings: Settings) -> None:
    """Put a file where the folder of the spool should be."""
    folder = settings.path(settings.storage.spool).parent
    folder.rename(folder.with_name("moved"))
    folder.touch()


@pytest.mark.parametrize(
    ("harm", "said"),
    [(newer_tables, "newer than this code: install the code"), (file_for_folder, "a file stands where a folder")],
)
def test_doctor_finds_what_stops_a_start_in_testing(
    model_settings: Settings, harm: Callable[[Settings], None], said: str
) -> None:
    """Also where a missing folder and older tables are mended at the start: what is not, is found beforehand."""
    upgrade(model_settings)
    harm(model_settings)

    result = CliRunner().invoke(main, ["-e", "testing", "doctor"])

    assert 1 == result.exit_code
    assert said in " ".join(result.output.split())
    with pytest.raises(StorageError, match=said):
        before_serving(model_settings)


@pytest.mark.skipif(os.name != "posix", reason="Windows has other rights")
def test_a_spool_that_can_only_be_read_gets_no_files_beside_it(
    model_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite would make them as closed as the spool is: allowing to write to the spool would then not be enough."""
    before_serving(model_settings)
    spool = open_spool(model_settings).path
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: real(path, mode) and not (path == spool and mode & os.W_OK))

    with pytest.raises(StorageError, match="closed to this user: give it"):
        before_serving(model_settings)
    assert not spool.with_name(f"{spool.name}-shm").exists()


def damage_spool(settings: Settings) -> None:
    """Cut the spool."""
    spool = open_spool(settings)
    spool.open()
    spool.close()
    spool.path.write_bytes(spool.path.read_bytes()[:9000])


def outdate(settings: Settings) -> None:
    """Leave tables without their revision."""
    path = settings.home / "output" / "production.db"
    path.unlink()
    path.touch(mode=0o600)


def open_files(settings: Settings) -> None:
    """Let everybody read the database."""
    (settings.home / "output" / "production.db").chmod(0o644)


@pytest.mark.parametrize(
    ("harm", "name"), [(damage_spool, "spool"), (outdate, "tables"), (open_files, "files private")]
)
def test_doctor_finds_and_mends(production: Settings, harm: Callable[[Settings], None], name: str) -> None:
    """What is wrong is named; --fix mends it, and then nothing is missing."""
    assert (0, {}) == doctor()
    harm(production)

    code, missing = doctor()

    assert (1, [name]) == (code, list(missing))
    assert (0, {}) == doctor("--fix")
    assert (0, {}) == doctor()
    before_serving(production)


def test_a_trial_without_a_cage_is_for_a_person_to_weigh(production: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system has no means to isolate a trial, that is said, and nothing is kept from starting."""
    monkeypatch.setattr(cage, "missing", lambda: ["the network"])
    before_serving(production)

    assert (0, {}) == doctor()
    assert "could reach the network" in CliRunner().invoke(main, ["-e", "production", "doctor"]).output


def test_doctor_changes_nothing_by_itself(production: Settings) -> None:
    """Looking is harmless."""
    damage_spool(production)
    before = {path: path.read_bytes() for path in production.home.rglob("*.db")}
    doctor()

    assert before == {path: path.read_bytes() for path in production.home.rglob("*.db")}


def test_doctor_does_not_replace_a_database_that_is_gone(production: Settings) -> None:
    """An empty one in its place would hide the loss."""
    (production.home / "output" / "production.db").unlink()

    code, missing = doctor("--fix")

    assert (1, ["database"]) == (code, list(missing))
    assert "restore the newest backup" in missing["database"]
    assert not (production.home / "output" / "production.db").exists()


def test_the_port_is_closed_until_somebody_answers(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The port is taken at once, and a client is refused, not left waiting, until a worker listens."""
    monkeypatch.setenv("PLAYER_SERVER__PORT", str(free_port()))
    with service.bind(load_settings("testing")) as sock:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(sock.getsockname())
        sock.listen()
        socket.create_connection(sock.getsockname()).close()


def test_two_services_keep_their_counters_apart(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one on another port leaves the first one's alone."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")
    folders = []
    for port in (5001, 5002, 5001):
        server = settings.server.model_copy(update={"port": port})
        service.share_metrics(settings.model_copy(update={"server": server}))
        folders.append(Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]))
        (folders[-1] / "counter.db").touch()

    assert folders[0] == folders[2] != folders[1]
    assert (folders[1] / "counter.db").exists()


def a_worker(alive: bool, said: str) -> Worker:
    """Return a worker that is only said to be so, and has said *said*."""
    process = Mock(is_alive=Mock(return_value=alive), exitcode=1)
    return Worker(process, Mock(poll=Mock(return_value=bool(said)), recv=Mock(return_value=said)))


def test_a_start_in_which_every_worker_fails_says_why(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends with what the worker said, and all are told to stop."""
    made = [a_worker(False, "the disk is full"), a_worker(False, "the disk is full")]
    one = Supervisor(settings, Mock())
    monkeypatch.setattr(one, "start_worker", Mock(side_effect=list(made)))

    with pytest.raises(PlayerError, match="The service cannot start: the disk is full"):
        one.run()

    assert all(worker.wire.close.called for worker in made)  # type: ignore[attr-defined]


def test_workers_that_die_before_they_are_ready_are_replaced_less_and_less_often(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A loop of crashes is bounded; a worker that gets ready ends it."""
    clock = [0.0]
    monkeypatch.setattr(supervisor.time, "monotonic", lambda: clock[0])
    one = Supervisor(settings, Mock())
    one.workers = [a_worker(False, "no model")]
    monkeypatch.setattr(one, "start_worker", lambda _: a_worker(False, "no model"))
    starts = []
    for _ in range(3000):
        before = one.workers[0]
        one.replace_dead()
        if one.workers[0] is not before:
            starts.append(clock[0])
        clock[0] += 0.1
    pauses = [round(b - a) for a, b in pairwise(starts)]

    assert [1, 2, 4, 8, 16, 30, 30] == pauses[:7]
    assert "before it was ready (no model)" in caplog.text
    one.workers = [a_worker(True, READY)]
    one.replace_dead()
    assert 0.0 == one.pause


def test_rows_are_not_sent_to_tables_that_are_not_ours(settings: Settings) -> None:
    """Tables newer than the code are refused by name, also where the tables are made by the way."""
    upgrade(settings)
    engine = create_engine_for(settings)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(StorageError, match="newer than this code"):
        prepare(settings, engine)
    assert [("9999",)] == select(settings, "SELECT version_num FROM alembic_version")
    assert "9999" not in migrations.known_revisions()
