"""The answer beside each row: its columns, their kinds, and what happens where a model fails."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from player.batch.answers import ANSWER, answer_batch, as_column, class_type, score_batch, with_answers
from player.batch.columns import column_of, combine, has_extra
from player.batch.files import CsvTarget, put_in_place
from player.batch.score import tables_in
from player.errors import DataError
from player.features import Schema
from player.repair import Feature


def predictor(*answers: Any, classes: tuple[Any, ...] = (0, 1)) -> Any:
    """Return a predictor without a model, which gives *answers* in turn."""
    left = iter(answers)
    return SimpleNamespace(chain=SimpleNamespace(links=[], degraded=True), answer=lambda _: next(left))


def answer(pred: Any, warnings: tuple[str, ...] = ()) -> Any:
    """Return one answer."""
    return SimpleNamespace(pred=pred, proba=0.5, model="none", degraded=True, warnings=list(warnings))


@pytest.mark.parametrize(
    ("given", "added"),
    [
        (["age"], list(ANSWER)),
        (["age", "pred"], [f"answer_{name}" for name in ANSWER]),
        (["model", "answer_proba"], [f"answer_answer_{name}" for name in ANSWER]),
    ],
)
def test_no_column_of_the_input_is_lost(given: list[str], added: list[str]) -> None:
    """Where one has the name of an answer, the answers have another, and all of them the same."""
    columns = with_answers(pa.schema([(name, pa.int64()) for name in given]), predictor(answer(1)))

    assert [*given, *added] == columns.names
    assert [pa.int64(), pa.float64(), pa.string(), pa.bool_(), pa.string()] == columns.types[-5:]


def test_classes_of_several_kinds_are_text() -> None:
    """A column holds one kind."""
    assert [pa.int64(), pa.string(), pa.string()] == [class_type(each) for each in ([0, 1], ["a"], [0, "a"])]
    assert ["0", "a"] == as_column([0, "a"], pa.string()).to_pylist()


def test_an_answer_of_another_kind_is_refused() -> None:
    """Rather than a file that is half text and half numbers."""
    with pytest.raises(DataError, match="The answers changed their kind within a file"):
        as_column(["yes"], pa.int64())


def test_without_a_model_each_row_is_asked_for() -> None:
    """All five parts of the answer stand beside the row, its warnings as JSON."""
    batch = pa.RecordBatch.from_pydict({"age": [1, 2]})
    columns = with_answers(batch.schema, predictor(answer(1)))
    found = score_batch(batch, predictor(answer(1, ("age: odd",)), answer(0)), columns, from_csv=False)

    assert {"age": 1, "pred": 1, "proba": 0.5, "model": "none", "degraded": True, "warnings": '["age: odd"]'} == (
        found.to_pylist()[0]
    )
    assert [1, 0] == found.column("pred").to_pylist()


@pytest.mark.parametrize(("from_csv", "said"), [(True, []), (False, ["age: number given as text"])])
def test_in_a_csv_file_a_number_as_text_is_no_repair(from_csv: bool, said: list[str]) -> None:
    """There everything is text."""
    batch = pa.RecordBatch.from_pydict({"age": ["1"]})
    found = answer_batch(batch, predictor(answer(1, ("age: number given as text",))), pa.int64(), from_csv)

    assert said == json.loads(found[-1][0])


def test_warnings_are_combined_row_by_row() -> None:
    """Each row has those of its own codes, in the order of the columns, and what holds for all at the end."""
    codes = np.array([[0, 1, 2, 0, 1], [0, 0, 1, 1, 1]], dtype="int32")
    found = combine([(codes[0], ["a1", "a2"]), (codes[1], ["c1"])], ["all"], 5)

    assert [["all"], ["a1", "all"], ["a2", "c1", "all"], ["c1", "all"], ["a1", "c1", "all"]] == [
        json.loads(text) for text in found.to_pylist()
    ]


def test_a_column_that_is_not_there_is_missing() -> None:
    """One that is no feature is extra."""
    batch = pa.RecordBatch.from_pydict({"age": [1, 2]})
    age, home = Feature("age", "number"), Feature("home", "category")

    assert [[1, 2], [None, None]] == [column_of(batch, each).to_pylist() for each in (age, home)]
    assert (False, True) == (has_extra(batch, Schema((age, home), "y")), has_extra(batch, Schema((home,), "y")))


def test_a_cell_is_quoted_where_it_must_be(tmp_path: Path) -> None:
    """And only the first line has the names, quoted too."""
    schema = pa.schema([("a, b", pa.string()), ("c", pa.int64())])
    target = CsvTarget(tmp_path / "out.csv", schema)
    for text in ("plain", 'a "quoted", text'):
        target.write(pa.RecordBatch.from_arrays([pa.array([text]), pa.array([1])], schema=schema))
    target.close()
    target.close()

    written = '"a, b",c\nplain,1\n"a ""quoted"", text",1\n'
    assert written == (tmp_path / "out.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ["file", "folder"])
@pytest.mark.parametrize("before", ["nothing", "file", "folder"])
def test_a_finished_result_takes_the_place_of_what_was_there(tmp_path: Path, kind: str, before: str) -> None:
    """Whatever it was, and nothing else is left."""
    part, target = tmp_path / ".out.csv.part", tmp_path / "out.csv"
    for path, what in ((part, kind), (target, before)):
        if what == "file":
            path.write_text(path.name, encoding="utf-8")
        elif what == "folder":
            path.mkdir()
            (path / "inside").write_text(path.name, encoding="utf-8")

    put_in_place(part, target)

    written = target if kind == "file" else target / "inside"
    assert ".out.csv.part" == written.read_text(encoding="utf-8")
    assert ["out.csv"] == [path.name for path in tmp_path.iterdir()]


def test_hidden_files_are_not_looked_at(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Neither those of a run at work nor its marker; another kind of file and a folder are named."""
    for name in (".a.csv", "_SUCCESS", "b.csv", "a.parquet", "a_.txt"):
        (tmp_path / name).touch()
    (tmp_path / "c.csv").mkdir()

    assert ["a.parquet", "b.csv"] == [path.name for path in tables_in(tmp_path)]
    assert ["a_.txt", "c.csv"] == [Path(text.partition(" is left out")[0]).name for text in caplog.messages]


def test_a_folder_without_tables_is_refused(tmp_path: Path) -> None:
    """There is nothing to score."""
    with pytest.raises(DataError, match=r"holds no \.csv or \.parquet file"):
        tables_in(tmp_path)
