"""The spool keeps what it acknowledged: through kill -9, a torn file, a full disk, and other processes."""

import os
import random
import signal
import sqlite3
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from player.errors import NotDurable, StorageError
from player.storage.local import commits, sqlite_file
from player.storage.local.spool import INSERT, Spool
from tests.storage_rows import spooled

PROJECT = Path(__file__).parents[2]
NUMBERED = """
import sys
from pathlib import Path
from player.storage.local.spool import INSERT, Spool
spool = Spool(Path(sys.argv[1]))
for i in range(10**9):
    key = f"{sys.argv[2]}-{i}"
    spool.write(lambda c: c.execute(INSERT, ("prediction", key, None, None, 0.0, "{}")))
    print(key, flush=True)
"""


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    """Where a spool may be; its folder does not exist yet."""
    return tmp_path / "output" / "spool.db"


@pytest.fixture(name="spool")
def _spool(path: Path) -> Iterator[Spool]:
    """An empty spool."""
    one = Spool(path)
    yield one
    one.close()


def put(one: Spool, key: str, size: int = 0) -> None:
    """Put one row."""
    one.write(lambda c: c.execute(INSERT, ("prediction", key, None, None, time.time(), "x" * size)))


def keys(path: Path) -> list[str]:
    """Return the keys of all rows, as a new process would find them."""
    one = Spool(path)
    one.open()
    found = [row[0] for row in one.read("SELECT key FROM rows ORDER BY n")]
    one.close()
    return found


def start_child(path: Path, name: str) -> subprocess.Popen[str]:
    """Start a process that puts numbered rows and prints the key of each that was acknowledged."""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    return subprocess.Popen([sys.executable, "-c", NUMBERED, str(path), name], stdout=subprocess.PIPE, text=True,
                            env=environment)  # fmt: skip


@pytest.mark.parametrize("power", [False, True])
def test_what_was_acknowledged_survives_kill_9(path: Path, power: bool) -> None:
    """Processes killed at random moments lose and double no row that they acknowledged."""
    acknowledged: list[str] = []
    for turn in range(5):
        children = [start_child(path, f"{power}-{turn}-{number}") for number in range(2)]
        for child in children:
            assert child.stdout is not None
            acknowledged += [child.stdout.readline().strip() for _ in range(random.randint(1, 30))]
            child.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
            acknowledged += [line.strip() for line in child.stdout if line.endswith("\n")]
            child.stdout.close()
            child.wait()

    stored = keys(path)

    assert set(acknowledged) <= set(stored)
    assert len(set(stored)) == len(stored)
    assert len(stored) <= len(acknowledged) + 10


def test_every_whole_row_survives_a_torn_file(spool: Spool, path: Path, tmp_path: Path) -> None:
    """Cut anywhere, SQLite's write-ahead log gives back each row whose commit is in it, and no half one."""
    for i in range(20):
        put(spool, str(i), size=random.randint(0, 3000))
    wal = path.with_name("spool.db-wal").read_bytes()
    ends = commit_ends(wal)
    assert len(ends) >= 20
    base, fewest = path.read_bytes(), len(ends) - 20
    for cut in sorted({0, len(wal), *random.sample(range(len(wal)), 60), *(end + d for end in ends for d in (-1, 0))}):
        torn = tmp_path / "torn.db"
        torn.write_bytes(base)
        torn.with_name("torn.db-wal").write_bytes(wal[:cut])

        complete = max(0, sum(end <= cut for end in ends) - fewest)

        assert [str(i) for i in range(complete)] == keys(torn)


def commit_ends(wal: bytes) -> list[int]:
    """Return where each transaction in a write-ahead log ends (https://www.sqlite.org/fileformat2.html#walformat)."""
    frame = 24 + struct.unpack(">I", wal[8:12])[0]
    starts = range(32, len(wal) - frame + 1, frame)
    return [start + frame for start in starts if struct.unpack(">I", wal[start + 4 : start + 8])[0]]


