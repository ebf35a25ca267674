"""What a stranger can leave behind is bounded, and one request can be taken out everywhere."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from player.cli import main
from player.config import Settings
from player.features import Schema, clean
from player.repair import Feature
from player.settings.addresses import shown_url
from player.storage import queries
from player.storage.backup import back_up
from player.storage.local import spool
from player.storage.migrations import upgrade
from player.storage.tables import create_engine_for
from player.storage.writer import LabelRow, PredictionRow, Writer
from player.web import payload
from tests.storage_rows import count

NOW = datetime.now(UTC)
TEXTS = st.text(max_size=5).map(lambda text: 100 * text)
FLAT = st.none() | st.booleans() | st.floats() | TEXTS
JSON: Any = FLAT | st.lists(TEXTS, max_size=5) | st.dictionaries(TEXTS, TEXTS)


@hypothesis_settings(max_examples=50)
@given(st.dictionaries(TEXTS, JSON, max_size=20), st.sampled_from([1000, 5000]))
def test_a_row_keeps_no_more_than_it_may(features: dict[str, Any], most: int) -> None:
    """Whatever a request holds."""
    assert len(json.dumps(payload.kept(features, most))) <= most


def test_what_the_model_needs_is_kept_first_and_two_requests_stay_two() -> None:
    """The known features survive a flood of others; the checksum tells floods apart."""
    flood = {f"x{n}": "y" * 1000 for n in range(400)}
    one, other = (payload.kept({**flood, "age": 42, "note": text}, 2000, ("age",)) for text in ("a", "b"))

    assert 42 == one["age"] == other["age"]
    assert one[payload.CUT] != other[payload.CUT]
    assert {"age": 42} == payload.kept({"age": 42}, 2000)


INCOME, HOME = Feature("income", "number", high=9), Feature("home", "category", categories=("own", "x" * 200))
SCHEMA = Schema((INCOME, HOME), "repaid")


@hypothesis_settings(max_examples=30)
@given(st.dictionaries(st.sampled_from(["income", "home", *map(str, range(10))]), JSON | st.lists(st.lists(JSON))),
       st.sampled_from([" ", "x", "9", "1,"]).map(lambda text: 250 * text))  # fmt: skip
def test_what_is_kept_is_read_as_the_request_was(features: dict[str, Any], text: str) -> None:
    """Replay, monitoring and retraining see what the model saw, however much else a request brought."""
    flood = {f"x{n}": text for n in range(600)}
    for given_ in (features, {**flood, **features}, {**features, "home": f"{text} own", "income": f"{text}7"}):
        stored = json.loads(json.dumps(payload.kept(given_, 1000, SCHEMA.names)))

        assert clean(given_, SCHEMA)[0] == clean(stored, SCHEMA)[0]


def test_a_wide_row_is_kept_whole() -> None:
    """Two thousand features of a model are no flood, whatever a row may hold beside them."""
    wide = {f"gene {n}": n / 7 for n in range(2000)}

    assert wide == payload.kept(wide, 1000, list(wide))
    assert wide.items() <= payload.kept({**wide, **{f"x{n}": n for n in range(2000)}}, 1000, list(wide)).items()


def row(number: int, features: Any = None) -> PredictionRow:
    """Return an answered request."""
    return PredictionRow(f"r{number}", NOW, "m", 1, 0.5, False, features or {}, [], 1.0, "user")


@pytest.fixture(name="writer")
def _writer(settings: Settings) -> Any:
    """A writer on a database of its own."""
    upgrade(settings)
    writer = Writer(settings)
    writer.start()
    yield writer
    writer.stop()


def test_shipped_rows_go_when_the_file_is_large(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    """However new they are: the database has them, and the disk is for rows that wait."""
    monkeypatch.setattr(spool, "REMEMBER_BYTES", 200_000)
    for start in range(0, 400, 100):
        writer.put_predictions([row(start + n, {"x": "y" * 5000}) for n in range(100)])
        writer.ship()

    assert writer.spool.used_bytes() < 1_000_000
    assert 400 == count(create_engine_for(writer._shipper._settings))[0]


def test_the_last_room_is_for_answers_and_labels(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the file is nearly full this is known within a second; until then nothing is left out."""
    assert not writer.nearly_full()
    monkeypatch.setattr(spool, "NEARLY_FULL", 0.0)
    writer.spool._look_again = 0.0

    assert writer.nearly_full()


@pytest.mark.parametrize(("total", "free", "little"), [
    (10**12, 3 * 10**8, False), (10**12, 10**8, True), (16 * 10**6, 5 * 10**6, False), (16 * 10**6, 10**6, True),
])  # fmt: skip
def test_the_last_room_of_the_disk_is_for_them_too(
    writer: Writer, monkeypatch: pytest.MonkeyPatch, total: int, free: int, little: bool
) -> None:
    """200 MB, or a tenth of a small one: a database file on the same disk grows as well."""
    monkeypatch.setattr(spool.shutil, "disk_usage", lambda _: SimpleNamespace(total=total, free=free))

    assert little == writer.nearly_full()


