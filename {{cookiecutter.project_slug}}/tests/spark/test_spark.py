"""Spark gives what the plain run gives: the same function on the same rows. Needs the extra `spark` and Java 17."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine, select

from player.batch import spark
from player.batch.score import Engine, Result, score
from player.cli import main
from player.config import Settings
from player.errors import DataError, PlayerError
from player.model import store
from player.model.predictor import Predictor
from player.reading.files import BYTES_AT_ONCE, read_batches
from player.storage.tables import BatchRun

ODD_CSV = "\n".join(
    [
        "\ufeffage,income,housing,a stranger",
        '42,31000,rent,"a, ""b"""',
        ",,,",
        '"",nan," rent ",\'x\'',
        '4"2,1e400,"two\nlines","two\r\nlines"',
        "forty,€ 4,RENT,数据 🚀",
        ' 7 ,"1,5",Mars,\\"',
        '8,"9"x,"a"b"c",\r',
    ]
)


@pytest.fixture(name="predictor")
def _predictor(model_settings: Settings) -> Predictor:
    """A predictor with a model, as `player batch` makes one."""
    predictor = Predictor(model_settings)
    predictor.reload()
    return predictor


@pytest.fixture(name="session", scope="session", autouse=True)
def _session() -> Iterator[None]:
    """One Spark for all tests, ended after them."""
    spark.start()
    yield
    from pyspark.sql import SparkSession

    SparkSession.builder.getOrCreate().stop()


@pytest.fixture(name="engine")
def _engine() -> Engine:
    """The engine as `player batch --engine spark` gets it."""
    return spark.start()


def read(path: Path) -> pa.Table:
    """Return a file, or the files of a folder in the order of their names."""
    files = sorted(path.glob("part-*")) if path.is_dir() else [path]
    if path.suffix == ".parquet":
        return pa.concat_tables([pq.read_table(file) for file in files])
    return pa.Table.from_batches([batch for file in files for batch in read_batches(file)])


def in_both(source: Path, suffix: str, predictor: Predictor, engine: Engine) -> tuple[Result, pa.Table]:
    """Score *source* with both engines and return what is the same: what was done, and the result."""
    plain, sparked = (source.with_name(f"{name}{suffix}") for name in ("plain", "spark"))
    done = score(source, plain, predictor)

    assert done == score(source, sparked, predictor, engine=engine)
    expected, found = read(plain), read(sparked)
    assert expected.column_names == found.column_names
    for name in expected.column_names:  # as text, in which NaN equals NaN
        assert str(expected[name].to_pylist()) == str(found[name].to_pylist()), name
    return done, found


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("kind", [".csv", ".parquet"])
def test_ordinary_rows_are_scored_as_in_the_plain_run(
    predictor: Predictor, engine: Engine, table: pd.DataFrame, tmp_path: Path, kind: str, suffix: str
) -> None:
    """Same rows, same columns, same answers, same order, from and to both kinds of file."""
    source = tmp_path / f"in{kind}"
    table.to_csv(source, index=False) if kind == ".csv" else table.to_parquet(source)

    done, scored = in_both(source, suffix, predictor, engine)

    assert len(table) == done.rows == scored.num_rows
    assert {predictor.version} == done.models


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_an_odd_csv_file_is_read_as_in_the_plain_run(
    predictor: Predictor, engine: Engine, tmp_path: Path, suffix: str
) -> None:
    """Quotes, line ends in cells, blanks, gaps, text in numbers and any script mean the same to both."""
    (tmp_path / "in [1] {a}.csv").write_text(ODD_CSV, encoding="utf-8", newline="")

    done, scored = in_both(tmp_path / "in [1] {a}.csv", suffix, predictor, engine)

    assert (7, 7) == (done.rows, done.warnings)
    assert ['a, "b"', None, "'x'", "two\r\nlines"] == scored["a stranger"].to_pylist()[:4]


def test_odd_values_of_a_parquet_file_mean_the_same(predictor: Predictor, engine: Engine, tmp_path: Path) -> None:
    """Whole numbers with gaps, text in numbers, NaN, infinity, true and false, lists, and names that differ in case."""
    columns = {
        "age": pa.array([42, None, -5, 10**18], pa.int64()),
        "income": pa.array(["31000", "", "1,5", "€ 4"]),
        "savings": pa.array([float("nan"), float("inf"), None, 2.5]),
        "credit_cards": pa.array([True, False, None, True]),
        "late_payments": pa.array([[1.0], [], None, [1.0, 2.0]]),
        "monthly_debt": pa.array([1, 2, None, 2**32 - 1], pa.uint32()),
        "housing": pa.array(["rent", "RENT ", None, "数据"]).dictionary_encode(),
        "region": pa.array(pd.to_datetime(["2026-11-23", None, "1970-01-01", "2026-01-01"], utc=True)),
        "Age": pa.array([1, 2, 3, 4]),
    }
    pq.write_table(pa.table(columns), tmp_path / "in.parquet")

    done, scored = in_both(tmp_path / "in.parquet", ".parquet", predictor, engine)

    assert (4, 4) == (done.rows, done.warnings)
    assert [1, 2, 3, 4] == scored["Age"].to_pylist()


