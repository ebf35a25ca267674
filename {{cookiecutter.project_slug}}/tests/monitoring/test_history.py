"""The history is written once: every round is still there, each with its cause, and none is rewritten later."""

import itertools
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
import time_machine
from sqlalchemy import Engine

from player.config import Settings
from player.model import loading, store
from player.model.answering import Link
from player.monitoring.history.reading import History, catch_up, read_history, to_text
from player.monitoring.history.slots import FEW, MOST_SLOTS, make_slots
from player.monitoring.history.writing import write_history
from player.storage import chapters, retention
from player.storage.migrations import upgrade
from player.storage.tables import Chapter, Label, Prediction, create_engine_for
from player.storage.writer import Writer
from tests.storage_rows import NOON

SIZE, NUMBER_TIMES = 50, 12
COLUMNS = {"model": "m1", "pred": 1, "proba": 0.8, "degraded": False, "features": {}, "warnings": [],
           "latency_ms": 1.0, "client": "x"}  # fmt: skip


def with_window(settings: Settings, size: int, **changes: Any) -> Settings:
    """Return *settings* with chapters of *size* requests."""
    changed = settings.monitoring.model_copy(update={"window_rows": size, "min_rows": size, **changes})
    return settings.model_copy(update={"monitoring": changed})


@pytest.fixture(name="small")
def _small(settings: Settings) -> Settings:
    """Settings with chapters of fifty requests, and an empty database."""
    upgrade(settings)
    return with_window(settings, SIZE)


@pytest.fixture(name="engine")
def _engine(small: Settings) -> Iterator[Engine]:
    """Its engine."""
    engine = create_engine_for(small)
    yield engine
    engine.dispose()


def put(engine: Engine, count: int, minute: float = 0.0, right: float | None = 0.8, **changes: Any) -> None:
    """Store *count* requests, a second apart, of which a share *right* was right; None: without labels."""
    rows = [{**COLUMNS, "request_id": f"{minute}-{i}", "received_at": NOON + timedelta(minutes=minute, seconds=i),
             **changes} for i in range(count)]  # fmt: skip
    with engine.begin() as connection:
        connection.execute(sa.insert(Prediction), rows)
    if right is not None:
        put_labels(engine, count, minute, right)


def put_labels(engine: Engine, count: int, minute: float, right: float) -> None:
    """Store a label for each of the first *count* requests of *minute*."""
    labels = [{"id": f"l{minute}-{i}", "request_id": f"{minute}-{i}", "label": int(i % 10 < 10 * right),
               "status": "stored", "received_at": NOON, "sender": "x"} for i in range(count)]  # fmt: skip
    with engine.begin() as connection:
        connection.execute(sa.insert(Label), labels)


def written(engine: Engine) -> list[dict[str, Any]]:
    """Return every chapter as it is stored, with all its columns."""
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(sa.select(*Chapter.__table__.c)).mappings()]


def all_of(engine: Engine, settings: Settings) -> History:
    """Return the whole history."""
    return read_history(engine, settings, None, None)


def test_each_full_stretch_becomes_a_chapter(small: Settings, engine: Engine) -> None:
    """With its requests, labels and right answers; what is not full yet is shown as that, and not stored."""
    put(engine, 2 * SIZE + 10)

    assert 2 == write_history(engine, small)

    found = written(engine)
    assert [(1, SIZE, SIZE, 40), (2, SIZE, SIZE, 40)] == [
        (each["number"], each["rows"], each["labelled"], each["correct"]) for each in found
    ]
    assert [NOON, NOON + timedelta(seconds=SIZE)] == [each["began_at"] for each in found]
    assert [None, None] == [each["look_at"] for each in found]
    past = all_of(engine, small)
    assert ["not full yet: 10 of 50 requests", "", ""] == [line.status for line in past.lines]
    assert (2 * SIZE + 10, 88) == (past.labelled, past.right)


