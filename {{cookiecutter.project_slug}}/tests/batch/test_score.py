"""A file is scored as the API would answer it, whole or not at all."""

import json
import random
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from filelock import FileLock
from six_ways import clean_written

from player.batch.ahead import worked_ahead
from player.batch.columns import clean_batch
from player.batch.score import score
from player.cli import main
from player.config import Settings
from player.errors import DataError
from player.features import clean, to_table
from player.model import saving, store
from player.model.predictor import Predictor
from player.reading import files
from player.reading.cells import without_codes
from player.training import train


@pytest.fixture(name="predictor")
def _predictor(model_settings: Settings) -> Predictor:
    """A predictor with a model, as `player batch` makes one."""
    predictor = Predictor(model_settings)
    predictor.reload()
    return predictor


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_each_row_is_answered_as_the_api_would(
    predictor: Predictor, table: pd.DataFrame, tmp_path: Path, kind: str
) -> None:
    """Same row, same answer, in both file formats."""
    source, target = tmp_path / f"in.{kind}", tmp_path / f"out.{kind}"
    rows = table.head(30)
    rows.to_csv(source, index=False) if kind == "csv" else rows.to_parquet(source)

    assert 30 == score(source, target, predictor).rows

    scored = pd.read_csv(target) if kind == "csv" else pd.read_parquet(target)
    for raw, scored_row in zip(rows.to_dict("records"), scored.to_dict("records"), strict=True):
        answer = predictor.answer(raw)
        assert (answer.pred, answer.model) == (scored_row["pred"], scored_row["model"])
        assert answer.proba == pytest.approx(scored_row["proba"], abs=1e-12)


def two_numbers(predictor: Predictor) -> str:
    """Return the headings of a file with two columns of the model."""
    return ",".join(feature.name for feature in predictor.chain.links[0].model.schema.features[:2])


def test_a_suffix_may_be_in_capitals(predictor: Predictor, table: pd.DataFrame, tmp_path: Path) -> None:
    """As some systems write it: the file alone, its result, and a folder of such files."""
    (tmp_path / "in").mkdir()
    table.head(3).to_csv(tmp_path / "in" / "a.CSV", index=False)
    table.head(2).to_parquet(tmp_path / "in" / "b.Parquet")

    assert 3 == score(tmp_path / "in" / "a.CSV", tmp_path / "out.CSV", predictor).rows
    assert 3 == len(pd.read_csv(tmp_path / "out.CSV"))
    assert (2, 5) == ((done := score(tmp_path / "in", tmp_path / "out", predictor)).files, done.rows)


def test_nothing_is_rejected_silently(predictor: Predictor, tmp_path: Path) -> None:
    """A row full of nonsense gets an answer and its warnings."""
    (tmp_path / "in.csv").write_text(f"{two_numbers(predictor)}\nforty,\n42,31000\n", encoding="utf-8")
    score(tmp_path / "in.csv", tmp_path / "out.csv", predictor)
    scored = pd.read_csv(tmp_path / "out.csv")

    assert len(scored) == 2
    assert "not a number" in scored["warnings"][0]


def test_a_run_that_breaks_leaves_no_half_file(predictor: Predictor, tmp_path: Path) -> None:
    """An input that turns out broken leaves neither a target nor a temporary file."""
    (tmp_path / "in.parquet").write_bytes(b"PAR1 this is no parquet")

    with pytest.raises(DataError, match="cannot be read as a table"):
        score(tmp_path / "in.parquet", tmp_path / "out.parquet", predictor)

    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [".out.parquet.lock", "in.parquet"]


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        ("nothing.csv", "out.csv", "does not exist"),
        ("in.txt", "out.csv", "ends in .csv or .parquet"),
        ("in.csv", "out.xlsx", "ends in .csv or .parquet"),
        ("in.csv", "nowhere/out.csv", "does not exist"),
    ],
)
def test_wrong_files_are_refused(predictor: Predictor, tmp_path: Path, source: str, target: str, said: str) -> None:
    """A missing file or an unknown format is refused before anything is written."""
    for name in ("in.csv", "in.txt"):
        (tmp_path / name).write_text("age\n42\n", encoding="utf-8")

    with pytest.raises(DataError, match=said):
        score(tmp_path / source, tmp_path / target, predictor)


ODD = [
    "",
    " ",
    "nan",
    "12",
    "1,5",
    "1.234,5",
    "-3",
    "1e400",
    "inf",
    "007",
    "yes",
    "RENT ",
    "rent",
    "Mars",
    "\u20ac 4",
    "+5",
    "1e3",
]
ODD_NUMBERS = [None, float("nan"), float("inf"), -1e300, 0.0, -5.0, 42.0, 1e9, 2.5]


