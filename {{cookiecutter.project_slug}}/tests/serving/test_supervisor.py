"""The supervisor decides by a clock and by what its workers say; here both are only played."""

import logging
import multiprocessing
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.util import find_spec
from itertools import chain, islice
from multiprocessing import forkserver
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock, call

import pytest

from player.config import Settings
from player.errors import PlayerError
from player.serving import supervisor
from player.serving.connections import NOT_READY
from player.serving.supervisor import HEAVY, LONGEST_PAUSE, SAY_SECONDS, START_SECONDS, Supervisor, Worker
from player.serving.worker import READY, run_worker


class Clock:
    """A clock that a test moves, far from zero as a real one is."""

    def __init__(self) -> None:
        self.now = 1000.0

    def pass_by(self, seconds: float) -> bool:
        """Let time go on, and say False, as a wire does over which nothing comes."""
        self.now += seconds
        return False


@pytest.fixture(name="clock")
def _clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time as the supervisor sees it."""
    clock = Clock()
    played = SimpleNamespace(monotonic=lambda: clock.now, sleep=clock.pass_by)
    monkeypatch.setattr(supervisor, "time", played)
    return clock


@pytest.fixture(name="one")
def _one(settings: Settings) -> Supervisor:
    """A supervisor that has started nothing yet."""
    return Supervisor(settings, Mock(), Mock())


def worker(said: str = "", alive: bool = True, poll: Callable[[float], bool] | None = None) -> Any:
    """Return a worker that is only said to be alive, and has said *said*."""
    lives = Mock(return_value=True) if alive else Mock(side_effect=[False] * 9)  # nobody looks at a dead one for ever
    process = Mock(is_alive=lives, exitcode=1, pid=4711)
    wire = Mock(poll=Mock(side_effect=poll or (lambda _: bool(said))), recv=Mock(return_value=said))
    return Worker(process, wire)


@pytest.mark.parametrize(("said", "ready"), [(READY, True), ("no model", False), ("the disk is full", False)])
def test_what_a_worker_has_said_holds(said: str, ready: bool) -> None:
    """It says one thing in its life; nobody waits for another one."""
    one = worker(said)

    assert [ready, ready] == [one.is_ready(1), one.is_ready()]
    assert ([call(1)], 1, said) == (one.wire.poll.call_args_list, one.wire.recv.call_count, one.said)
    other = worker(said)
    other.is_ready()
    assert [call(0.0)] == other.wire.poll.call_args_list, "who does not say how long does not wait"


@pytest.mark.parametrize("error", [EOFError, OSError])
def test_a_wire_that_is_cut_is_an_end_without_a_word(error: type[Exception]) -> None:
    """Killed by the system, for one."""
    silent = worker(READY)
    silent.wire.recv.side_effect = error

    assert (False, "it ended without a word") == (silent.is_ready(), silent.said)


@pytest.fixture(name="pipes")
def _pipes() -> Iterator[list[tuple[int, int]]]:
    """Two pipes; when the end for writing is closed that is, for who waits, as if a process had ended."""
    pipes = [os.pipe(), os.pipe()]
    yield pipes
    for end in chain(*pipes):
        with suppress(OSError):  # closed by the test
            os.close(end)


@pytest.mark.skipif(os.name != "posix", reason="Windows waits for processes, not for pipes")
@pytest.mark.parametrize(("dies", "rests"), [(False, True), (True, False)])
def test_it_rests_unless_a_worker_dies(
    one: Supervisor, pipes: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch, dies: bool, rests: bool
) -> None:
    """One that has been dead before does not keep it awake."""
    one.workers = [worker(alive=False), worker()]
    for each, (reading, _) in zip(one.workers, pipes, strict=True):
        each.process.sentinel = reading  # type: ignore[misc]
    os.close(pipes[0][1])
    if dies:
        os.close(pipes[1][1])
    real, waits = supervisor.wait, []

    def wait(living: list[int], timeout: float) -> list[Any]:
        assert 0.1 <= timeout <= 0.5, "a moment: long enough to leave the processor to others"
        waits.append(real(living, timeout=timeout))
        return waits[-1]

    monkeypatch.setattr(supervisor, "wait", wait)
    one.rest()

    assert [rests] == [found == [] for found in waits]


def test_it_rests_when_there_is_nobody_to_wait_for(one: Supervisor, clock: Clock) -> None:
    """To try again at once would take a whole processor."""
    one.workers = [worker(alive=False)]
    one.rest()

    assert 1000.2 == pytest.approx(clock.now)


def test_the_first_that_answers_is_announced(one: Supervisor, clock: Clock) -> None:
    """Though another one has failed: a service of one worker is better than none."""
    words = iter([False, False, True])
    one.workers = [worker("no memory", alive=False), worker(READY, poll=lambda _: next(words))]
    one.wait_for_first()

    one.announce.assert_called_once_with()  # type: ignore[attr-defined]


def test_a_worker_that_answered_and_died_has_started_the_service(one: Supervisor, clock: Clock) -> None:
    """Then it is replaced, as at any other time."""
    late = iter([False, True])
    one.workers = [worker(READY, alive=False, poll=lambda _: next(late))]
    one.wait_for_first()

    one.announce.assert_called_once_with()  # type: ignore[attr-defined]


def test_who_is_told_to_stop_while_it_starts_announces_nothing(one: Supervisor, clock: Clock) -> None:
    """Nobody should send requests to it."""
    one.workers = [worker(poll=lambda _: one.ask_to_stop() or False)]
    one.wait_for_first()

    assert not one.announce.called  # type: ignore[attr-defined]


def test_a_start_that_takes_long_says_so_and_ends(
    one: Supervisor, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Every few seconds, not at each look; who waits for ever learns nothing."""
    caplog.set_level(logging.INFO)
    one.workers = [worker(poll=lambda _: clock.pass_by(0.5))]

    with pytest.raises(PlayerError, match="No worker was ready within 120 s"):
        one.wait_for_first()

    assert START_SECONDS == clock.now - 1000.5
    times = [10.5 * number for number in range(1, 12)]
    assert [f"still starting, since {seconds:.0f} s" for seconds in times] == caplog.messages
    assert SAY_SECONDS == times[0] - 0.5