def test_a_file_of_many_tasks_keeps_its_order(
    predictor: Predictor, engine: Engine, table: pd.DataFrame, tmp_path: Path
) -> None:
    """A large Parquet file is split, and still comes out in the order it went in."""
    many = pd.concat([table] * 20, ignore_index=True)
    many["place"] = pd.Series(range(len(many))).astype(str) * 80
    many.to_parquet(tmp_path / "in.parquet", row_group_size=5000, compression="none")

    done, _ = in_both(tmp_path / "in.parquet", ".parquet", predictor, engine)

    assert 40_000 == done.rows
    assert 1 < len(list((tmp_path / "spark.parquet").glob("part-*")))


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_file_without_rows_keeps_its_columns(
    predictor: Predictor, engine: Engine, tmp_path: Path, suffix: str
) -> None:
    """Only the names of the columns come out."""
    (tmp_path / "in.csv").write_text("age,income\n", encoding="utf-8")

    done, scored = in_both(tmp_path / "in.csv", suffix, predictor, engine)

    assert (1, 0) == (done.files, done.rows)
    assert ["age", "income", "pred", "proba", "model", "degraded", "warnings"] == scored.column_names


def test_a_folder_goes_on_with_what_is_not_done(
    predictor: Predictor, engine: Engine, table: pd.DataFrame, tmp_path: Path
) -> None:
    """Files that are done stay, by whichever engine; with `again` they are made anew."""
    (tmp_path / "in").mkdir()
    for name in ("a.csv", "b.csv", "c.csv"):
        table.head(5).to_csv(tmp_path / "in" / name, index=False)
    score(tmp_path / "in" / "a.csv", tmp_path / "a.csv", predictor)
    (tmp_path / "out").mkdir()
    (tmp_path / "a.csv").rename(tmp_path / "out" / "a.csv")

    result = score(tmp_path / "in", tmp_path / "out", predictor, engine=engine)

    assert (2, 1, 10) == (result.files, result.skipped, result.rows)
    assert ["_SUCCESS", "a.csv", "b.csv", "c.csv"] == sorted(path.name for path in (tmp_path / "out").iterdir())
    assert 3 == score(tmp_path / "in", tmp_path / "out", predictor, again=True, engine=engine).files
    assert all((tmp_path / "out" / name).is_dir() for name in ("a.csv", "b.csv", "c.csv"))
    assert 3 == score(tmp_path / "in", tmp_path / "out", predictor, again=True).files
    assert ["_SUCCESS", "a.csv", "b.csv", "c.csv"] == sorted(path.name for path in (tmp_path / "out").iterdir())
    assert all((tmp_path / "out" / name).is_file() for name in ("a.csv", "b.csv", "c.csv"))


def test_a_broken_file_leaves_nothing_behind(predictor: Predictor, engine: Engine, tmp_path: Path) -> None:
    """A row of another length is an error, as in the plain run, and there is no half result."""
    (tmp_path / "in.csv").write_text(
        "age,income\n" + f"1,{'x' * 1000}\n" * (BYTES_AT_ONCE // 900) + "1,2,3\n", encoding="utf-8"
    )

    with pytest.raises(DataError, match="cannot be read as a table"):
        score(tmp_path / "in.csv", tmp_path / "plain.csv", predictor)
    with pytest.raises(DataError, match=r"Spark could not score .* cannot be read as a table"):
        score(tmp_path / "in.csv", tmp_path / "spark.csv", predictor, engine=engine)

    assert {".plain.csv.lock", ".spark.csv.lock", "in.csv", "project"} == {path.name for path in tmp_path.iterdir()}


def test_a_worker_checks_the_model_itself(
    predictor: Predictor, engine: Engine, table: pd.DataFrame, tmp_path: Path
) -> None:
    """A pickle that was changed after the command checked it is not unpickled in a worker."""
    table.head(5).to_csv(tmp_path / "in.csv", index=False)
    (store.folder(predictor.settings) / f"{predictor.version}.pkl").write_bytes(b"something else")

    with pytest.raises(DataError, match="A Spark worker cannot load model"):
        score(tmp_path / "in.csv", tmp_path / "out.csv", predictor, engine=engine)


def test_the_run_is_recorded(model_settings: Settings, table: pd.DataFrame, tmp_path: Path) -> None:
    """The command ends with one sentence, and the database has the run."""
    table.head(5).to_csv(tmp_path / "in.csv", index=False)

    result = CliRunner().invoke(
        main, ["-e", "testing", "batch", str(tmp_path / "in.csv"), str(tmp_path / "out.csv"), "--engine", "spark"]
    )

    assert result.exit_code == 0, result.output
    assert "5 rows in 1 files scored" in result.stdout
    database = create_engine(model_settings.database_url.get_secret_value())
    with database.connect() as connection:
        (row,) = connection.execute(select(BatchRun.rows, BatchRun.status)).all()
    database.dispose()
    assert (5, "done") == tuple(row)


def test_a_cluster_gives_the_same(predictor: Predictor, table: pd.DataFrame, tmp_path: Path) -> None:
    """Workers in processes of their own, which Spark's own small cluster starts, load the model and answer the same."""
    (tmp_path / "in").mkdir()
    table.to_csv(tmp_path / "in" / "a.csv", index=False)
    table.to_parquet(tmp_path / "in" / "b.parquet")
    score(tmp_path / "in", tmp_path / "plain", predictor)
    cluster = "--master local-cluster[2,1,1024] --conf spark.ui.enabled=false pyspark-shell"
    variables = {
        "PYSPARK_SUBMIT_ARGS": cluster,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_WORKER_DIR": str(tmp_path / "work"),
    }
    command = [sys.executable, "-m", "player.cli", "-e", "testing", "batch", "in", "out", "--engine", "spark"]

    result = subprocess.run(command, cwd=tmp_path, env={**os.environ, **variables}, capture_output=True, text=True)

    assert 0 == result.returncode, result.stderr
    assert "4,000 rows in 2 files" in result.stdout
    for name in ("a.csv", "b.parquet"):
        assert read(tmp_path / "plain" / name).to_pylist() == read(tmp_path / "out" / name).to_pylist()


def test_without_java_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback of Spark's."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("JAVA_HOME", raising=False)

    with pytest.raises(PlayerError, match="Spark needs Java 17"):
        spark.start()
