"""What runs in Spark's worker processes: each loads the model itself, once and with every check, and scores batches."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pyarrow as pa

from player.batch.answers import score_batch
from player.config import SECRETS, load_settings
from player.errors import ModelRefused
from player.model.predictor import Predictor
from player.model.store import Pointer
from player.reading.files import read_batches


@dataclass(frozen=True)
class Wanted:
    """What travels to a worker: no model, only which ones, and where the checks and the files are found."""

    environment: str
    variables: tuple[tuple[str, str], ...]
    pointer: Pointer | None
    chain: str

    @classmethod
    def like(cls, predictor: Predictor) -> "Wanted":
        """Return what makes a worker answer as *predictor* does."""
        settings = predictor.settings
        return cls(settings.environment, variables(str(settings.home)), predictor.find_pointer(), described(predictor))


def variables(home: str) -> tuple[tuple[str, str], ...]:
    """Return the settings that are variables, but no secrets: those a machine must have itself."""
    secrets = {f"PLAYER_{name.upper()}" for name in SECRETS}
    given = {name: text for name, text in os.environ.items() if name.startswith("PLAYER_") and name not in secrets}
    return tuple(sorted({**given, "PLAYER_HOME": home}.items()))


def described(predictor: Predictor) -> str:
    """Return which models answer, and whether they only stand in."""
    versions = ", ".join(link.version for link in predictor.chain.links)
    return f"{versions} (degraded)" if predictor.chain.degraded else versions


def score_batches(
    wanted: Wanted, columns: pa.Schema, written: pa.Schema, batches: Iterator[pa.RecordBatch], from_csv: bool
) -> Iterator[pa.RecordBatch]:
    """Yield *batches* with the answer of each row beside it, as *columns* with the types of *written*."""
    predictor = loaded(wanted)
    for batch in batches:
        yield score_batch(batch, predictor, columns, from_csv).cast(written)


def score_csv(
    wanted: Wanted, columns: pa.Schema, written: pa.Schema, batches: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of the CSV files that *batches* name, as `score_batches` does."""
    for batch in batches:
        for file in batch.column("file").to_pylist():
            yield from score_batches(wanted, columns, written, read_batches(Path(file)), from_csv=True)


@cache
def loaded(wanted: Wanted) -> Predictor:
    """Return the predictor of this process; raises ModelRefused when it cannot have the models it must have."""
    os.environ.update(wanted.variables)
    predictor = Predictor(load_settings(wanted.environment))
    if wanted.pointer is not None:
        predictor.take_over(wanted.pointer)
    if described(predictor) != wanted.chain:
        raise ModelRefused(f"A Spark worker cannot load model {wanted.chain}: {predictor.status()['reason']}")
    return predictor
