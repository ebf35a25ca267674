"""A project with everything in it, in which commands are run while something is wrong with it."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path

from postgres import free_port
from storage_rows import label, prediction

from player.config import Settings, load_settings
from player.model import store
from player.storage.local.rescue import open_spool
from player.storage.writer import Writer

PROJECT = Path(__file__).parents[2]
ROWS, WAITING, TABLE_ROWS = 40, 20, 1500
IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
# As root: without the right to read and write what belongs to somebody else, as any other user.
ORDINARY = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search")
SETPRIV = IS_ROOT and shutil.which("setpriv") is not None
ERASED = "shipped-1"
COMMANDS = {
    "serve": "serve", "doctor": "doctor", "doctor --fix": "doctor --fix", "config": "config",
    "db upgrade": "db upgrade", "db backup": "db backup", "inspect": "inspect data/train_data.csv", "train": "train",
    "retrain": "retrain", "schedule": "schedule", "monitor": "monitor", "report": "report", "skew": "skew in.csv",
    "why": f"why {ERASED}",
    "batch": "batch in.csv out.csv", "fill": "fill", "promote": "promote {above} --reason test",
    "rollback": "rollback --reason test", "revoke": "revoke {previous} --reason test", "promotions": "promotions",
    "replay": "replay --against {previous}", "shadow": "shadow", "erase": f"erase {ERASED}", "keys": "keys",
    "dtap": "dtap --prepare", "join": "join http://127.0.0.1:9/", "customer data": "customer data --rows 500",
}  # fmt: skip


@dataclass(frozen=True)
class Said:
    """What a command said: its exit code (minus a signal), and all that it printed."""

    code: int
    output: str
    errors: str


class Zygote:
    """The process that forks the commands."""

    def __init__(self, folder: Path) -> None:
        """Start it; what commands print goes through *folder*."""
        self.folder = folder
        self.process = subprocess.Popen(
            [*(ORDINARY if SETPRIV else ()), sys.executable, str(Path(__file__).with_name("zygote.py"))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder,
            env={**os.environ, "PYTHONPATH": str(PROJECT)},
        )  # fmt: skip

    def run(self, home: Path, variables: dict[str, str], words: list[str], **more: object) -> Said:
        """Run a command in *home*, and return what it said."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        printed = {name: str(self.folder / name) for name in ("output", "errors")}
        for path in printed.values():
            Path(path).write_bytes(b"")
        order = {"home": str(home), "variables": variables, "words": words, **printed, **more}
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        code = int(self.process.stdout.readline())
        return Said(code, *(Path(path).read_text(encoding="utf-8", errors="replace") for path in printed.values()))

    def close(self) -> None:
        """End it."""
        self.process.communicate(timeout=60)


class Place:
    """The project in *home*: keys, models, a table, a database with rows, and rows in the spool that wait for it."""

    def __init__(self, home: Path, environment: str, zygote: Zygote, variables: dict[str, str]) -> None:
        """Use what `fill` has made; a command has these *variables*."""
        self.home, self.environment, self.zygote = home, environment, zygote
        keys = {f"PLAYER_{name}_FILE": f"{home}/keys/{{environment}}-{end}" for name, end in
                (("SIGNING_KEY", "signing.key"), ("PUBLIC_KEYS", "signing.pub"), ("API_KEY", "api.key"))}  # fmt: skip
        self.variables = {**variables, **keys, "PLAYER_HOME": str(home), "PLAYER_ENV": environment,
                          "PLAYER_SERVER__PORT": str(free_port())}  # fmt: skip
        self.kill_after = 0.0
        self.limits: dict[int, int] = {}
        self.on_leaving = ExitStack()
        self.current, self.previous = self.model("current"), self.model("previous")

    def path(self, name: str) -> Path:
        """Return the path of a file of this environment."""
        return self.home / name.format(environment=self.environment, current=self.current)

    def model(self, which: str) -> str:
        """Return the version of the current or the previous model."""
        pointer = self.home / "models" / self.environment / "current.json"
        with suppress(OSError, ValueError, KeyError, TypeError):
            return str(json.loads(pointer.read_text(encoding="utf-8"))[which])
        return "unknown"

    def run(self, command: str) -> Said:
        """Run a `player` or `customer` command line."""
        above = {"testing": "acceptance"}.get(self.environment, "production")
        words = command.format(above=above, previous=self.previous).split()
        words = words if words[0] == "customer" else ["player", *words]
        until = {"until": "Serving on"} if words[1] == "serve" else {}
        more = {"kill_after": self.kill_after, "limits": self.limits, **until}
        return self.zygote.run(self.home, self.variables, words, **more)

    def starts(self) -> Said:
        """Start as `player serve` does, and answer."""
        return self.zygote.run(self.home, self.variables, ["starts"])

    def rows(self) -> set[str]:
        """Return the ids of all rows in database and spool."""
        found: set[str] = set()
        for name, column in ((f"{self.environment}.db", "request_id FROM predictions"),
                             (f"{self.environment}-spool.db", "key FROM rows WHERE kind = 'prediction'")):  # fmt: skip
            path = self.home / "output" / name
            with suppress(sqlite3.OperationalError), closing(sqlite3.connect(path)) as connection:
                found |= {key.strip('"') for (key,) in connection.execute(f"SELECT {column}")}
        return found


def fill(place: Place) -> None:
    """Give its environment a second model, a database with rows, a backup of it, and rows that wait in its spool."""
    for command in ("train --reason test", "db upgrade"):
        said = place.run(command)
        assert 0 == said.code, said
    settings = load_settings(place.environment)
    writer = Writer(settings)
    writer.spool.open()
    for i in range(ROWS):
        writer.put_prediction(prediction(f"shipped-{i}", pred=i % 2, features={"age": 20 + i, "income": 900 * i}))
        writer.put_labels([label(f"shipped-{i}", i % 2)])
    writer.ship()
    writer.stop()
    said = place.run("db backup")
    assert 0 == said.code, said
    spool = open_spool(settings)
    waiting = Writer(settings)
    for i in range(WAITING):
        waiting.put_prediction(prediction(f"waiting-{i}"))
    waiting.spool.close()
    spool.close()


def with_current(settings: Settings, **changes: object) -> None:
    """Write the current model's manifest again, signed, with *changes*: as another version of the code would."""
    manifest, data = store.verify(store.current_manifest(settings).version, settings)
    for name, value in changes.items():
        object.__setattr__(manifest, name, value)
    store.put(manifest, data, settings)