def test_a_closed_chapter_never_changes(small: Settings, engine: Engine) -> None:
    """Not by later rows, nor by later labels, nor when its rows are gone, nor when it is asked for again."""
    put(engine, 2 * SIZE)
    write_history(engine, small)
    before = written(engine)

    put(engine, 3 * SIZE, minute=30, right=0.1, features={"age": 9})
    write_history(engine, small)
    with engine.begin() as connection:
        connection.execute(sa.delete(Prediction).where(Prediction.received_at < NOON + timedelta(minutes=1)))
        connection.execute(sa.update(Label).values(label=0))
    write_history(engine, small)

    assert before == written(engine)[:2]
    assert 5 == len(written(engine))


def test_a_chapter_begins_where_the_one_before_ended(small: Settings, engine: Engine) -> None:
    """However many of the older rows retention took: numbers of rows say nothing."""
    put(engine, SIZE + 20)
    write_history(engine, small)
    with engine.begin() as connection:
        connection.execute(sa.delete(Prediction).where(Prediction.received_at <= NOON + timedelta(seconds=55)))
    put(engine, SIZE, minute=30)

    write_history(engine, small)

    assert [NOON, NOON + timedelta(seconds=56)] == [each["began_at"] for each in written(engine)]


def test_late_labels_are_waited_for(small: Settings, engine: Engine) -> None:
    """Until all are there, or for so long as is said; a chapter that waits says so."""
    put(engine, SIZE, right=None)
    with time_machine.travel(NOON + timedelta(minutes=5), tick=False):
        write_history(engine, small)
    assert written(engine)[0]["look_at"] is not None
    assert ["labels still come: 0 of 50 are here"] == [line.status for line in all_of(engine, small).lines]

    put_labels(engine, 20, 0.0, 1.0)
    with time_machine.travel(NOON + timedelta(hours=1), tick=False):
        write_history(engine, small)
    assert (20, 20) == (written(engine)[0]["labelled"], written(engine)[0]["correct"])
    assert written(engine)[0]["look_at"] is not None

    with time_machine.travel(NOON + timedelta(hours=25), tick=False):
        write_history(engine, small)
    assert written(engine)[0]["look_at"] is None


def test_who_looks_often_looks_at_twice_the_age(small: Settings, engine: Engine) -> None:
    """So a chapter that waits for labels costs little, however long it waits."""
    put(engine, SIZE, right=None)
    looks = []
    for minutes in range(2, 120):
        with time_machine.travel(NOON + timedelta(minutes=minutes), tick=False):
            write_history(engine, small, patient=True)
        looks.append(written(engine)[0]["look_at"])

    assert 4 <= len(set(looks)) <= 8


def test_rows_of_the_future_are_looked_at_when_it_is_there(small: Settings, engine: Engine) -> None:
    """A clock that was wrong must not have every page judge the same chapter."""
    put(engine, 2 * SIZE, right=None)
    with time_machine.travel(NOON - timedelta(days=7), tick=False):
        write_history(engine, small, patient=True)

    assert written(engine)[0]["look_at"] > NOON


def test_rows_that_may_still_come_are_waited_for(small: Settings, engine: Engine) -> None:
    """A row may come to the database a moment after one that was answered later."""
    put(engine, SIZE)
    end = NOON + timedelta(seconds=SIZE - 1)
    with time_machine.travel(end + timedelta(seconds=4), tick=False):
        assert 0 == write_history(engine, small)
    with time_machine.travel(end + timedelta(seconds=11), tick=False):
        assert 1 == write_history(engine, small)


def test_rows_of_one_moment_stay_together(small: Settings, engine: Engine) -> None:
    """Time decides where a chapter ends: none of them is lost, none counted twice."""
    put(engine, SIZE - 2)
    for name in "abcde":
        with engine.begin() as connection:
            same = {**COLUMNS, "request_id": name, "received_at": NOON + timedelta(minutes=10)}
            connection.execute(sa.insert(Prediction), same)

    write_history(engine, small)

    assert [SIZE + 3] == [each["rows"] for each in written(engine)]


def test_two_that_look_at_once_write_the_same(small: Settings, engine: Engine) -> None:
    """The second one finds the chapter there."""
    put(engine, SIZE)
    write_history(engine, small)
    before = written(engine)

    chapters.add(engine, 1, {**{k: v for k, v in before[0].items() if k != "number"}, "correct": 0})
    chapters.change(engine, 1, {"correct": 0})

    assert before == written(engine)


