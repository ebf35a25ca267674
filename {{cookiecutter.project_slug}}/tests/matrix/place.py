"""A project with everything in it, in which commands are run while something is wrong with it."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from click.testing import CliRunner
from sqlalchemy.exc import SQLAlchemyError
from storage_rows import label, prediction

from player.app import create_app
from player.cli import main
from player.config import Settings, load_settings
from player.errors import PlayerError
from player.promotion.gates import Verdict
from player.serving.checks import before_serving
from player.serving.supervisor import Supervisor
from player.storage import queries
from player.storage.local.rescue import open_spool
from player.storage.tables import create_engine_for
from player.storage.writer import Writer

PROJECT = Path(__file__).parents[2]
SHIPPED, WAITING = 40, 20
# An ordinary user, where the tests run as root: without the right to read and write what belongs to somebody else.
ORDINARY = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search")
SETPRIV = shutil.which("setpriv") if hasattr(os, "geteuid") and os.geteuid() == 0 else None
COMMANDS: dict[str, tuple[str, ...]] = {
    "serve": ("serve",), "doctor": ("doctor",), "db upgrade": ("db", "upgrade"), "db backup": ("db", "backup"),
    "config": ("config",), "monitor": ("monitor",), "promotions": ("promotions",), "keys": ("keys",),
    "rollback": ("rollback",), "schedule": ("schedule",), "shadow": ("shadow",), "fill": ("fill",),
    "batch": ("batch", "in.csv", "output/out.csv"), "replay": ("replay", "--against", "testing"),
    "train": ("train",), "retrain": ("retrain",), "promote": ("promote", "acceptance", "--reason", "test"),
    "doctor --fix": ("doctor", "--fix"), "dtap": ("dtap", "--prepare"),
}  # fmt: skip


@dataclass(frozen=True)
class Said:
    """What a command said: its exit code, and all that it printed."""

    code: int
    output: str
    errors: str


class Place:
    """The project in *home*: a model, a table, a database with rows, and rows in the spool that wait for it."""

    def __init__(self, home: Path) -> None:
        """Use what `fill` has made."""
        self.home = home
        self.apart = False  # in a process of its own, as an ordinary user

    @property
    def settings(self) -> Settings:
        """The settings, read again."""
        return load_settings("testing")

    def run(self, *arguments: str) -> Said:
        """Run a `player` command in the testing environment."""
        if self.apart:
            return self.run_apart(*arguments)
        here = Path.cwd()
        os.chdir(self.home)
        try:
            with without_network():
                result = CliRunner().invoke(main, ["-e", "testing", *arguments])
        finally:
            os.chdir(here)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Said(result.exit_code, result.stdout, result.stderr)

    def run_apart(self, *arguments: str) -> Said:
        """Run it in a process without the rights of root."""
        program = "import sys; from place import ordinary; ordinary(sys.argv[1:])"
        command = [*(ORDINARY if SETPRIV else ()), sys.executable, "-c", program, "-e", "testing", *arguments]
        paths = os.pathsep.join(str(path) for path in (PROJECT, PROJECT / "tests"))
        done = subprocess.run(command, cwd=self.home, capture_output=True, text=True, timeout=300, check=False,
                              env={**os.environ, "PYTHONPATH": paths})  # fmt: skip
        return Said(done.returncode, done.stdout, done.stderr)

    def starts(self) -> None:
        """Start as `player serve` does, and answer; fails when that is not possible."""
        before_serving(self.settings)
        app = create_app(self.settings)
        try:
            answer = app.test_client().get("/health/ready")
            assert 200 == answer.status_code, answer.text
        finally:
            app.extensions["player"].stop()

    def rows(self) -> set[str]:
        """Return the ids of all rows in database and spool."""
        engine = create_engine_for(self.settings)
        try:
            found = set(queries.recent(engine, 100_000)["request_id"])
        except (SQLAlchemyError, PlayerError):
            found = set()
        finally:
            engine.dispose()
        spool = self.home / "output" / "testing-spool.db"
        if spool.exists():
            with closing(sqlite3.connect(spool)) as connection:
                found |= {key for (key,) in connection.execute("SELECT key FROM rows WHERE kind = 'prediction'")}
        return found


def fill(home: Path) -> set[str]:
    """Give the project in *home* a database with rows, and rows that wait in its spool; return their ids."""
    settings = load_settings("testing")
    writer = Writer(settings)
    for i in range(SHIPPED):
        writer.put_prediction(prediction(f"shipped-{i}", pred=i % 2, features={"age": 20 + i, "income": 900 * i}))
        writer.put_labels([label(f"shipped-{i}", i % 2)])
    writer.ship()
    writer.stop()
    spool = open_spool(settings)
    waiting = Writer(settings)
    for i in range(WAITING):
        waiting.put_prediction(prediction(f"waiting-{i}"))
    waiting.spool.close()
    spool.close()
    shutil.copy(home / "data" / "train_data.csv", home / "in.csv")
    return Place(home).rows()


@contextmanager
def without_network() -> Iterator[None]:
    """Let `player serve` start and stop at once, `player schedule` not wait, and no promotion run the unit tests."""

    def start_once(supervisor: Supervisor) -> None:
        supervisor.sock.close()
        app = create_app(load_settings("testing"))
        app.extensions["player"].stop()

    def passed(move: object) -> Verdict:
        return Verdict("unit tests", True, "not run here")

    with (
        patch("player.serving.supervisor.Supervisor.run", start_once),
        patch("apscheduler.schedulers.blocking.BlockingScheduler.start", lambda scheduler: None),
        patch("player.promotion.gates.unit_tests", passed),
    ):
        yield


def ordinary(arguments: list[str]) -> None:
    """Run a command as this process's own: what `Place.run_apart` starts."""
    with without_network():
        main(arguments)
