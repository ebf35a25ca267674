"""A long time without any fault: nothing fails, nothing is lost, and the memory stays as it is."""

import time
from collections.abc import Callable

from player.config import Settings
from tests.chaos.load import Load, peak_rate, settle
from tests.service import Service

SHARE = 0.7  # of the peak rate
WARM_UP = 0.2  # of the requests: the database's pages and the allocator find their size


def test_a_long_time_without_faults(
    model_settings: Settings, start: Callable[..., Service], amount: Callable[[str], int], report: Callable[..., None]
) -> None:
    """Requests come at a steady rate for as long as it takes."""
    requests = amount("REQUESTS")
    service = start(model_settings)
    rate = SHARE * peak_rate(service)
    began, warm = time.monotonic(), 0
    with Load(service, rate) as load:
        while len(load.answers) + len(load.failed) < requests:
            time.sleep(1)
            service.get("/health/ready")
            if not warm and len(load.answers) > WARM_UP * requests:
                warm = service.memory()
        grown = service.memory() / warm
        seconds = time.monotonic() - began
    report(requests=requests, a_second=round(len(load.answers) / seconds), minutes=round(seconds / 60),
           **settle(model_settings, load, 300), failed=len(load.failed), **load.times(),
           memory_growth=f"{100 * (grown - 1):+.1f} %")  # fmt: skip

    assert [] == load.failed
    assert grown < 1.05
