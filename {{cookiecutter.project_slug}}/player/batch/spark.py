"""Scores files on Apache Spark: the same function on the same Arrow batches, on as many machines as Spark has.

Spark hands over Arrow batches (`mapInArrow`) and not pandas tables (`mapInPandas`), because Arrow is what `score_batch`
takes: on the way through pandas a whole number with a gap would become a float, and a missing text a NaN.
"""

import os
import re
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from player.batch.answers import with_answers
from player.batch.files import put_in_place, remove
from player.batch.headings import check_headings
from player.batch.score import Engine, Files, Result
from player.batch.spark_worker import Wanted, score_batches, score_csv
from player.errors import DataError, PlayerError
from player.model.predictor import Predictor
from player.reading.files import ROWS_AT_ONCE, is_csv, read_batches

CONFIGURATION = ("SPARK_HOME", "SPARK_CONF_DIR", "PYSPARK_SUBMIT_ARGS", "PYSPARK_GATEWAY_PORT")
ALONE = {  # on this machine, with no port that another machine can reach
    "PYSPARK_SUBMIT_ARGS": "--master local[*] --conf spark.ui.enabled=false --conf spark.log.level=FATAL pyspark-shell",
    "SPARK_LOCAL_IP": "127.0.0.1",
}
CSV = {
    "header": True, "quote": '"', "escape": '"', "ignoreLeadingWhiteSpace": False, "ignoreTrailingWhiteSpace": False
}  # fmt: skip


def start() -> Engine:
    """Return the engine, connected to the cluster that Spark's own configuration names, else to this machine.

    Raises PlayerError when Spark is not installed or does not start.
    """
    try:
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession
    except ImportError:
        raise PlayerError('Spark is not installed: pip install ".[spark]"') from None
    if not shutil.which("java") and not os.environ.get("JAVA_HOME"):
        raise PlayerError("Spark needs Java 17 or newer; install it, or name its folder in JAVA_HOME.")
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    if not any(name in os.environ for name in CONFIGURATION):
        os.environ.update(ALONE)
    # Nothing here goes through pandas.
    warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
    try:
        builder = SparkSession.builder.appName("player batch").config("spark.ui.showConsoleProgress", "false")
        session = builder.getOrCreate().newSession()
    except PySparkException as error:
        raise PlayerError(f"Spark, which needs Java 17 or newer, does not start: {in_one_line(error)}") from None
    session.conf.set("spark.sql.caseSensitive", "true")
    session.conf.set("spark.sql.session.timeZone", "UTC")
    session.conf.set("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS")
    session.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", str(ROWS_AT_ONCE))
    return partial(score_files, session)


def score_files(session: Any, files: Files, predictor: Predictor) -> Iterator[Result]:
    """Score *files*, as many at a time as Spark has cores, and tell after each what was done."""
    wanted = Wanted.like(predictor)
    pool = ThreadPoolExecutor(session.sparkContext.defaultParallelism)
    try:
        jobs = [pool.submit(score_file, session, source, target, predictor, wanted) for source, target in files]
        for job in as_completed(jobs):
            yield job.result()
    finally:
        pool.shutdown(cancel_futures=True)


def score_file(session: Any, source: Path, target: Path, predictor: Predictor, wanted: Wanted) -> Result:
    """Score *source* into the folder *target*, where Spark puts one file for each of its tasks; raises DataError."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException
    from pyspark.sql import Observation
    from pyspark.sql import functions as f

    part = target.with_name(f".{target.name}.part")
    seen = Observation()
    try:
        given, schema, function = opened(session, source)
        check_headings(source, schema.names, predictor.schema.names if predictor.schema else [])
        columns = with_answers(schema, predictor)
        written = as_text(columns) if is_csv(target) else columns
        kinds = session.createDataFrame(written.empty_table()).schema
        scored = given.mapInArrow(partial(function, wanted, columns, written), kinds)
        model, _, warned = (f.col(f"`{name}`") for name in columns.names[-3:])
        odd = f.count_if(warned != "[]")
        counts = (f.count(f.lit(1)).alias("rows"), odd.alias("warnings"), f.collect_set(model).alias("models"))
        write(scored.observe(seen, *counts), part, is_csv(target))
        put_in_place(part, target)
    except (PySparkException, Py4JError) as error:
        raise DataError(f"Spark could not score {source}: {in_one_line(error)}") from None
    finally:
        remove(part)
    return Result(1, seen.get["rows"], seen.get["warnings"], models=set(seen.get["models"]))


def opened(session: Any, source: Path) -> tuple[Any, pa.Schema, Callable[..., Iterator[pa.RecordBatch]]]:
    """Return what Spark hands out of *source*, its columns, and the function that takes it; raises DataError.

    Spark cuts a Parquet file into pieces. A CSV file is one piece, because a cell may hold a line end; a worker reads
    it itself, because Spark's reader has other ideas of quotes, blanks and gaps.
    """
    schema = next(read_batches(source)).schema
    if is_csv(source):
        return session.createDataFrame([(str(source.absolute()),)], "file string"), schema, score_csv
    rows = session.read.parquet(re.sub(r"([\\*?\[\]{}])", r"\\\1", address(source)))  # for Spark a name is a pattern
    return rows, rows.limit(0).toArrow().schema, score_batches


def as_text(columns: pa.Schema) -> pa.Schema:
    """Return *columns* for a CSV file: Arrow writes the numbers, as in the plain run, and not Java."""
    return pa.schema([pa.field(name, pa.string()) for name in columns.names])


def write(table: Any, folder: Path, as_csv: bool) -> None:
    """Write a Spark *table* into *folder*, as CSV or as Parquet files."""
    writer = table.write.mode("overwrite")
    if as_csv:
        writer.csv(address(folder), **CSV)
    else:
        writer.parquet(address(folder))


def address(path: Path) -> str:
    """Return *path* as Spark needs it to look here, or on a disk that all machines share, and nowhere else."""
    return f"file:///{path.absolute().as_posix().lstrip('/')}"


def in_one_line(error: Exception) -> str:
    """Return what an *error* of Spark's says to a person: our own error in a worker, else its last cause."""
    text = str(error)
    ours = re.findall(r"^player\.errors\.\w+: (.*)$", text, re.MULTILINE)
    causes = re.findall(r"^(?:Caused by: )?[\w.$]+: (.*)$", text, re.MULTILINE)
    return str((ours or causes or text.splitlines())[-1])
