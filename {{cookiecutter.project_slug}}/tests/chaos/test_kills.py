"""Processes are killed in the middle of requests: no acknowledged row is lost, none is there twice."""

import random
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

from player.config import Settings
from tests.chaos.load import Load, peak_rate, settle
from tests.postgres import Postgres
from tests.service import Service, spool_of, wait_until


def test_workers_are_killed(
    anywhere: Settings, start: Callable[..., Service], amount: Callable[[str], int], report: Callable[..., None]
) -> None:
    """Random workers die again and again; a client that asks once more gets its answer, and every row is there once."""
    service = start(anywhere, PLAYER_SERVER__WORKERS="4")
    rate = 0.3 * peak_rate(service)  # most of the machine is busy starting workers
    with Load(service, rate, tries=2) as load:
        kill_workers(service, amount("KILLS"))
    report(kills=amount("KILLS"), **settle(anywhere, load), cut=load.interrupted.total(), failed=len(load.failed))

    assert [] == load.failed
    assert load.interrupted.total() <= amount("KILLS") * load.clients
    assert 0 == service.stop()


def test_workers_are_killed_without_a_database(
    on_postgres: Settings, postgres: Postgres, start: Callable[..., Service], amount: Callable[[str], int],
    report: Callable[..., None],
) -> None:  # fmt: skip
    """Two faults at once: the rows wait on this machine, their workers die, and the database comes back later."""
    service = start(on_postgres)
    rate = 0.3 * peak_rate(service)
    with Load(service, rate, tries=2) as load:
        postgres.stop()
        try:
            kill_workers(service, max(1, amount("KILLS") // 4))
        finally:
            postgres.start()
    report(kills=max(1, amount("KILLS") // 4), **settle(on_postgres, load), cut=load.interrupted.total(),
           failed=len(load.failed))  # fmt: skip

    assert [] == load.failed


def kill_workers(service: Service, times: int) -> None:
    """Kill a random worker so many times, each time when all of them answer."""
    for _ in range(times):
        service.wait_for_all()
        time.sleep(random.uniform(0.5, 1.0))  # a request and its second try must not both be hit
        random.choice(service.ready_workers()).kill()


def test_the_whole_service_is_killed(
    anywhere: Settings, start: Callable[..., Service], amount: Callable[[str], int], report: Callable[..., None]
) -> None:
    """Everything dies at once; what was acknowledged is there, and the files are whole."""
    service, starts, answers = start(anywhere), [], 0
    for _ in range(max(1, amount("KILLS") // 10)):
        with Load(service, tries=1) as load:
            time.sleep(random.uniform(0.5, 1.5))
            service.kill()
        starts.append(service.start())
        answers += settle(anywhere, load)["acknowledged"]
    with closing(sqlite3.connect(spool_of(anywhere))) as connection:
        assert [("ok",)] == connection.execute("PRAGMA integrity_check").fetchall()
    report(kills=len(starts), acknowledged=answers, missing=0, twice=0, slowest_start_s=round(max(starts), 1))

    assert max(starts) < 60


def test_workers_are_replaced_in_turn(
    model_settings: Settings, start: Callable[..., Service], amount: Callable[[str], int], report: Callable[..., None]
) -> None:
    """SIGHUP replaces all workers under load; no request fails."""
    service = start(model_settings)
    rate = 0.3 * peak_rate(service)
    with Load(service, rate) as load:
        time.sleep(5)
        until = time.monotonic()
        for _ in range(amount("RESTARTS")):
            before = {worker.pid for worker in service.workers()}
            service.process.send_signal(signal.SIGHUP)
            wait_until(lambda old=before: not old & {w.pid for w in service.workers()}, what="all are replaced")  # type: ignore[misc]
    figures: dict[str, Any] = settle(model_settings, load)
    report(restarts=amount("RESTARTS"), **figures, failed=len(load.failed), **load.times(since=until))

    assert [] == load.failed


def test_the_service_is_stopped_and_started(
    model_settings: Settings, start: Callable[..., Service], amount: Callable[[str], int], report: Callable[..., None]
) -> None:
    """SIGTERM under load ends with exit code 0; what was being answered is answered, and nothing is lost.

    While nothing listens a connection is refused: only that, and a connection closed between two requests, may happen.
    """
    service, cut, answers = start(model_settings), 0, 0
    for _ in range(max(1, amount("RESTARTS") // 5)):
        with Load(service, rate=100, tries=1) as load:
            time.sleep(1)
            code = service.stop()
            load.over.set()
        assert 0 == code
        cut += sum(count for kind, count in load.interrupted.items() if kind != "ClientConnectorError")
        service.start()
        answers += settle(model_settings, load)["acknowledged"]
    report(stops=max(1, amount("RESTARTS") // 5), acknowledged=answers, missing=0, twice=0, cut=cut)

    assert 0 == cut