def test_at_most_so_many_are_written_at_once(small: Settings, engine: Engine) -> None:
    """A page must come soon; the next one has more."""
    put(engine, 4 * SIZE)

    assert 3 == write_history(engine, small, most=3)
    assert all_of(engine, small).behind
    assert 1 == write_history(engine, small, most=3)
    assert not all_of(engine, small).behind


def test_the_cost_of_a_look_is_that_of_one_chapter(small: Settings, engine: Engine) -> None:
    """No statement reads the rows of chapters that are closed."""
    put(engine, 20 * SIZE)
    write_history(engine, small)
    plans = []

    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if "predictions" in statement:
            plans.append(statement)

    sa.event.listen(engine, "before_cursor_execute", note)
    write_history(engine, small)
    all_of(engine, small)
    sa.event.remove(engine, "before_cursor_execute", note)

    assert plans
    with engine.connect() as connection:
        for statement in plans:
            values = ("2026-01-01", *[10] * 9)[: statement.count("?")]
            steps = [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]
            scans = [step for step in steps if step.startswith("SCAN predictions")]
            assert not scans, (statement, steps)


def test_a_span_shows_what_happened_in_it(small: Settings, engine: Engine) -> None:
    """The totals are those of the whole."""
    put(engine, SIZE)
    put(engine, SIZE, minute=60)
    put(engine, SIZE, minute=120)
    write_history(engine, small)

    found = read_history(engine, small, NOON + timedelta(minutes=50), NOON + timedelta(minutes=70))

    assert [2] == [line.number for line in found.lines]
    assert (3 * SIZE, 120) == (found.labelled, found.right)


def test_a_new_model_is_marked(small: Settings, engine: Engine) -> None:
    """Where it took over, in the line and in the chart; a fallback is no new model."""
    put(engine, SIZE)
    put(engine, SIZE, minute=10, degraded=True, model="none")
    put(engine, SIZE, minute=20, model="m2")
    write_history(engine, small)

    found = all_of(engine, small)

    assert ["m2", "", ""] == [line.new_model for line in found.lines]
    assert ["m2"] == [slot.new_model for slot in found.slots if slot.new_model]
    assert any("model m2 took over" in line for line in to_text(found))


@pytest.mark.parametrize("count", [1, FEW, FEW + 1, MOST_SLOTS + 1, 5000])
def test_the_chart_has_room_for_any_number(count: int) -> None:
    """Few chapters are drawn in pieces, many together; every request is in one place, and the order stays."""
    piece = (NOON.isoformat(), 10, 10, 8)
    found = [{"number": i, "began_at": NOON + timedelta(hours=i), "ended_at": NOON + timedelta(hours=i, minutes=5),
              "rows": 50, "labelled": 50, "correct": 40, "expected": 0.8, "model": "m1", "title": "all well",
              "state": "alarm" if i == 3 else "ok", "pieces": [piece] * 5} for i in range(count)]  # fmt: skip

    slots = make_slots(found)

    assert len(slots) <= max(MOST_SLOTS, 5 * FEW)
    assert 50 * count == sum(slot.rows for slot in slots)
    assert [slot.start for slot in slots] == sorted(slot.start for slot in slots) or count <= FEW
    assert (count > 3) == any(slot.state == "alarm" for slot in slots)
    assert {0.8} == {slot.accuracy.value for slot in slots if slot.accuracy}


def test_of_many_chapters_those_that_say_the_same_share_a_line(small: Settings, engine: Engine) -> None:
    """So the beginning is seen also when there are hundreds; their requests are counted together."""
    for minute, right in ((0, 0.8), (60, 0.2), (120, 0.8)):
        put(engine, 15 * SIZE, minute=minute, right=right)
    write_history(engine, small)

    found = all_of(engine, small)

    assert 45 == len(written(engine))
    assert 45 * SIZE == sum(line.rows for line in found.lines)
    assert len(found.lines) < 30
    assert found.lines[-1].start == NOON


def test_filling_in_other_rows_begins_another_history(small: Settings, engine: Engine) -> None:
    """`player fill` takes its own rows out: what was told of them is gone with them."""
    put(engine, SIZE, client="player fill")
    write_history(engine, small)
    writer = Writer(small)
    retention.forget_written_by("nobody", engine, writer.spool)
    assert 1 == len(written(engine))

    retention.forget_written_by("player fill", engine, writer.spool)
    writer.stop()

    assert [] == written(engine)