@pytest.mark.parametrize(
    "values", [ODD, ODD_NUMBERS, [None, True, False], [None, 3, 10**18], [[1.0], [], None, [1.0, 2.0]]]
)
@pytest.mark.parametrize("from_csv", [False, True])
def test_columns_are_cleaned_as_rows_are(predictor: Predictor, values: list[object], from_csv: bool) -> None:
    """Thousands of odd rows get the same values and the same warnings at once as one by one."""
    schema = predictor.schema
    assert schema is not None
    rng = random.Random(7)
    names = [*schema.names[1:], "a_stranger"]
    batch = pa.RecordBatch.from_pylist([{name: rng.choice(values) for name in names} for _ in range(2000)])

    found, warnings = clean_batch(batch, schema, from_csv)

    one_by_one = [clean_written(raw, schema) if from_csv else clean(raw, schema) for raw in batch.to_pylist()]
    pd.testing.assert_frame_equal(to_table([row for row, _ in one_by_one], schema), without_codes(found))
    assert [row_warnings for _, row_warnings in one_by_one] == [json.loads(text) for text in warnings.to_pylist()]


def test_a_folder_goes_on_with_what_is_not_done(predictor: Predictor, table: pd.DataFrame, tmp_path: Path) -> None:
    """A finished file stays, a missing one is made, and the marker says that all are there."""
    (tmp_path / "in").mkdir()
    for name in ("a.csv", "b.csv"):
        table.head(5).to_csv(tmp_path / "in" / name, index=False)

    assert 2 == score(tmp_path / "in", tmp_path / "out", predictor).files
    (tmp_path / "out" / "b.csv").unlink()
    result = score(tmp_path / "in", tmp_path / "out", predictor)

    assert (1, 1) == (result.files, result.skipped)
    assert ["_SUCCESS", "a.csv", "b.csv"] == sorted(path.name for path in (tmp_path / "out").iterdir())
    assert 2 == score(tmp_path / "in", tmp_path / "out", predictor, again=True).files


def test_two_runs_do_not_overlap(predictor: Predictor, table: pd.DataFrame, tmp_path: Path) -> None:
    """A second run to the same place says so in one line."""
    table.head(5).to_csv(tmp_path / "in.csv", index=False)

    with FileLock(tmp_path / ".out.csv.lock"), pytest.raises(DataError, match="Another run is writing"):
        score(tmp_path / "in.csv", tmp_path / "out.csv", predictor)


def test_a_file_without_rows_gives_one_without_rows(predictor: Predictor, tmp_path: Path) -> None:
    """Only the names of the columns come out."""
    headings = two_numbers(predictor)
    (tmp_path / "in.csv").write_text(f"{headings}\n", encoding="utf-8")
    score(tmp_path / "in.csv", tmp_path / "out.csv", predictor)

    assert f"{headings},pred,proba,model,degraded,warnings\n" == (tmp_path / "out.csv").read_text(encoding="utf-8")


