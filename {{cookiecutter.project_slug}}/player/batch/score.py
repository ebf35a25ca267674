"""Scores whole files with the same features and the same answer chain as the API, in constant memory."""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from filelock import FileLock, Timeout

from player.batch.ahead import worked_ahead
from player.batch.answers import score_batch, with_answers
from player.batch.files import open_target, put_in_place, remove
from player.batch.headings import check_headings
from player.errors import DataError
from player.model.predictor import Predictor
from player.reading.deviations import Deviations
from player.reading.files import is_csv, is_table, read_batches, rows_in

log = logging.getLogger(__name__)

DONE = "_SUCCESS"  # Spark's name for it too
MOST_WORKERS = 4  # who writes the result could not keep up with more, and each holds a batch


@dataclass
class Result:
    """What was done: files and rows scored, rows with a warning, models that answered, files done before."""

    files: int = 0
    rows: int = 0
    warnings: int = 0
    skipped: int = 0
    models: set[str] = field(default_factory=set)
    deviations: Deviations = field(default_factory=Deviations)

    def add(self, more: "Result") -> None:
        """Add what was done since."""
        self.files += more.files
        self.rows += more.rows
        self.warnings += more.warnings
        self.models |= more.models
        for one in more.deviations.found.values():
            self.deviations.add(one)


Files = Sequence[tuple[Path, Path]]  # what to score, and where its result goes
Engine = Callable[[Files, Predictor], Iterator[Result]]  # scores files, and tells now and then what it did since


def in_turn(files: Files, predictor: Predictor) -> Iterator[Result]:
    """Score *files* in this process, one after the other."""
    for source, target in files:
        yield from score_file(source, target, predictor)


def score(
    source: Path,
    target: Path,
    predictor: Predictor,
    again: bool = False,
    progress: Callable[[int, int], None] = lambda done, expected: None,
    engine: Engine = in_turn,
) -> Result:
    """Score the file or folder *source* into *target*, telling *progress* how many rows of how many are done.

    A file that is done stays, unless *again*; so a run that was killed goes on where it was. The result of a file
    appears whole or not at all. Raises DataError when a file cannot be used or another run writes to *target*.
    """
    pairs = pairs_of(source, target)
    result = Result()
    lock = FileLock(target.with_name(f".{target.name}.lock"), timeout=0)
    try:
        with lock:
            if source.is_dir():
                target.mkdir(exist_ok=True)
                (target / DONE).unlink(missing_ok=True)
            waiting = [(file, scored) for file, scored in pairs if again or not scored.exists()]
            result.skipped = len(pairs) - len(waiting)
            expected = sum(rows_in(file) for file, _ in waiting)
            progress(0, expected)
            for done in engine(waiting, predictor):
                result.add(done)
                progress(result.rows, expected)
            progress(result.rows, result.rows)
            if source.is_dir():
                (target / DONE).touch()
    except Timeout:
        raise DataError(f"Another run is writing to {target}; wait for it to end.") from None
    return result


def pairs_of(source: Path, target: Path) -> Files:
    """Return each file to score and where its result goes; raises DataError when one cannot be used."""
    if source.resolve() == target.resolve():
        raise DataError(f"{target} is the input; choose another name for the output.")
    if not target.absolute().parent.is_dir():
        raise DataError(f"{target.parent} does not exist; make the folder first.")
    if not source.exists():
        raise DataError(f"{source} does not exist.")
    if source.is_dir():
        if target.exists() and not target.is_dir():
            raise DataError(f"{target} is a file; a folder is scored into a folder.")
        pairs = [(file, target / file.name) for file in tables_in(source)]
    else:
        for path in (source, target):
            if not is_table(path):
                raise DataError(f"{path} must be a file that ends in .csv or .parquet.")
        pairs = [(source, target)]
    for _, scored in pairs:
        if scored.is_dir() and not (scored / DONE).exists():
            raise DataError(f"{scored} is a folder, and no result of a run; choose another name for the output.")
    return pairs


def tables_in(folder: Path) -> list[Path]:
    """Return the files of a *folder* that are scored, sorted, and log what is left out; raises DataError for none."""
    shown = sorted(path for path in folder.iterdir() if path.name[0] not in "._")
    files = [path for path in shown if is_table(path) and path.is_file()]
    for path in shown:
        if path not in files:
            log.warning("%s is left out: no file that ends in .csv or .parquet", path)
    if not files:
        raise DataError(f"{folder} holds no .csv or .parquet file.")
    return files


def counted(scored: pa.RecordBatch, before: int) -> Result:
    """Return what is in a *scored* batch, of whose file *before* rows came earlier."""
    model, _, warnings = scored.columns[-3:]
    odd = pc.sum(pc.not_equal(warnings, "[]")).as_py() or 0
    result = Result(rows=scored.num_rows, warnings=odd, models=set(model.unique().to_pylist()))
    result.deviations.add_warnings(warnings, before)
    return result


def score_file(source: Path, target: Path, predictor: Predictor) -> Iterator[Result]:
    """Score each row of *source*, telling after each batch what was done.

    Rows go to a temporary name, which a finished file gives up for its own.
    """
    part = target.with_name(f".{target.name}.part")
    batches = read_batches(source)
    given = next(batches).schema
    check_headings(source, given.names, predictor.schema.names if predictor.schema else [])
    columns = with_answers(given, predictor)
    done = 0

    def work(batch: pa.RecordBatch) -> pa.RecordBatch:
        return score_batch(batch, predictor, columns, is_csv(source))

    def write(scored: pa.RecordBatch) -> pa.RecordBatch:
        writer.write(scored)
        return scored

    remove(part)  # a run that was killed, of either engine, may have left one
    try:
        with (
            closing(open_target(part, columns, is_csv(target))) as writer,
            closing(worked_ahead(work, batches, min(os.cpu_count() or 1, MOST_WORKERS))) as worked,
            closing(worked_ahead(write, worked, 1)) as written,
        ):
            for scored in written:
                yield counted(scored, done)
                done += scored.num_rows
        put_in_place(part, target)
    finally:
        part.unlink(missing_ok=True)
    yield Result(files=1)