@pytest.mark.parametrize("damage", ["empty", "truncated", "text", "zeros", "other"])
def test_a_damaged_file_is_refused(spool: Spool, path: Path, damage: str) -> None:
    """A file that is no whole spool stops the start with its name, and is never replaced by an empty one."""
    for i in range(50):
        put(spool, str(i), size=2000)
    spool.close()
    whole = path.read_bytes()
    damaged = {"empty": b"", "truncated": whole[: len(whole) // 2], "text": b"no database" * 500,
               "zeros": whole[:8192] + bytes(len(whole) - 8192)}  # fmt: skip
    if damage == "other":
        path.unlink()
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE other (x)")
    else:
        path.write_bytes(damaged[damage])
    before = path.read_bytes()

    with pytest.raises(StorageError, match=r"spool\.db cannot be used"):
        Spool(path).open()
    with pytest.raises(NotDurable, match=r"spool\.db cannot be used"):
        put(Spool(path), "a")

    assert before == path.read_bytes()


@pytest.fixture(name="large")
def _large(spool: Spool, path: Path) -> Path:
    """A spool of 40 MB, whole and closed."""
    text = "x" * 2000
    rows = [("prediction", str(i), None, None, time.time(), text) for i in range(20_000)]
    spool.write(lambda connection: connection.executemany(INSERT, rows))
    spool.close()
    return path


def test_a_large_file_does_not_delay_the_start(
    large: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """After hours without the database it is read as long as there is time for it, and rows are taken."""
    monkeypatch.setattr(sqlite_file, "CHECK_SECONDS", 0.001)
    caplog.set_level("INFO", "player")
    spool = Spool(large)
    spool.open()
    put(spool, "next")
    spool.close()

    assert "the spool is large" in caplog.text
    assert "next" == keys(large)[-1]


def test_a_large_file_that_was_cut_is_refused(large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when there is no time to read all of it: SQLite knows how long it was."""
    monkeypatch.setattr(sqlite_file, "CHECK_SECONDS", 0.001)
    large.write_bytes(large.read_bytes()[: large.stat().st_size // 4 * 3])

    with pytest.raises(StorageError, match=r"spool\.db cannot be used"):
        Spool(large).open()


def test_where_users_depend_on_it_the_folder_must_be_there(path: Path) -> None:
    """A missing folder may be a disk that was not mounted."""
    with pytest.raises(StorageError, match="output is not there: make it, or mount its disk"):
        Spool(path, lenient=False).open()


def test_a_full_disk_is_said_and_gets_well_by_itself(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """When nothing fits, a row is refused and nothing of it is kept; with room again, rows are taken again."""
    monkeypatch.setattr(sqlite_file, "MOST_MB", 1)
    one = Spool(path)
    put(one, "fits")
    with pytest.raises(NotDurable, match="full"):
        put(one, "too big", size=2_000_000)
    assert spooled(one, "too big") is None
    put(one, "small still fits")
    filled = 0
    with pytest.raises(NotDurable):
        while True:
            put(one, f"row {filled}", size=50_000)
            filled += 1
    caplog.clear()
    for i in range(3):
        with pytest.raises(NotDurable, match="free some space"):
            put(one, f"too much {i}", size=50_000)
    assert not one.usable()
    assert [] == caplog.records, "it was said when it began, and not for each row"

    monkeypatch.setattr(sqlite_file, "MOST_MB", 10)

    assert one.usable()
    assert ["5 requests got 503"] == [record.getMessage()[-18:] for record in caplog.records]
    put(one, "room again", size=50_000)
    one.close()
    assert len(keys(path)) == filled + 3


def test_a_spool_held_by_another_program_is_waited_for(
    spool: Spool, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock that lasts refuses the row; when it is gone, rows are taken again."""
    monkeypatch.setattr(commits, "WAIT_SECONDS", 0.2)
    put(spool, "before")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(NotDurable, match="locked"):
            put(spool, "during")
        other.execute("ROLLBACK")
    put(spool, "after")

    assert ["before", "after"] == keys(path)


def test_a_disk_that_hangs_refuses_those_who_wait(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waited too long is told so, and its row does not appear later; afterwards all is well."""
    monkeypatch.setattr(commits, "WAIT_SECONDS", 0.05)
    put(spool, "before")
    with spool._commits._write_lock, pytest.raises(NotDurable, match="in time"):
        put(spool, "during")
    put(spool, "after")

    assert ["before", "after"] == keys(spool.path)


def test_one_bad_job_fails_alone(spool: Spool) -> None:
    """A job that goes wrong does not take the others of its transaction with it."""
    bad = commits.Job(lambda connection: connection.execute("INSERT INTO nowhere VALUES (1)"))
    good = commits.Job(lambda connection: connection.execute(INSERT, ("prediction", "a", None, None, 0.0, "")))

    spool._commits._commit([good, bad])

    assert isinstance(bad.error, NotDurable)
    assert good.error is None
    assert spooled(spool, "a") == ""


def test_a_deleted_file_is_noticed(spool: Spool, path: Path) -> None:
    """Who deletes the spool under a running service loses what was in it, not what comes."""
    put(spool, "gone")
    try:
        path.unlink()
    except PermissionError:
        return  # Windows does not let anybody delete an open file
    put(spool, "kept")

    assert ["kept"] == keys(path)


def test_where_users_depend_on_it_a_deleted_file_is_not_replaced(spool: Spool, path: Path, tmp_path: Path) -> None:
    """A write-ahead log without its file means that the spool was lost, and a person must look."""
    put(spool, "a")
    left = tmp_path / "left.db"
    left.with_name("left.db-wal").write_bytes(path.with_name("spool.db-wal").read_bytes())

    with pytest.raises(StorageError, match=r"left\.db-wal is still there"):
        Spool(left, lenient=False).open()


def test_a_long_log_goes_into_the_file(spool: Spool, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The write-ahead log does not grow for ever."""
    monkeypatch.setattr(commits, "CHECKPOINT_BYTES", 100_000)
    for i in range(200):
        put(spool, str(i), size=1000)

    assert path.with_name("spool.db-wal").stat().st_size < 150_000


def test_only_old_shipped_rows_are_purged(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest rows are the memory for repeated ids; what was not shipped is never deleted."""
    monkeypatch.setattr(spool_module(), "REMEMBER_ROWS", 10)
    for i in range(30):
        put(spool, str(i))
    spool.purge()
    assert spool.count()["spooled"] == 30

    spool.mark_shipped(25)
    spool.purge()

    assert [21, 30] == list(spool.read("SELECT min(n), max(n) FROM rows")[0])
    assert spool.count()["spooled"] == 5


def test_numbers_go_on_after_a_purge(spool: Spool) -> None:
    """A row that comes after all others were deleted is still one that waits."""
    put(spool, "a")
    spool.mark_shipped(1)
    spool.forget(before=time.time() + 1)
    put(spool, "b")

    assert [(2, "prediction", "")] == spool.waiting(10)


def spool_module() -> object:
    """Return the module, whose name the fixture hides in a test."""
    return sys.modules["player.storage.local.spool"]