def test_a_model_that_cannot_take_a_table_is_asked_row_by_row(
    predictor: Predictor, table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failing model gives each row the answer the API would give: another model's, or the most frequent label."""
    table.head(5).to_csv(tmp_path / "in.csv", index=False)

    def fail(_: pd.DataFrame) -> None:
        raise ValueError("broken")

    monkeypatch.setattr(predictor.chain.links[0].model.pipeline[-1], "predict_proba", fail)
    monkeypatch.setattr(predictor.chain.links[0], "plan", None)
    score(tmp_path / "in.csv", tmp_path / "out.csv", predictor)

    scored = pd.read_csv(tmp_path / "out.csv")
    assert ["none"] * 5 == scored["model"].tolist()
    assert scored["degraded"].all()


def test_classes_may_be_text(settings: Settings, table: pd.DataFrame, tmp_path: Path) -> None:
    """What the model calls its classes stands in the file, and the API says the same."""
    words = table.head(400).assign(repaid=table["repaid"].map({0: "no", 1: "yes"}))
    store.activate(saving.save(train(words, settings), settings).version, settings)
    predictor = Predictor(settings)
    predictor.reload()
    words.to_parquet(tmp_path / "in.parquet")

    score(tmp_path / "in.parquet", tmp_path / "out.parquet", predictor)

    scored = pd.read_parquet(tmp_path / "out.parquet")
    assert {"no", "yes"} == set(scored["pred"])
    assert [predictor.answer(raw).pred for raw in words.head(50).to_dict("records")] == scored["pred"][:50].tolist()


def test_what_is_left_out_of_a_folder_is_said(
    predictor: Predictor, table: pd.DataFrame, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A file of another kind is not passed over silently."""
    (tmp_path / "in").mkdir()
    table.head(5).to_csv(tmp_path / "in" / "a.csv", index=False)
    (tmp_path / "in" / "b.xlsx").touch()

    assert 1 == score(tmp_path / "in", tmp_path / "out", predictor).files
    assert "b.xlsx is left out" in caplog.text


def test_what_a_killed_run_left_is_in_nobodys_way(predictor: Predictor, table: pd.DataFrame, tmp_path: Path) -> None:
    """Spark leaves half a folder where the plain run has half a file."""
    table.head(5).to_csv(tmp_path / "in.csv", index=False)
    (tmp_path / ".out.csv.part" / "_temporary").mkdir(parents=True)

    assert 5 == score(tmp_path / "in.csv", tmp_path / "out.csv", predictor).rows
    assert not (tmp_path / ".out.csv.part").exists()


def test_a_folder_that_is_no_result_is_never_replaced(
    predictor: Predictor, table: pd.DataFrame, tmp_path: Path
) -> None:
    """Only what a run made may go, also with `again`."""
    table.head(5).to_csv(tmp_path / "in.csv", index=False)
    (tmp_path / "out.csv").mkdir()
    (tmp_path / "out.csv" / "mine.txt").touch()

    with pytest.raises(DataError, match="no result of a run"):
        score(tmp_path / "in.csv", tmp_path / "out.csv", predictor, again=True)

    assert (tmp_path / "out.csv" / "mine.txt").exists()


def test_lists_do_not_fit_into_a_csv_file(predictor: Predictor, tmp_path: Path) -> None:
    """One line says so, and nothing is left behind."""
    pq.write_table(pa.table({two_numbers(predictor).partition(",")[0]: [[42]]}), tmp_path / "in.parquet")

    with pytest.raises(DataError, match=r"write to \.parquet"):
        score(tmp_path / "in.parquet", tmp_path / "out.csv", predictor)

    assert [".out.csv.lock", "in.parquet", "project"] == sorted(path.name for path in tmp_path.iterdir())


def test_without_spark_one_line_says_how_to_install_it(
    model_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--engine spark` needs the extra `spark`."""
    (tmp_path / "in.csv").write_text("age\n42\n", encoding="utf-8")
    monkeypatch.setitem(sys.modules, "pyspark", None)

    result = CliRunner().invoke(
        main, ["-e", "testing", "batch", str(tmp_path / "in.csv"), str(tmp_path / "out.csv"), "--engine", "spark"]
    )

    assert 1 == result.exit_code
    assert 'pip install ".[spark]"' in result.stderr.splitlines()[-1]


def test_batches_are_worked_on_ahead_and_stay_in_their_order() -> None:
    """One more than there are workers, so that none waits: the rest of the file stays where it is."""
    read: list[int] = []
    begun: list[int] = []
    free = threading.Event()

    def batches() -> Iterator[Any]:
        for number in range(20):
            read.append(number)
            yield number

    def work(number: Any) -> Any:
        begun.append(number)
        assert number > 0 or free.wait(10)  # the first one ends last
        return number

    found = worked_ahead(work, batches(), 2)
    threading.Timer(0.3, free.set).start()

    assert 0 == next(found)
    assert [0, 1, 2] == read == sorted(begun)
    assert list(range(1, 20)) == list(found)


def test_work_that_fails_ahead_is_told_in_its_turn() -> None:
    """And ends the run."""
    found = worked_ahead(lambda number: 1 // (3 - number), iter([1, 2, 3, 4, 5]), 2)  # type: ignore[arg-type]

    assert [0, 1] == [next(found), next(found)]
    with pytest.raises(ZeroDivisionError):
        next(found)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_how_far_it_is_is_told(predictor: Predictor, table: pd.DataFrame, tmp_path: Path, kind: str) -> None:
    """From nothing of about all rows to all of them."""
    source, told = tmp_path / f"in.{kind}", []
    table.to_csv(source, index=False) if kind == "csv" else table.to_parquet(source)

    score(source, tmp_path / "out.csv", predictor, progress=lambda done, expected: told.append((done, expected)))

    assert 0 == told[0][0]
    assert len(table) == pytest.approx(told[0][1], rel=0.01)
    assert (len(table), len(table)) == told[-1]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_memory_does_not_grow_with_the_file(
    predictor: Predictor, table: pd.DataFrame, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 20 MB never more than a part is held."""
    monkeypatch.setattr(files, "ROWS_AT_ONCE", 1000)
    monkeypatch.setattr(files, "BYTES_AT_ONCE", 1 << 18)
    source, held = tmp_path / f"in.{kind}", []
    many = pd.concat([table] * 10, ignore_index=True)
    many["large"] = [random.Random(row).randbytes(500).hex() for row in range(len(many))]
    many.to_csv(source, index=False) if kind == "csv" else many.to_parquet(source, row_group_size=1000)

    before = pa.total_allocated_bytes()
    score(source, tmp_path / "out.parquet", predictor, progress=lambda *_: held.append(pa.total_allocated_bytes()))

    assert len(held) > 10
    assert max(held) < before + 15e6
