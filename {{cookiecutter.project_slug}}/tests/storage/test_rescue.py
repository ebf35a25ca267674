"""A spool that is damaged before the start is set aside, and every row that can be read goes on in a new one."""

import sqlite3
import struct
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from filelock import FileLock

from player.config import Settings
from player.errors import SpoolDamaged, StorageError
from player.storage.local import rescue
from player.storage.local.rescue import prepare_spool
from player.storage.local.spool import INSERT
from player.storage.writer import Writer
from tests.storage_rows import label, prediction, select, with_storage

ROWS = 60


@pytest.fixture(name="path")
def _path(settings: Settings) -> Path:
    """A spool with 60 rows of about 2 kB, of which 10 were shipped, whole and closed."""
    spool = rescue.open_spool(settings)
    for i in range(ROWS):
        body = prediction(f"r{i}", features={"text": "x" * 2000})
        Writer(settings)  # the form of a row is the writer's
        spool.write(lambda c, b=body: c.execute(INSERT, values(b)))  # type: ignore[misc]
    spool.mark_shipped(10)
    spool.close()
    return spool.path


def values(row: object) -> tuple[object, ...]:
    """Return a row as the writer spools it."""
    from player.storage.writer import prediction_values

    return prediction_values(row)  # type: ignore[arg-type]


def numbers(path: Path) -> list[int]:
    """Return the numbers of the rows in a spool."""
    with closing(sqlite3.connect(path)) as connection:
        return [n for (n,) in connection.execute("SELECT n FROM rows ORDER BY n")]


def hole(path: Path) -> None:
    """Overwrite a page in the middle, as a bad sector would."""
    size = path.stat().st_size // 4096
    with path.open("r+b") as file:
        file.seek(size // 2 * 4096)
        file.write(b"\xff" * 4096)


def cut(path: Path) -> None:
    """Lose the second half."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 8192 * 4096])


def no_head(path: Path) -> None:
    """Overwrite the first page: without it SQLite does not even know what kind of file this is."""
    with path.open("r+b") as file:
        file.write(bytes(4096))


def no_state(path: Path) -> None:
    """Lose how far the rows were shipped."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM state")
        connection.commit()


def empty(path: Path) -> None:
    """Lose everything."""
    path.write_bytes(b"")


def text(path: Path) -> None:
    """Put something else in its place."""
    path.write_text("no database" * 500, encoding="utf-8")


def foreign(path: Path) -> None:
    """Put another program's database in its place."""
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE rows (other)")


