"""The operating system says no: too few open files, too little memory. Nothing that was acknowledged is lost."""

import contextlib
import http.client
import socket
import time
from collections import Counter
from collections.abc import Callable

import psutil

from player.config import Settings
from tests.chaos.load import Load, settle
from tests.service import Service, wait_until

OPEN_FILES = 200


def test_no_more_open_files(
    model_settings: Settings, start: Callable[..., Service], report: Callable[..., None]
) -> None:
    """With 200 open files a process and 1,000 idle visitors, who is there already is answered, later ones soon."""
    service = start(model_settings)
    limit_open_files(service)
    with Load(service, 50) as load, contextlib.ExitStack() as idle:
        time.sleep(2)
        for _ in range(1000):
            idle.enter_context(socket.create_connection(("127.0.0.1", service.port), timeout=30))
        time.sleep(20)
    took = wait_until(lambda: bool(service.ask(f"after-{time.monotonic_ns()}")), 30)
    report(idle=1000, **settle(model_settings, load), failed=len(load.failed), **load.times(),
           normal_again_s=round(took, 1))  # fmt: skip

    assert [] == load.failed


def limit_open_files(service: Service) -> None:
    """Let the service have so few open files, and replace its workers, which ask for the limit when they start."""
    service.wait_for_all()
    for process in psutil.Process(service.process.pid).children(recursive=True):
        process.rlimit(psutil.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    for worker in service.workers():
        worker.terminate()
        worker.wait(30)
    service.wait_for_all()


def test_no_more_memory(
    model_settings: Settings, start: Callable[..., Service], amount: Callable[[str], int], report: Callable[..., None]
) -> None:
    """Workers that get no more memory give their place to new ones; nothing acknowledged is lost."""
    service, said = start(model_settings), Counter[str]()
    limits = max(1, amount("RESTARTS") // 10)
    with Load(service, 50, tries=5) as load:
        for _ in range(limits):
            service.wait_for_all()
            for worker in service.ready_workers():
                size = worker.memory_info().vms
                worker.rlimit(psutil.RLIMIT_AS, (size, size))
            said.update(large_request(service) for _ in range(50))
            for worker in service.ready_workers():
                with contextlib.suppress(psutil.NoSuchProcess):  # it gave up by itself
                    worker.kill()
                    worker.wait(30)
    report(limits=limits, large=dict(said), **settle(model_settings, load), failed=len(load.failed),
           other=dict(load.interrupted))  # fmt: skip

    assert [] == load.failed
    assert said["answered"] > 0.8 * said.total()


def large_request(service: Service) -> str:
    """Return what becomes of a request nearly as large as one may be."""
    text = "x" * (service.settings.server.max_body_bytes - 1000)
    try:
        service.ask(f"large-{time.monotonic_ns()}", purpose=text)
    except AssertionError as error:
        return str(error)[:100]
    except (OSError, http.client.HTTPException) as error:
        return type(error).__name__
    return "answered"
