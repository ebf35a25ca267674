"""A file is scored as the API would answer it, whole or not at all."""

from pathlib import Path

import pandas as pd
import pytest

from player.config import Settings
from player.errors import DataError
from player.lifecycle.batch import score_file
from player.model.predictor import Predictor


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

    assert list(score_file(source, target, predictor)) == [30]

    scored = pd.read_csv(target) if kind == "csv" else pd.read_parquet(target)
    for raw, scored_row in zip(rows.to_dict("records"), scored.to_dict("records"), strict=True):
        answer = predictor.answer(raw)
        assert (answer.pred, answer.model) == (scored_row["pred"], scored_row["model"])
        assert answer.proba == pytest.approx(scored_row["proba"], abs=1e-12)


def test_nothing_is_rejected_silently(predictor: Predictor, tmp_path: Path) -> None:
    """A row full of nonsense gets an answer and its warnings."""
    (tmp_path / "in.csv").write_text("age,income\nforty,\n42,31000\n", encoding="utf-8")
    list(score_file(tmp_path / "in.csv", tmp_path / "out.csv", predictor))
    scored = pd.read_csv(tmp_path / "out.csv")

    assert len(scored) == 2
    assert "not a number" in scored["warnings"][0]


def test_a_run_that_breaks_leaves_no_half_file(predictor: Predictor, tmp_path: Path) -> None:
    """An input that turns out broken leaves neither a target nor a temporary file."""
    (tmp_path / "in.parquet").write_bytes(b"PAR1 this is no parquet")

    with pytest.raises(DataError, match="cannot be read as a table"):
        list(score_file(tmp_path / "in.parquet", tmp_path / "out.parquet", predictor))

    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["in.parquet"]


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        ("nothing.csv", "out.csv", "does not exist"),
        ("in.txt", "out.csv", "must end in .csv or .parquet"),
        ("in.csv", "out.xlsx", "must end in .csv or .parquet"),
        ("in.csv", "nowhere/out.csv", "does not exist"),
    ],
)
def test_wrong_files_are_refused(predictor: Predictor, tmp_path: Path, source: str, target: str, said: str) -> None:
    """A missing file or an unknown format is refused before anything is written."""
    for name in ("in.csv", "in.txt"):
        (tmp_path / name).write_text("age\n42\n", encoding="utf-8")

    with pytest.raises(DataError, match=said):
        list(score_file(tmp_path / source, tmp_path / target, predictor))
