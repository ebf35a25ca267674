"""Each thing that `player doctor` looks at: its trouble is found, and where there is none nothing is said."""

import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest.mock import Mock

import pytest
from conftest import KEYS

from player.config import Settings, load_settings
from player.errors import ModelMissing, ModelRefused, StorageError
from player.model import store
from player.serving import checks, doctor, service
from player.serving.checks import CHECKS, LEAST_FREE_MB, Check, before_serving
from player.serving.doctor import Finding, show
from player.storage.local.rescue import open_spool
from player.storage.migrations import upgrade
from player.storage.tables import create_engine_for
from player.trust import cage
from tests.postgres import free_port
from tests.storage_rows import with_database


@pytest.fixture(name="production")
def _production(home: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Production with its keys, and nothing else yet."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    return load_settings("production")


def trouble(name: str, settings: Settings) -> str:
    """Return what the check of this *name* finds."""
    return next(check for check in CHECKS if check.name == name).trouble(settings)


def with_server(settings: Settings, **changes: Any) -> Settings:
    """Return *settings* with changes in the table [server]."""
    return settings.model_copy(update={"server": settings.server.model_copy(update=changes)})


def spoil_model(settings: Settings) -> None:
    """Change a byte of the current model."""
    path = store.folder(settings) / f"{store.current_manifest(settings).version}.pkl"
    path.write_bytes(path.read_bytes()[:-1] + b"x")


def test_without_a_model_production_does_not_start(production: Settings) -> None:
    """Nobody would notice that every answer is the most frequent label."""
    assert "production has no model yet" in trouble("model", production)
    with pytest.raises(ModelMissing):
        before_serving(production)


def test_without_a_model_testing_starts(settings: Settings) -> None:
    """The first thing that a beginner does may be to start it; what is not there yet is no trouble."""
    before_serving(settings)

    assert "" == trouble("model", settings)


def test_a_damaged_model_is_found_before_somebody_is_answered_without_it(model_settings: Settings) -> None:
    """In testing it starts all the same, because an older model answers: only doctor says it."""
    assert "" == trouble("model", model_settings)
    spoil_model(model_settings)
    before_serving(model_settings)

    with pytest.raises(ModelRefused) as refused:
        store.check_current(model_settings)
    assert str(refused.value) == trouble("model", model_settings)


@pytest.mark.parametrize(("environment", "warns"), [("production", True), ("testing", False)])
def test_where_models_are_tried_in_the_open_the_log_says_so(
    production: Settings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    environment: str,
    warns: bool,
) -> None:
    """At the start where users are; a laptop is not told each time."""
    monkeypatch.setattr(store, "check_current", Mock())
    monkeypatch.setattr(cage, "missing", lambda: ["the network"])
    upgrade(production)
    before_serving(load_settings(environment))

    assert warns == ("could reach the network" in caplog.text)


def test_a_whole_cage_is_not_worth_a_line(
    production: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither in the log nor among the findings."""
    monkeypatch.setattr(store, "check_current", Mock())
    monkeypatch.setattr(cage, "missing", list)
    upgrade(production)
    before_serving(production)

    assert ("", "") == (caplog.text, trouble("trial in a cage", production))


def test_a_folder_that_the_start_makes_is_no_trouble(settings: Settings) -> None:
    """In production nothing is made by the way: it may be a disk that was not mounted."""
    (settings.home / "output").rmdir()

    assert "" == trouble("spool", settings)
    said = trouble("spool", settings.model_copy(update={"environment": "production"}))
    assert said.startswith("The spool cannot be made: the folder")


@pytest.mark.parametrize("environment", ["testing", "production"])
def test_a_spool_that_is_not_there_yet_is_no_trouble(production: Settings, environment: str) -> None:
    """The start makes it; looking does not."""
    settings = load_settings(environment)

    assert "" == trouble("spool", settings)
    assert not open_spool(settings).path.exists()


def test_a_server_that_is_away_is_found_in_testing_too(settings: Settings) -> None:
    """Only a file can be made at the start; its address without the password says which one."""
    away = with_database(settings, f"postgresql+psycopg://player:words@127.0.0.1:{free_port()}/x")

    assert "nothing listens there" in trouble("database", away)
    assert "words" not in trouble("database", away)


def test_a_file_that_is_no_database_is_found_in_testing_too(settings: Settings) -> None:
    """One that is not there is made at the start, and by nobody before."""
    path = settings.home / "output" / "testing.db"
    assert "" == trouble("database", settings)
    assert not path.exists()
    path.write_bytes(b"no database" * 1000)

    assert "the file is damaged" in trouble("database", settings)


def outdate(settings: Settings) -> None:
    """Let the tables be those of the first version."""
    upgrade(settings)
    with create_engine_for(settings).begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")


def test_old_tables_are_trouble_where_nobody_mends_them(production: Settings) -> None:
    """One thing is said once: the database itself is well. In testing the start brings them up to date."""
    for settings in (production, load_settings("testing")):
        outdate(settings)
        assert "" == trouble("database", settings)
        assert settings.strict == ("player db upgrade" in trouble("tables", settings))


def test_a_database_that_is_away_is_said_once(production: Settings) -> None:
    """It may have the newest tables."""
    away = with_database(production, f"postgresql+psycopg://player:words@127.0.0.1:{free_port()}/x")

    assert ("", True) == (trouble("tables", away), trouble("database", away) != "")


@pytest.mark.parametrize(("megabytes", "is_said"), [(LEAST_FREE_MB - 1, True), (LEAST_FREE_MB, False)])
def test_hardly_any_room_is_trouble(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, megabytes: int, is_said: bool
) -> None:
    """In megabytes, of the disk that has the spool."""
    asked = Mock(return_value=SimpleNamespace(free=megabytes * 2**20 + 5))
    monkeypatch.setattr(shutil, "disk_usage", asked)
    said = trouble("room on the disk", settings)

    assert is_said == (f"has {megabytes} MB left" in said)
    asked.assert_called_once_with(settings.home / "output")


def test_the_room_of_a_folder_that_is_not_there_is_not_asked_for(settings: Settings) -> None:
    """That it is not there is said of the spool."""
    (settings.home / "output").rmdir()

    assert "" == trouble("room on the disk", settings)


def with_log(settings: Settings, file: str) -> Settings:
    """Return *settings* with that log file."""
    return settings.model_copy(update={"logging": settings.logging.model_copy(update={"file": file})})


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("", ""),
        ("output/new.log", ""),
        ("output/gone/new.log", "gone is not there: make it"),
        ("output", "a folder stands where a file should be"),
    ],
)
def test_a_log_file_that_cannot_be_written_is_trouble(settings: Settings, file: str, said: str) -> None:
    """One that is not there yet is not."""
    found = trouble("log file", with_log(settings, file))

    assert said in found
    assert bool(said) == found.startswith("The log file")


class Served(BaseHTTPRequestHandler):
    """A service that says of itself what it was given."""

    said = b""

    def do_GET(self) -> None:
        """Answer, whatever is asked."""
        self.send_response(200 if self.path == "/version" else 404)
        self.end_headers()
        self.wfile.write(self.said)

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@contextmanager
def serving(said: bytes) -> Iterator[int]:
    """Lend the port of a service that says this of itself."""
    with HTTPServer(("127.0.0.1", 0), type("Said", (Served,), {"said": said})) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


OWN = {"project": "{project}", "environment": "testing"}


@pytest.mark.parametrize(
    ("said", "is_ours"),
    [
        (OWN, True),
        ({**OWN, "project": "another"}, False),
        ({**OWN, "environment": "acceptance"}, False),
        ({"project": "{project}"}, False),
        ([1], False),
        (None, False),
    ],
    ids=["ours", "another project", "another environment", "says too little", "says something else", "no JSON"],
)
def test_a_port_that_this_very_service_has_is_no_trouble(settings: Settings, said: Any, is_ours: bool) -> None:
    """Doctor may look while it runs; anybody else on the port is in the way, whatever it answers."""
    text = json.dumps(said).replace("{project}", settings.project.name) if said else "<html>"
    with serving(text.encode()) as port:
        found = trouble("port free", with_server(settings, port=port))

    assert is_ours == (found == "")
    assert is_ours or "another service uses the port" in found


@pytest.mark.parametrize(
    ("host", "address"), [("::1", "http://[::1]:5001/version"), ("localhost", "http://localhost:5001/version")]
)
def test_a_service_is_asked_at_its_own_address(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, host: str, address: str
) -> None:
    """Directly, whatever proxy the machine has; one that does not answer is not waited for."""
    opener = Mock()
    opener.open.side_effect = ConnectionRefusedError
    build = Mock(return_value=opener)
    monkeypatch.setattr(checks.urllib.request, "build_opener", build)

    assert not checks.is_served(with_server(settings, host=host, port=5001))
    opener.open.assert_called_once_with(address, timeout=2)
    assert {} == build.call_args.args[0].proxies


def test_a_port_that_is_free_is_no_trouble(settings: Settings) -> None:
    """And it stays so: looking does not keep it."""
    free = with_server(settings, port=free_port())

    assert "" == trouble("port free", free)
    service.bind(free).close()


def test_a_port_that_is_taken_in_the_last_moment_is_trouble(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two may have its number, as long as neither listens."""
    if os.name != "posix":
        pytest.skip("Windows gives a number once")
    one = with_server(settings, port=free_port())
    with service.bind(one) as other, service.bind(one) as sock:
        monkeypatch.setattr(checks, "bind", lambda _: sock)
        other.listen()

        assert f"Cannot listen on port {one.server.port}: " in trouble("port free", one)


class Place(NamedTuple):
    """Where something is that an environment has written."""

    path: str
    is_folder: bool = False


PLACES = [
    Place("output/production.db"),
    Place("output/production.db-wal"),
    Place("output/production-spool.db"),
    Place("output/production-spool.db.damaged-20261123-072240"),
    Place("output/production.log"),
    Place("output/production.log.1"),
    Place("output/backups/production/20261123.db"),
    Place("output/backups/production", True),
]


@pytest.fixture(name="written")
def _written(production: Settings) -> Settings:
    """Production with all that it writes, closed to others."""
    settings = with_log(production, "output/production.log")
    (settings.home / "output" / "backups" / "production").mkdir(parents=True, mode=0o700)
    for place in PLACES:
        if not place.is_folder:
            (settings.home / place.path).touch(mode=0o600)
    (settings.home / "output" / "testing.db").touch(mode=0o644)
    return settings


@pytest.mark.skipif(os.name != "posix", reason="Windows has other rights")
@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.path)
@pytest.mark.parametrize("rights", [0o040, 0o004, 0o010, 0o002], ids=oct)
def test_nobody_else_reads_what_was_asked_and_answered(written: Settings, place: Place, rights: int) -> None:
    """Neither the group nor the others; the fix takes their rights, and none of the owner's."""
    path = written.home / place.path
    own = path.stat().st_mode
    assert "" == trouble("files private", written)
    path.chmod(own | rights)

    assert f"may read 1 files, such as {path}: chmod go=" in trouble("files private", written)
    checks.close_to_others(written)
    assert ("", own) == (trouble("files private", written), path.stat().st_mode)


@pytest.mark.skipif(os.name != "posix", reason="Windows has other rights")
def test_on_a_laptop_files_may_be_open(settings: Settings) -> None:
    """And a log that is no file of ours is left alone everywhere."""
    path = settings.home / "output" / "testing.db"
    path.touch(mode=0o644)
    checks.close_to_others(settings)

    assert ("", 0o644) == (trouble("files private", settings), path.stat().st_mode & 0o777)
    assert Path("/dev/null") not in checks.own_files(with_log(settings, "/dev/null"))


@pytest.mark.parametrize(("level", "is_said"), [("high", True), ("medium", False)])
def test_a_model_that_keeps_rows_is_for_a_person_to_weigh(
    model_settings: Settings, monkeypatch: pytest.MonkeyPatch, level: str, is_said: bool
) -> None:
    """Where nobody may see them; without a model there are none."""
    rating = model_settings.rating.model_copy(update={"confidentiality": level})
    rated = model_settings.model_copy(update={"rating": rating})
    manifest = SimpleNamespace(globals=["sklearn.svm._classes.SVC"])
    assert "" == trouble("no rows in the model", rated)
    monkeypatch.setattr(store, "current_manifest", lambda _: manifest)

    assert is_said == ("keeps rows as they are: SVC" in trouble("no rows in the model", rated))
    monkeypatch.setattr(store, "current_manifest", Mock(side_effect=ModelMissing("none")))
    assert "" == trouble("no rows in the model", rated)


def fails(_: Settings) -> None:
    """Find trouble."""
    raise StorageError("It is broken.")


def passes(_: Settings) -> None:
    """Find none."""


FIX = "player doctor --fix"
MENDS, HOW = Mock(), "the cage is whole"


@pytest.mark.parametrize(
    ("check", "finding"),
    [
        (Check("it", passes), Finding("it", True, True, "", "")),
        (Check("it", passes, MENDS), Finding("it", True, True, "", "")),
        (Check("it", fails), Finding("it", False, True, "It is broken.", "")),
        (Check("it", fails, MENDS), Finding("it", False, True, "It is broken.", FIX)),
        (Check("it", passes, warns=True), Finding("it", True, False, "", "")),
        (Check("it", fails, warns=True), Finding("it", False, False, "It is broken.", "", warns=True)),
        (Check("it", passes, how=lambda: HOW), Finding("it", True, True, "", "", note=HOW)),
    ],
)
def test_what_a_check_finds(settings: Settings, check: Check, finding: Finding) -> None:
    """A remedy is only named where there is trouble and one that is safe."""
    assert finding == doctor.look(check, settings)


def test_what_there_is_only_the_cage_says() -> None:
    """The others are well, or have a sentence of their own; only two of all are for a person to weigh."""
    assert ["trial in a cage"] == [check.name for check in CHECKS if check.how()]
    assert ["no rows in the model", "trial in a cage"] == [check.name for check in CHECKS if check.warns]
    assert ["spool", "tables", "files private"] == [check.name for check in CHECKS if check.fix]


@pytest.mark.parametrize(
    ("look", "fix", "said", "calls"),
    [
        (Mock(side_effect=[StorageError("no"), None]), Mock(), "it: mended\n", 1),
        (fails, Mock(), "it: needs a person\n", 1),
        (fails, Mock(side_effect=StorageError("Full.")), "it could not be mended: Full.\n", 1),
        (passes, Mock(), "", 0),
        (fails, None, "", 0),
    ],
    ids=["mended", "not enough", "in vain", "well", "no remedy"],
)
def test_what_is_mended_is_said(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    look: Callable[[Settings], None],
    fix: Any,
    said: str,
    calls: int,
) -> None:
    """Beside the findings, not among them: a machine reads those."""
    monkeypatch.setattr(checks, "CHECKS", (Check("it", look, fix),))
    doctor.mend(settings)

    assert ("", said) == tuple(capsys.readouterr())
    assert calls == (fix.call_count if fix else 0)


def test_nothing_is_mended_unasked(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --fix the findings are those afterwards."""
    broken = [True]
    check = Check("it", lambda _: fails(settings) if broken else None, lambda _: broken.clear())
    monkeypatch.setattr(checks, "CHECKS", (check,))

    assert [False, True] == [doctor.examine(settings, fix)[-1].met for fix in (False, True)]
    assert len(doctor.CONTROLS) + 1 == len(doctor.examine(settings, fix=False))


LONG = "The reason that this was written down for is longer than one line of a narrow terminal."


@pytest.mark.parametrize(
    ("finding", "printed"),
    [
        (Finding("it", True, True, LONG, "do"), ["met         it"]),
        (Finding("it", True, False, LONG, "do"), ["met         it"]),
        (Finding("it", False, False, LONG, "do"), ["not needed  it"]),
        (Finding("it", False, True, "Why.", "do"), ["MISSING     it", "            Why.", "            -> do"]),
        (Finding("it", False, True, "Why.", ""), ["MISSING     it", "            Why."]),
        (Finding("it", False, False, "Why.", "", warns=True), ["warning     it", "            Why."]),
        (Finding("it", True, True, "", "", note=HOW), ["met         it", f"            {HOW}"]),
        (
            Finding("it", False, True, LONG, ""),
            [
                "MISSING     it",
                "            The reason that this was written down for is longer than one line of",
                "            a narrow terminal.",
            ],
        ),
    ],
)
def test_a_finding_is_a_line_and_what_a_person_needs(
    capsys: pytest.CaptureFixture[str], finding: Finding, printed: list[str]
) -> None:
    """The reason and the remedy only where somebody has to do something."""
    show(finding)

    assert printed == capsys.readouterr().out.splitlines()