def test_in_the_last_room_answers_and_labels_are_kept(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks then is answered as ever and can bring a label; of the question itself nothing is kept."""
    client, components = app.test_client(), app.extensions["player"]
    asked = {"request_id": "one", "features": {"age": 42, "note": "x" * 1000}}
    before = client.post("/api", json={**asked, "request_id": "before"}).get_json()
    monkeypatch.setattr(components.writer, "nearly_full", lambda: True)
    answer = client.post("/api", json=asked).get_json()
    said = client.post("/feedback", json={"request_id": "one", "label": 1})
    components.writer.ship()
    kept = queries.recent(components.engine, 10).set_index("request_id").loc["one"]

    assert (200, before["proba"]) == (said.status_code, answer["proba"])
    assert (answer["pred"], 1) == (kept["pred"], kept["label"])
    assert {payload.CUT} == set(kept["features"])


def bytes_of(folder: Path) -> bytes:
    """Return everything that is in the files of *folder*."""
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_one_request_is_erased_everywhere(settings: Settings) -> None:
    """Not a byte of it is left in spool, database and backup, and the rows of others are."""
    upgrade(settings)
    writer = Writer(settings)
    writer.start()
    writer.put_predictions([row(1, {"name": "Zaphod-erase-me"}), row(2, {"name": "stays"})])
    writer.put_labels([LabelRow("l1", "r1", "erase-this-label", NOW, "x"), LabelRow("l2", "r2", 1, NOW, "x")])
    writer.ship()
    writer.stop()
    backup = settings.path(settings.storage.backup_folder)
    back_up(settings, backup)
    damaged = settings.path(settings.storage.spool + ".damaged-20260101-000000")
    damaged.touch()
    assert b"Zaphod" in bytes_of(settings.home / "output")

    done = CliRunner().invoke(main, ["-e", "testing", "erase", "r1"])
    again = CliRunner().invoke(main, ["-e", "testing", "erase", "r1"])

    assert (0, 1) == (done.exit_code, again.exit_code), done.output
    assert str(damaged) in done.output
    left = bytes_of(settings.home / "output")
    assert b"Zaphod" not in left
    assert b"erase-this-label" not in left
    with closing(sqlite3.connect(next(backup.glob("*.db")))) as connection:
        assert [("r2",)] == connection.execute("SELECT request_id FROM predictions").fetchall()


def test_a_request_that_the_database_refused_is_erased_too(writer: Writer) -> None:
    """Such rows stand aside in the spool, also half ones that are no JSON; what is about somebody else stays."""
    refused = [(n, json.dumps({"request_id": f"r{n}", "features": {"name": name}}))
               for n, name in enumerate(("Zaphod-erase-me", "stays"), 1)]  # fmt: skip
    refused += [(3, '{"request_id": "r1", "name": "Zaphod'), (4, '{"request_id": "r4", "na'), (5, "[]")]
    insert = "INSERT INTO aside (n, kind, body, reason) VALUES (?, 'prediction', ?, 'x')"
    writer.spool.write(lambda connection: connection.executemany(insert, refused))

    assert 2 == writer.spool.erase("r1")
    assert [2, 4, 5] == [row.n for row in writer.spool.set_aside()]
    assert b"Zaphod" not in bytes_of(writer.spool.path.parent)


@pytest.mark.parametrize("name", ["password", "sslpassword", "passfile", "sslkey", "PASSWORD"])
def test_a_secret_in_an_address_is_masked_wherever_it_stands(name: str) -> None:
    """Before the @ or behind the question mark."""
    shown = shown_url(f"postgresql://me:hidden-1@host/db?{name}=hidden-2&connect_timeout=3")

    assert "hidden" not in shown
    assert "connect_timeout=3" in shown


def test_config_shows_no_secret_of_an_address(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither as text nor for machines."""
    monkeypatch.setenv("PLAYER_DATABASE_URL", "postgresql://me@localhost/player?password=hidden-words")
    for options in ([], ["--json"]):
        result = CliRunner().invoke(main, ["config", *options])
        assert result.exit_code == 0, result.output
        assert "hidden-words" not in result.output


@pytest.mark.skipif(not hasattr(__import__("os"), "getuid"), reason="other systems have other rights")
def test_databases_are_readable_by_their_owner_alone(writer: Writer, settings: Settings) -> None:
    """Whatever the umask says."""
    writer.put_prediction(row(1))
    files = [settings.path(settings.storage.spool), settings.home / "output" / "testing.db"]

    assert [0o600, 0o600] == [path.stat().st_mode & 0o777 for path in files]