def test_a_worker_gets_its_socket_its_place_and_a_wire(one: Supervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our copy of its end is closed: else nobody would ever notice that it is gone."""
    ours, theirs, context = Mock(), Mock(), Mock()
    context.Pipe.return_value = ours, theirs
    monkeypatch.setattr(one, "context", context)
    monkeypatch.setenv("PLAYER_ANSWER", "42")
    made = one.start_worker(1)
    given = context.Process.call_args.kwargs
    sock, environment, wire, shares, variables = given["args"]

    assert (run_worker, one.sock, "testing", theirs) == (given["target"], sock, environment, wire)
    assert (1, "42") == (shares.place, variables["PLAYER_ANSWER"])
    assert shares.counts is one.counts
    assert (ours, True, False) == (made.wire, theirs.close.called, ours.close.called)
    theirs.close.reset_mock()
    made.process.start.side_effect = BlockingIOError  # type: ignore[attr-defined]
    with pytest.raises(BlockingIOError):
        one.start_worker(0)
    assert theirs.close.called


def test_at_first_no_worker_takes_connections(one: Supervisor) -> None:
    """Each says itself when it does."""
    assert [NOT_READY] * one.settings.server.workers == one.counts[:]


def test_workers_that_die_at_their_work_are_all_replaced_at_once(
    one: Supervisor, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Only those that never were ready have to wait; the wire to a dead one is closed."""
    dead, new = [worker(READY, alive=False), worker(READY, alive=False)], [worker(), worker()]
    one.workers = list(dead)
    one.start_worker = Mock(side_effect=list(new))  # type: ignore[method-assign]
    one.replace_dead()

    assert (new, 0.0, 0.0) == (one.workers, one.pause, one.not_before)
    assert [True, True] == [each.wire.close.called for each in dead]
    assert ["worker 4711 ended with exit code 1, replacing it"] * 2 == caplog.messages


def test_a_worker_that_only_starts_does_not_end_the_pause(one: Supervisor, clock: Clock) -> None:
    """It may fail as the one before did; only one that answers shows that all is well."""
    one.workers, one.pause = [worker()], 8.0
    one.replace_dead()
    assert 8.0 == one.pause
    one.workers = [worker(READY)]
    one.replace_dead()
    assert 0.0 == one.pause


def test_the_pause_is_over_when_its_time_has_come(one: Supervisor, clock: Clock) -> None:
    """Not before; and it never grows beyond half a minute."""
    one.start_worker = Mock(side_effect=lambda _: worker("no model", alive=False))  # type: ignore[method-assign]
    one.workers, one.pause = [worker("no model", alive=False)], 20.0
    one.replace_dead()
    assert (LONGEST_PAUSE, 1000.0 + LONGEST_PAUSE) == (one.pause, one.not_before)
    for now, starts in ((one.not_before - 0.1, 1), (one.not_before, 2)):
        clock.now = now
        one.replace_dead()
        assert starts == one.start_worker.call_count


def test_nobody_waits_for_what_the_dead_would_take(one: Supervisor, clock: Clock) -> None:
    """Each of them is counted out at once, also while it is too early to replace one."""
    one.workers = [worker("no model", alive=False), worker(READY), worker("no model", alive=False)]
    one.counts = [3, 4, 5]
    one.not_before = clock.now + 1
    one.replace_dead()

    assert [NOT_READY, 4, NOT_READY] == one.counts


def test_who_is_about_to_stop_replaces_nobody(one: Supervisor, clock: Clock) -> None:
    """The workers end because they were told to."""
    one.workers, one.start_worker = [worker(READY, alive=False)], Mock()  # type: ignore[method-assign]
    one.ask_to_stop()
    one.replace_dead()

    assert not one.start_worker.called


def test_without_a_process_to_be_had_it_waits_a_moment(one: Supervisor, clock: Clock) -> None:
    """Who asks at once again has the system do nothing else."""
    one.start_worker = Mock(side_effect=BlockingIOError)  # type: ignore[method-assign]

    assert (None, 1001.0) == (one.successor(0), clock.now)


def test_all_are_replaced_in_turn(one: Supervisor, clock: Clock) -> None:
    """Each is told to stop when the next one answers, and has ended before its neighbour is replaced."""
    old, new, steps = [worker(READY), worker(READY)], [worker(READY), worker(READY)], Mock()
    one.workers = list(old)
    for number, each in enumerate(old):
        steps.attach_mock(each.wire.close, f"stop_{number}")
        steps.attach_mock(each.process.join, f"join_{number}")
    steps.start.side_effect = list(new)
    one.start_worker = steps.start  # type: ignore[method-assign]
    one.restart_in_turn()

    assert new == one.workers
    assert ["start", "stop_0", "join_0", "start", "stop_1", "join_1"] == [name for name, *_ in steps.mock_calls if
                                                                          "is_alive" not in name]  # fmt: skip


@pytest.mark.parametrize(("said", "why"), [("no model", "no model"), ("", "too slow")])
def test_a_successor_that_does_not_get_ready_replaces_nobody(
    one: Supervisor, clock: Clock, caplog: pytest.LogCaptureFixture, said: str, why: str
) -> None:
    """A broken change of the code or the settings leaves all the old workers in their places."""
    old = [worker(READY), worker(READY)]
    new = worker(said, alive=not said, poll=None if said else clock.pass_by)
    one.workers = list(old)
    one.start_worker = Mock(return_value=new)  # type: ignore[method-assign]
    one.restart_in_turn()

    assert (old, 1) == (one.workers, one.start_worker.call_count)
    assert [False, False, True] == [each.wire.close.called for each in (*old, new)]
    assert new.process.kill.called
    assert f"worker 4711 stays: {why}" in caplog.text


def test_one_waits_for_a_worker_only_as_long_as_it_may_get_ready(one: Supervisor, clock: Clock) -> None:
    """It has died, takes too long, or everything is to stop."""
    assert not one.becomes_ready(worker(poll=lambda seconds: clock.pass_by(10 * seconds)))
    assert 1000.0 + START_SECONDS == clock.now

    dead = worker("no model", alive=False)
    assert (False, "no model") == (one.becomes_ready(dead), dead.said)
    last = iter([False, True])
    assert one.becomes_ready(worker(READY, poll=lambda _: next(last)))

    one.ask_to_stop()
    before = clock.now
    assert (False, before) == (one.becomes_ready(worker(poll=clock.pass_by)), clock.now)


@pytest.mark.parametrize("hangs", [False, True])
def test_a_worker_may_finish_what_it_has_and_no_longer(
    one: Supervisor, caplog: pytest.LogCaptureFixture, hangs: bool
) -> None:
    """It stops by itself after `stop_timeout_seconds`; a few more, and it is ended."""
    old = worker(READY, alive=hangs)
    one.finish(old)

    old.process.join.assert_called_once_with(one.settings.server.stop_timeout_seconds + 5)
    assert (hangs, hangs) == (old.process.kill.called, "worker 4711 did not stop in time" in caplog.text)


def test_the_port_closes_before_the_workers_are_told_to_stop(one: Supervisor, clock: Clock) -> None:
    """What comes then is refused, and may ask another machine, instead of being cut."""
    made, steps = [worker(READY), worker(READY)], Mock()
    steps.attach_mock(one.sock.close, "close")  # type: ignore[arg-type]
    for each in made:
        steps.attach_mock(each.wire.close, "stop")
        steps.attach_mock(each.process.join, "join")
    one.start_worker = Mock(side_effect=list(made))  # type: ignore[method-assign]
    one.rest = Mock(side_effect=one.ask_to_stop)  # type: ignore[method-assign]
    one.run()

    assert ["close", "stop", "stop", "join", "join"] == [name for name, *_ in steps.mock_calls]
    assert [call(0), call(1)] == one.start_worker.call_args_list


def test_one_signal_is_one_restart(one: Supervisor, clock: Clock) -> None:
    """Between two looks at the workers."""
    happens = iter([one.ask_to_restart, one.ask_to_restart, Mock(), one.ask_to_stop])
    one.start_worker = Mock(side_effect=lambda _: worker(READY))  # type: ignore[method-assign]
    one.rest = Mock(side_effect=lambda: [step() for step in islice(happens, 1)])  # type: ignore[method-assign]
    one.restart_in_turn = Mock()  # type: ignore[method-assign]
    one.run()

    assert 2 == one.restart_in_turn.call_count


@pytest.mark.skipif(not supervisor.CAN_FORK, reason="Windows starts each process anew")
@pytest.mark.parametrize(("can_fork", "how", "loaded"), [(True, "forkserver", [[*HEAVY]]), (False, "spawn", [])])
def test_libraries_are_loaded_once_where_processes_can_be_forked(
    monkeypatch: pytest.MonkeyPatch, can_fork: bool, how: str, loaded: list[list[str]]
) -> None:
    """Else each worker loads its own."""
    asked: list[list[str]] = []
    monkeypatch.setattr(supervisor, "CAN_FORK", can_fork)
    monkeypatch.setattr(forkserver, "ensure_running", Mock())
    monkeypatch.setattr(multiprocessing.get_context("forkserver"), "set_forkserver_preload", asked.append)
    supervisor.load_libraries()

    assert (how, loaded) == (supervisor.process_context().get_start_method(), asked)
    assert can_fork == forkserver.ensure_running.called  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", HEAVY)
def test_what_is_loaded_in_advance_exists(name: str) -> None:
    """A module that was renamed would be left out without a word, and each worker would take seconds longer."""
    assert find_spec(name)