def test_without_its_table_it_says_so_in_a_sentence(small: Settings, engine: Engine) -> None:
    """A database from before has none, until it is upgraded."""
    put(engine, SIZE)
    Chapter.__table__.drop(engine)

    past, trouble = catch_up(small)

    assert History() == past
    assert "player db upgrade" in trouble
    assert "\n" not in trouble


@pytest.mark.parametrize("rows", [1, 3])
def test_a_few_rows_are_no_chapter(small: Settings, engine: Engine, rows: int) -> None:
    """They are shown as what is not full yet, also when all are of one class, or nothing is labelled."""
    put(engine, rows, right=None)

    assert 0 == write_history(engine, small)
    assert ["too few rows"] == [line.title for line in all_of(engine, small).lines]
    assert 1 == len(all_of(engine, small).slots)


@pytest.fixture(name="link")
def _link(model_settings: Settings) -> Link:
    """The model of the tests, loaded."""
    version = store.current_manifest(model_settings).version
    return Link(loading.load(version, model_settings), 30)


def play(engine: Engine, link: Link, table: pd.DataFrame, minute: float, nature: bool = False, **changed: Any) -> None:
    """Store the answers to the rows of *table* with *changed* columns, one a second, and their labels."""
    sent = table[link.model.schema.names].assign(**changed).astype("object")
    raws: Sequence[dict[str, Any]] = sent.where(sent.notna(), None).to_dict("records")
    answers = link.answer(raws)
    truth = table["repaid"].to_numpy()
    dice = np.random.default_rng(7)
    truth = np.where(dice.random(len(truth)) < 0.4, 1 - truth, truth) if nature else truth
    with engine.begin() as connection:
        connection.execute(sa.insert(Prediction), [
            {**COLUMNS, **vars(answer), "request_id": f"{minute}-{i}", "features": raw,
             "received_at": NOON + timedelta(minutes=minute, seconds=i)}
            for i, (answer, raw) in enumerate(zip(answers, raws, strict=True))
        ])  # fmt: skip
        connection.execute(sa.insert(Label), [
            {"id": f"l{minute}-{i}", "request_id": f"{minute}-{i}", "label": int(label), "status": "stored",
             "received_at": NOON, "sender": "x"} for i, label in enumerate(truth)
        ])  # fmt: skip


def test_every_round_of_a_slow_game_is_told_with_its_cause(
    model_settings: Settings, link: Link, table: pd.DataFrame
) -> None:
    """Hours apart: as trained, gathered differently, other people, another nature, as trained; none rewritten."""
    upgrade(model_settings)
    settings = with_window(model_settings, 300)
    engine = create_engine_for(settings)
    number = next(each.name for each in link.model.schema.features if each.kind == "number" and each.high > 100)
    rows = table.head(300)
    others = table.sort_values(number).tail(300).sample(frac=1, random_state=1)
    rounds: list[tuple[pd.DataFrame, dict[str, Any]]] = [
        (rows, {}), (rows, {number: rows[number] / NUMBER_TIMES}), (others, {}), (rows, {"nature": True}), (rows, {})
    ]  # fmt: skip
    told: list[list[tuple[str, str]]] = []
    for i, (cases, changed) in enumerate(rounds):
        play(engine, link, cases, minute=90.0 * i, **changed)
        write_history(engine, settings)
        lines = all_of(engine, settings).lines[::-1]
        told.append([(line.title, line.sentence) for line in lines])
    engine.dispose()

    for earlier, later in itertools.pairwise(told):
        assert earlier == later[: len(earlier)]
    first, gathered, population, nature, last = [title for title, _ in told[-1]]
    assert "all well" == first == last
    assert "data gathered differently" == gathered
    assert "another population" in population
    assert "another nature" == nature
    assert number in told[-1][1][1]


def test_now_is_after_the_rows_of_these_tests() -> None:
    """Chapters are closed by age: the rows of the tests are of yesterday."""
    assert datetime.now(UTC) > NOON + timedelta(hours=11)
