"""One and the same raw row on each of the six ways to a model: how it is read there, and what is answered."""

import csv
import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pyarrow as pa
import pyarrow.parquet as pq
from flask import Flask

from player.app import create_app
from player.batch.columns import clean_batch
from player.batch.score import score
from player.config import Settings
from player.features import Schema, clean, clean_table
from player.model.answering import Link
from player.model.fallback import Chain
from player.model.loading import Model
from player.model.manifests import Manifest
from player.model.prior import prior_of
from player.reading.files import read_batches, read_table
from player.repair import repair
from player.storage import queries
from player.training import Trained, as_rows

Row = dict[str, Any]
Answers = list[tuple[str, float]]


def typed_rows(path: Path, most: int = 10_000) -> list[Row]:
    """Return rows of a CSV as a sender with types would send them: plain numbers as such, all else as text."""
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        names = [name or f"Unnamed: {place}" for place, name in enumerate(next(reader))]
        return [dict(zip(names, map(as_typed, cells), strict=True)) for _, cells in zip(range(most), reader)]  # noqa: B905


def as_typed(cell: str) -> Any:
    """Return the JSON value of a cell; `01` and `NA` are texts."""
    try:
        number = json.loads(cell) if cell else None
    except ValueError:
        return cell
    return number if number is None or (type(number) in (int, float) and math.isfinite(number)) else cell


def text(value: Any) -> str:
    """Return a value as it stands in a CSV file or in a query."""
    return "" if value is None else str(value)


def write_csv(path: Path, rows: Sequence[Row]) -> Path:
    """Write *rows* as a CSV file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([list(rows[0]), *(map(text, row.values()) for row in rows)])
    return path


def write_parquet(path: Path, rows: Sequence[Row]) -> Path:
    """Write *rows* as a Parquet file with types; a column of several kinds holds text."""
    columns = {}
    for name in rows[0]:
        values = [row[name] for row in rows]
        kinds = {type(value) for value in values if value is not None}
        too_large = any(type(value) is int and abs(value) >= 2**63 for value in values)
        if len(kinds) > 1 or too_large:
            values = [None if value is None else text(value) for value in values]
        columns[name] = pa.array(values)
    pq.write_table(pa.table(columns), path)
    return path


def clean_written(raw: Row, schema: Schema) -> tuple[Row, list[str]]:
    """Return what `clean` says of a row from where everything is text, put together value by value.

    An older `features.py` has no `written` to ask for it.
    """
    row: Row = {}
    warnings = []
    for feature in schema.features:
        found = repair(raw[feature.name], feature, written=True) if feature.name in raw else (None, "missing")
        row[feature.name], said = found
        warnings += [f"{feature.name}: {said}"] if said else []
    return row, warnings + [said for said in clean(raw, schema)[1] if said.startswith("ignored: ")]


def read_everywhere(rows: Sequence[Row], schema: Schema, folder: Path) -> dict[str, list[Row]]:
    """Return the clean rows that *rows* become on each way."""
    files = {"csv": write_csv(folder / "rows.csv", rows), "parquet": write_parquet(folder / "rows.parquet", rows)}
    found = {
        "types": [clean(row, schema)[0] for row in rows],
        "text": [clean({name: text(value) for name, value in row.items()}, schema)[0] for row in rows],
        "query": [clean_written({name: text(value) for name, value in row.items()}, schema)[0] for row in rows],
        "replay": [clean(json.loads(json.dumps(row)), schema)[0] for row in rows],
    }
    for kind, file in files.items():
        batches = [clean_batch(batch, schema, kind == "csv")[0] for batch in read_batches(file) if batch.num_rows]
        found[kind] = [row for batch in batches for row in as_rows(batch)]
        found[f"training on {kind}"] = as_rows(clean_table(read_table(file), schema))
    return found


def manifest_of(trained: Trained, version: str = "20260101-000000-0000cafe") -> Manifest:
    """Return what the store would write about a trained model."""
    return Manifest(
        version=version, created_at="2026-01-01T00:00:00+00:00", sha256="", size=0, libraries={}, globals=[],
        schema=trained.schema.to_dict(), classes=trained.classes, prior=trained.prior, profile=trained.profile,
        metrics=trained.metrics, rows=trained.rows, examples=trained.examples, parent=None, note="",
    )  # fmt: skip


@contextmanager
def serving(trained: Trained, settings: Settings) -> Iterator[Flask]:
    """Run the whole application with *trained* as its model, without the seconds of a trial."""
    manifest = manifest_of(trained)
    link = Link(Model(trained.pipeline, manifest, Schema.from_dict(manifest.schema)), seconds=30)
    link.warm_up()
    app = create_app(settings)
    components = app.extensions["player"]
    components.predictor.chain = Chain((link,), prior_of(manifest), 1)
    try:
        yield app
    finally:
        components.stop()


def answer_everywhere(rows: Sequence[Row], app: Flask, folder: Path) -> dict[str, Answers]:
    """Return class and probability of each of *rows* on each of the six ways."""
    components, client = app.extensions["player"], app.test_client()
    texts = [{name: text(value) for name, value in row.items()} for row in rows]

    def post(place: int, row: Row) -> Any:
        return client.post("/api", data=json.dumps({"request_id": f"typed-{place}", "features": row})).get_json()

    found = {
        "types": [post(place, row) for place, row in enumerate(rows)],
        "text": [client.post("/api", data=json.dumps({"features": row})).get_json() for row in texts],
        "query": [client.get(f"/api?{urlencode(row)}").get_json() for row in texts],
    }
    answers = {way: [(str(one["pred"]), one["proba"]) for one in given] for way, given in found.items()}
    for kind, write in (("csv", write_csv), ("parquet", write_parquet)):
        source, target = write(folder / f"ask.{kind}", rows), folder / f"answers-to-{kind}.parquet"
        score(source, target, components.predictor, again=True)
        columns = [column.to_pylist() for column in pq.read_table(target).columns[-5:-3]]
        answers[kind] = [(str(pred), proba) for pred, proba in zip(*columns, strict=True)]
    components.writer.ship()
    stored = queries.recent(components.engine, 100_000).set_index("request_id")["features"]
    again = components.predictor.chain.links[0].answer([stored[f"typed-{place}"] for place in range(len(rows))])
    answers["replay"] = [(str(answer.pred), answer.proba) for answer in again]
    return answers


def differing(answers: dict[str, Answers]) -> dict[str, int]:
    """Return for each way how many of its answers differ from those to a request with types."""
    return {
        way: sum(one[0] != other[0] or abs(one[1] - other[1]) > 1.5e-6 for one, other in zip(given, answers["types"],
                                                                                             strict=True))
        for way, given in answers.items()
    }  # fmt: skip
