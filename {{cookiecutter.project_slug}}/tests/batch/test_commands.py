"""`player batch`, as it is typed."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from player.batch import run as batch_run
from player.batch import score as batch_score
from player.cli import main
from player.config import Settings
from player.errors import ModelMissing
from player.reading.deviations import Deviation, Deviations

Batch = Callable[..., Result]


@pytest.fixture(name="asked")
def _asked() -> list[tuple[Any, ...]]:
    """What the command wanted done."""
    return []


@pytest.fixture(name="batch")
def _batch(settings: Settings, asked: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch) -> Batch:
    """The command, in front of a run that does nothing."""

    def batch(result: batch_score.Result, *arguments: str) -> Result:
        def run(source: Path, target: Path, _: Settings, again: bool, engine: str) -> batch_score.Result:
            asked.append((str(source), str(target), again, engine))
            return result

        monkeypatch.setattr(batch_run, "run", run)
        command = ["-e", "testing", "batch", "in.csv", "out.csv", *arguments]
        return CliRunner().invoke(main, command, catch_exceptions=False)

    return batch


def result(**changes: Any) -> batch_score.Result:
    """Return what a run came to."""
    return batch_score.Result(**{"rows": 1200, "files": 2, "warnings": 3, "models": {"b", "a"}, **changes})


def test_a_person_reads_one_sentence(batch: Batch, asked: list[tuple[Any, ...]]) -> None:
    """Every number in it, and the models that answered."""
    found = batch(result())

    said = "1,200 rows in 2 files scored into out.csv; 3 rows with warnings, model a, b.\n"
    assert (0, said) == (found.exit_code, found.stdout)
    assert [("in.csv", "out.csv", False, "plain")] == asked


def test_what_was_done_before_is_said(batch: Batch) -> None:
    """And when no model was needed, that it was none."""
    found = batch(result(rows=0, files=0, warnings=0, models=set(), skipped=4))

    assert "0 rows in 0 files scored into out.csv, 4 done before; 0 rows with warnings, model none.\n" == found.stdout


def test_options_are_passed_on(batch: Batch, asked: list[tuple[Any, ...]]) -> None:
    """And a machine reads JSON."""
    found = batch(result(), "--again", "--engine", "spark", "--json")

    assert ("in.csv", "out.csv", True, "spark") == asked[0]
    assert {"rows": 1200, "models": ["a", "b"], "deviations": []}.items() <= json.loads(found.stdout).items()


def test_what_was_odd_is_shown_as_a_table(batch: Batch) -> None:
    """By column, below the sentence."""
    deviations = Deviations()
    deviations.add(Deviation("income", "not a number", 2, [1, 2], "x"))
    found = batch(result(deviations=deviations))

    assert "income" in found.stdout
    assert "income" in json.loads(batch(result(deviations=deviations), "--json").stdout)["deviations"][0].values()


def test_without_a_model_nothing_is_scored(settings: Settings, tmp_path: Path) -> None:
    """A file of guesses helps nobody."""
    (tmp_path / "in.csv").write_text("age\n1\n", encoding="utf-8")

    with pytest.raises(ModelMissing, match="No model can score"):
        batch_run.run(tmp_path / "in.csv", tmp_path / "out.csv", settings)


def test_each_batch_is_computed_by_one_thread(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several are worked on at once; NumPy reads this when it is imported, and by then it is there."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MKL_NUM_THREADS", "3")

    batch(result())

    assert ["1", "1", "3"] == [os.environ[f"{name}_NUM_THREADS"] for name in ("OMP", "OPENBLAS", "MKL")]
    program = "import sys, player.cli, player.learning.processors; sys.exit('numpy' in sys.modules)"
    assert 0 == subprocess.run([sys.executable, "-c", program], check=False).returncode