@pytest.mark.parametrize(
    ("damage", "fewest"),
    [(hole, ROWS - 10), (cut, 10), (no_head, ROWS), (no_state, ROWS), (empty, 0), (text, 0), (foreign, 0)],
)
def test_what_can_be_read_goes_on(
    settings: Settings, path: Path, damage: Callable[[Path], None], fewest: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The rows that are left are in the new spool and reach the database, the damaged file is kept, all is counted."""
    damage(path)
    damaged = path.read_bytes()

    rescued = prepare_spool(settings, rescuing=True)

    assert rescued is not None
    assert rescued.rows == len(numbers(path)) >= fewest
    assert rescued.rows + rescued.unreadable <= ROWS
    assert rescued.aside.read_bytes() == damaged
    assert f"{rescued.rows} rows were rescued" in caplog.text or rescued.rows == 0
    writer = Writer(settings)
    writer.put_prediction(prediction("after"))
    writer.put_labels([label("after", 1)])
    writer.ship()
    writer.stop()
    stored = {key for (key,) in select(settings, "SELECT request_id FROM predictions")}
    assert "after" in stored
    # what was shipped before the damage is not here, because no database was there
    assert len(stored) >= rescued.rows + 1 - 10


def test_what_is_damaged_inside_a_row_is_not_taken_for_a_row(settings: Settings, path: Path) -> None:
    """A page may be whole for SQLite and hold nonsense all the same."""
    content = path.read_bytes()
    path.write_bytes(content.replace(b'{"request_id": "r7"', b'\x01"request_id\xff "r7"'))
    hole(path)

    rescued = prepare_spool(settings, rescuing=True)

    assert rescued is not None
    assert 8 not in numbers(path)


def test_a_spool_that_is_whole_is_left_alone(settings: Settings, path: Path) -> None:
    """Nothing is set aside without need."""
    assert prepare_spool(settings, rescuing=True) is None
    assert list(range(1, ROWS + 1)) == numbers(path)
    assert [] == list(path.parent.glob("*damaged*"))


def test_a_new_row_after_a_rescue_never_counts_as_shipped(settings: Settings, path: Path) -> None:
    """When the newest rows are lost, the next one gets an old number: it waits for the database all the same."""
    spool = rescue.open_spool(settings)
    spool.mark_shipped(ROWS)
    spool.close()
    text(path)
    prepare_spool(settings, rescuing=True)
    spool.write(lambda c: c.execute(INSERT, values(prediction("new"))))

    assert 1 == spool.count()["spooled"]
    spool.close()


def test_whether_it_is_rescued_is_a_setting(settings: Settings, path: Path) -> None:
    """Where a person is to look first, the start is refused in one sentence, and the file stays as it is."""
    hole(path)
    before = path.read_bytes()
    assert "refuse" == settings.storage.damaged_spool  # availability is low here

    with pytest.raises(SpoolDamaged, match="player doctor --fix") as error:
        prepare_spool(settings)

    assert before == path.read_bytes()
    assert "\n" not in str(error.value)
    assert prepare_spool(with_storage(settings, damaged_spool="rescue")) is not None


def test_a_spool_in_use_is_not_replaced(settings: Settings, path: Path) -> None:
    """Another service holds it: that one must stop first."""
    hole(path)
    with FileLock(f"{path}.lock"), pytest.raises(StorageError, match="another service uses it"):
        prepare_spool(settings, rescuing=True)

    assert not list(path.parent.glob("*damaged*"))


@pytest.mark.parametrize("moved", [(), ("-wal",), ("-wal", "-shm"), ("-wal", "-shm", "")])
def test_a_rescue_that_was_killed_is_finished(
    settings: Settings, path: Path, monkeypatch: pytest.MonkeyPatch, moved: tuple[str, ...]
) -> None:
    """Killed between two steps, the next start finds the rescued rows and puts them in place."""
    hole(path)
    with monkeypatch.context() as patch:
        patch.setattr(rescue, "finish", lambda path: None)
        prepare_rescued(settings)
    for ending in moved:
        path.with_name(path.name + ending).unlink(missing_ok=True)

    assert prepare_spool(settings) is None

    assert len(numbers(path)) >= ROWS - 10
    assert not path.with_name(f"{path.name}.rescued").exists()


def prepare_rescued(settings: Settings) -> None:
    """Rescue, but for the last step."""
    rescue.rescue(rescue.open_spool(settings).path)


def test_rows_that_only_the_log_has_are_rescued(settings: Settings, path: Path, tmp_path: Path) -> None:
    """What SQLite has not yet moved into the file is in its write-ahead log, and it counts."""
    spool = rescue.open_spool(settings)
    spool.write(lambda c: c.execute(INSERT, values(prediction("in the log"))))
    log = path.with_name(path.name + "-wal").read_bytes()
    whole = path.read_bytes()
    spool.close()
    assert 32 < len(log)
    path.write_bytes(whole)
    path.with_name(path.name + "-wal").write_bytes(log)
    page = struct.unpack(">H", whole[16:18])[0]
    with path.open("r+b") as file:
        file.seek(len(whole) // page // 2 * page)
        file.write(b"\xff" * page)

    rescued = prepare_spool(settings, rescuing=True)

    assert rescued is not None
    assert ROWS + 1 == numbers(path)[-1]
