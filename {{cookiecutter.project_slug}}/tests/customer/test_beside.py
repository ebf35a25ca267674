"""A page is made in a thread beside the game: what it reads may change under its eyes."""

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from customer.host.clock import Heart
from customer.host.labels import LabelPost
from customer.host.pages import own, state
from customer.host.plan import Plan

SECONDS = 0.5


@pytest.fixture(name="beside")
def _beside() -> Iterator[Callable[[Callable[[], Any]], None]]:
    """Let something change all the time in another thread, which takes over every few microseconds."""
    over, threads, interval = threading.Event(), [], sys.getswitchinterval()

    def start(change: Callable[[], Any]) -> None:
        def go() -> None:
            while not over.is_set():
                change()

        threads.append(threading.Thread(target=go))
        threads[-1].start()

    sys.setswitchinterval(1e-6)
    yield start
    over.set()
    for each in threads:
        each.join()
    sys.setswitchinterval(interval)


def ask(read: Callable[[], Any]) -> None:
    """Read again and again."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        read()


def test_the_heart_beats_on_while_a_page_asks_how_late_it_was(beside: Callable[[Callable[[], Any]], None]) -> None:
    """The host's page shows the longest delay."""
    heart = Heart()
    heart.late.extend([(1.0, 0.001)] * 3000)
    beside(lambda: heart.late.append((1.0, 0.001)))

    ask(lambda: heart.worst(0))


def test_labels_leave_while_a_page_counts_them(beside: Callable[[Callable[[], Any]], None]) -> None:
    """The host's page, and the player's, show how many wait."""
    post = LabelPost(ledger=None)  # type: ignore[arg-type]
    bag = post.bags[1] = deque([(1, [("a", 1)])] * 1000)
    beside(lambda: bag.rotate(1) or bag.append(bag.popleft()))

    ask(lambda: post.waiting(1))


class Ending:
    """A tournament whose round ends as soon as somebody has asked for it."""

    blocks_begun = 1

    def __init__(self) -> None:
        self.rounds = [SimpleNamespace(id=1, plan=Plan("as trained"))]

    @property
    def current(self) -> Any:
        """The round that is played, or None."""
        return self.rounds.pop() if self.rounds else None


def test_a_round_ends_while_a_page_tells_of_it() -> None:
    """It is there or it is not."""
    first, second = Ending(), Ending()

    assert state.progress(first) == 20 / 600  # type: ignore[arg-type]
    assert state.progress(first) is None  # type: ignore[arg-type]
    assert own.running(second, 1)  # type: ignore[arg-type]
    assert not own.running(second, 1)  # type: ignore[arg-type]
