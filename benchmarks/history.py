"""Do the page and the verdict for `retrain --if-drifted` take longer when more predictions are stored?

The answered requests of one game, with their labels and the chapters of the history, are stored again and again, each
time longer ago, until there are --rows of them. Then, in a process of its own and in turn for each size: the page, made
anew; its first one in that process; and the verdict, with what memory it needs beside what is loaded. Run it with the
path of a generated project in which `player train` and `customer play` have run; for PostgreSQL name a database that
may be filled, and is emptied first:

    .venv/bin/python benchmarks/history.py scratch/my-player --rows 1000000 10000000
    .venv/bin/python benchmarks/history.py scratch/my-player --database postgresql+psycopg://me@localhost/empty
"""

import argparse
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa

TABLES = {"predictions": ("request_id", "received_at"), "labels": ("id", "received_at"),
          "chapters": ("number", "began_at")}  # fmt: skip
TIMES = ("received_at", "began_at", "ended_at", "look_at")
GAP = timedelta(minutes=5)

MEASURE = """
import json, resource, sys, time
from player.config import load_settings
from player.model import store
from player.retraining.trigger import look
from player.storage.tables import create_engine_for
from player.web.dashboard.page import Source, gather

def seconds(function):
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin

settings = load_settings()
engine, manifest = create_engine_for(settings), store.current_manifest(settings)
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
with engine.connect():
    before = peak()
verdict = [seconds(lambda: look(engine, manifest, settings.monitoring))]
memory = peak() - before
verdict += [seconds(lambda: look(engine, manifest, settings.monitoring)) for _ in range(4)]
pages = [seconds(lambda: gather(Source(settings, engine))) for _ in range(6)]
page = gather(Source(settings, engine))
assert not page.troubles, page.troubles
json.dump({"first page": pages[0], "page": pages[1:], "verdict": verdict, "MB": memory}, sys.stdout)
"""


def environment(project: Path, url: str) -> dict[str, str]:
    """Return the variables of a process that works with the database at *url*."""
    return {**os.environ, "PLAYER_HOME": str(project), "PYTHONPATH": str(project), "PLAYER_DATABASE_URL": url}


def base_rows(source: Path) -> tuple[dict[str, list[str]], dict[str, list[tuple[Any, ...]]]]:
    """Return the columns and the rows of each table of the project's own database."""
    columns, rows = {}, {}
    with sqlite3.connect(source) as database:
        for table, (_, order) in TABLES.items():
            found = database.execute(f"SELECT * FROM {table} ORDER BY {order}")  # noqa: S608 - names from above
            columns[table], rows[table] = [each[0] for each in found.description], found.fetchall()
    if not rows["chapters"]:
        sys.exit(f"{source} has no history: play a game, then `player monitor`.")
    return columns, rows


def moved(
    table: str, columns: list[str], rows: list[tuple[Any, ...]], copy: int, by: timedelta
) -> Iterator[tuple[Any, ...]]:
    """Yield *rows* as they would have come *by* earlier, under other ids."""
    for row in rows:
        values = dict(zip(columns, row, strict=True))
        for name in TIMES:
            if values.get(name):
                values[name] = (datetime.fromisoformat(values[name]) - by).isoformat(" ", "microseconds")
        if table == "chapters":
            values["number"] += copy * len(rows)
            values["look_at"] = None
        else:
            values |= {name: f"{copy:06}-{values[name]}" for name in ("id", "request_id") if name in values}
        yield tuple(values.values())


def fill(url: str, columns: dict[str, list[str]], base: dict[str, list[tuple[Any, ...]]], wanted: int) -> None:
    """Empty the tables at *url*, and store *base* as often as *wanted* predictions need."""
    first, last = (datetime.fromisoformat(base["predictions"][place][1]) for place in (0, -1))
    copies = max(1, wanted // len(base["predictions"]))
    backend = sa.make_url(url)
    sqlite = backend.get_backend_name() == "sqlite"
    address = str(backend.database) if sqlite else url.replace("+psycopg", "")
    with sqlite3.connect(address) if sqlite else psycopg.connect(address) as database:
        if isinstance(database, sqlite3.Connection):
            database.execute("PRAGMA synchronous = OFF")
        for table in TABLES:
            database.execute(f"DELETE FROM {table}")  # noqa: S608
        for copy in range(copies):
            by = (copies - 1 - copy) * (last - first + GAP)
            if copy % 100 == 0:
                database.commit()
            for table, names in columns.items():
                rows = moved(table, names, base[table], copy, by)
                if isinstance(database, sqlite3.Connection):
                    places = ", ".join("?" * len(names))
                    database.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({places})", rows)  # noqa: S608
                    continue
                truths = [place for place, name in enumerate(names) if name == "degraded"]
                with database.cursor().copy(f"COPY {table} ({', '.join(names)}) FROM STDIN") as out:
                    for row in rows:
                        out.write_row([bool(each) if i in truths else each for i, each in enumerate(row)])
    if not sqlite:
        with psycopg.connect(address, autocommit=True) as database:
            database.execute("ANALYZE")


def main() -> None:
    """Fill, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=lambda text: Path(text).resolve())
    parser.add_argument("--python", default=None, help="The project's Python, when it is not the one in .venv.")
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--database", default="", help="A PostgreSQL address; without it a SQLite file is made.")
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    python = options.python or str(options.project / ".venv" / "bin" / "python")
    columns, base = base_rows(options.project / "output" / "development.db")
    with tempfile.TemporaryDirectory() as folder:
        urls = {}
        for rows in options.rows:
            urls[rows] = options.database or f"sqlite:///{folder}/{rows}.db"
        found: dict[int, list[dict[str, Any]]] = {rows: [] for rows in options.rows}
        for rows, url in urls.items():
            command = [python, "-m", "player.cli", "db", "upgrade"]
            subprocess.run(command, env=environment(options.project, url), check=True, capture_output=True)
            begin = time.perf_counter()
            fill(url, columns, base, rows)
            sys.stderr.write(f"{rows:,} rows stored in {time.perf_counter() - begin:.0f} s\n")
            if options.database:  # one database: measured before it is filled again
                found[rows] = [measure(python, options.project, url) for _ in range(options.turns)]
        for _ in range(0 if options.database else options.turns):
            for rows, url in urls.items():
                found[rows].append(measure(python, options.project, url))
    for what in ("first page", "page", "verdict", "MB"):
        values = {rows: median_of(each, what) for rows, each in found.items()}
        shown = "".join(f"{rows:>12,}: {value:8.3f}" for rows, value in values.items())
        one, *_, other = values.values()
        sys.stdout.write(f"{what:<11}{shown}   ratio {other / one:.2f}\n")


def measure(python: str, project: Path, url: str) -> dict[str, Any]:
    """Return what a process of its own says of the database at *url*."""
    command = [python, "-c", MEASURE]
    done = subprocess.run(command, cwd=project, env=environment(project, url), check=True, capture_output=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def median_of(turns: list[dict[str, Any]], what: str) -> float:
    """Return the median over *turns*, of the medians where there are several values."""
    values = [statistics.median(each[what]) if isinstance(each[what], list) else each[what] for each in turns]
    return float(statistics.median(values))


if __name__ == "__main__":
    main()
