"""Forty bad tables: each command says in one sentence what is wrong, and the old model stays."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from older import leaves_out
from storage_rows import label, prediction

from customer.errors import CustomerError
from customer.rounds import from_csv
from player import training
from player.cli import main
from player.config import Settings
from player.model import store
from player.storage.migrations import upgrade
from player.storage.writer import Writer

ROWS = "".join(f"{20 + i % 50},{1000 * (i % 37)},{i * 7 % 3 % 2}\n" for i in range(200))
GOOD = "age,income,repaid\n" + ROWS


def labelled(cells: Callable[[int], str], rows: int = 100) -> str:
    """Return a CSV of one column and a label."""
    return "x,repaid\n" + "".join(f"{cells(i)},{i % 2}\n" for i in range(rows))


CSV: dict[str, str | bytes] = {
    "empty": "", "blank lines": "\n\n\n", "headings only": "age,repaid\n", "one row": "age,repaid\n3,1\n",
    "no label": GOOD.replace("repaid", "paid"), "label in capitals": GOOD.replace("repaid", "REPAID"),
    "label empty": "age,repaid\n" + "3,\n4,\n" * 50, "one class": "age,repaid\n" + "3,1\n4,1\n" * 50,
    "101 classes": "age,repaid\n" + "".join(f"{i % 13},c{i % 101}\n" for i in range(1010)),
    "a rare class": "age,repaid\n" + "3,a\n4,b\n" * 50 + "5,rare\n",
    "a number to predict": "age,repaid\n" + "".join(f"{i % 13},{i / 7}\n" for i in range(100)),
    "halves": "age,repaid\n" + "3,2.5\n4,3.0\n5,3.5\n" * 30,
    "duplicate headings": GOOD.replace("income", "age"), "duplicate label": GOOD.replace("income", "repaid"),
    "short rows": GOOD + "1,2\n", "long rows": GOOD + "1,2,3,4\n", "mixed separators": GOOD + ROWS.replace(",", ";"),
    "an open quote": GOOD + '"1,2,3\n' * 3, "binary": bytes(range(256)) * 20, "a zip": b"PK\3\4" + bytes(200),
    "latin-1": GOOD.replace("age", "âge").encode("latin-1"), "latin-1 far down": GOOD.encode() * 400 + b"1,\xe9,1\n",
    "half a utf-16": GOOD.encode("utf-16")[:-1], "utf-16 without a mark": GOOD.encode("utf-16-le"),
    "constants": labelled(lambda _: "3"), "ids only": labelled(lambda i: f"K{i:05}"), "row numbers": labelled(str),
    "huge numbers": labelled(lambda i: "9" * 30 + str(i)), "endless numbers": labelled(lambda i: f"1e{400 + i}"),
    "missing only": labelled(lambda _: "NA"), "blanks only": labelled(lambda _: "  "),
    "nothing but the label": "repaid\n" + "0\n1\n" * 50, "nothing but nul": "\0" * 100,
    "spaces in headings": GOOD.replace("age,income,repaid", " age , income , repaid "),
    "json": '[{"age": 1, "repaid": 0}]', "a page": "<html><body>404</body></html>",
}  # fmt: skip
PARQUET = {
    "no columns": pa.table({}), "no rows": pa.table({"age": pa.array([], "int64"), "repaid": pa.array([], "int64")}),
    "nested": pa.table({"age": [[1], [2]] * 50, "repaid": [0, 1] * 50}),
    "structures": pa.table({"age": [{"a": 1}, {"a": 2}] * 50, "repaid": [0, 1] * 50}),
    "nested label": pa.table({"age": [1.0, 2.0] * 50, "repaid": [[0], [1]] * 50}),
    "nulls": pa.table({"age": pa.nulls(100), "repaid": [0, 1] * 50}),
}  # fmt: skip
NOTHING_LEFT = (
    "constants", "ids only", "row numbers", "huge numbers", "endless numbers", "missing only", "blanks only",
)  # fmt: skip
OTHERS = ("broken.parquet", "cut.parquet", "table.xlsx", "folder.csv", "folder.parquet", "missing.csv")


def write(name: str, folder: Path) -> Path:
    """Make the bad table *name*."""
    if name in OTHERS:
        path = folder / name
        if name.startswith("folder"):
            path.mkdir()
        elif not name.startswith("missing"):
            path.write_bytes(b"PAR1" + bytes(100) + b"PAR1" if name.startswith("cut") else b"PAR1 nothing")
        return path
    path = folder / f"bad.{'csv' if name in CSV else 'parquet'}"
    if name in PARQUET:
        pq.write_table(PARQUET[name], path)
    else:
        content = CSV[name]
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[leaves_out] if name in NOTHING_LEFT else []) for name in (*CSV, *PARQUET, *OTHERS)],
)
def test_a_bad_table_is_one_sentence(model_settings: Settings, tmp_path: Path, name: str) -> None:
    """Training and inspection refuse it with exit code 1; nobody sees a traceback, and the model is the one before."""
    path, before = write(name, tmp_path), store.pointer(model_settings)

    for command in (["train", "--data"], ["inspect"]):
        result = CliRunner().invoke(main, ["-e", "testing", *command, str(path)])

        assert isinstance(result.exception, SystemExit), result.exception
        assert 1 == result.exit_code
        assert "Traceback" not in result.output
        if command[0] == "train":
            assert 1 == len([line for line in result.stderr.splitlines() if line.startswith("Error: ")])
            assert result.stderr.splitlines()[-1].startswith("Error: ")
    assert before == store.pointer(model_settings)


@pytest.mark.parametrize("name", [*CSV, *PARQUET, *OTHERS])
def test_a_bad_table_breaks_no_game(tmp_path: Path, name: str) -> None:
    """The customer refuses it in one sentence, unless it is only bad to learn from: then it may be played."""
    path = write(name, tmp_path)
    try:
        population = from_csv(path, "repaid")
    except CustomerError as error:
        assert "\n" not in str(error)
    else:
        assert len(population.labels) > 1


@pytest.fixture(name="answered")
def _answered(model_settings: Settings, table: pd.DataFrame) -> Settings:
    """Settings of an environment with a model and 120 requests that were answered and labelled."""
    upgrade(model_settings)
    features = json.loads(table.head(120).to_json(orient="records"))
    writer = Writer(model_settings)
    writer.start()
    writer.put_predictions([prediction(f"r{i}", features=row) for i, row in enumerate(features)])
    writer.put_labels([label(f"r{i}", i % 2) for i in range(len(features))])
    writer.stop()
    return model_settings


@pytest.mark.parametrize("name", [*CSV, *PARQUET, *OTHERS])
def test_a_bad_table_breaks_nothing_later(
    answered: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Where the training table became a bad one, what needs it says so, and the rest goes on; so does scoring it."""
    path, before = write(name, tmp_path), store.pointer(answered)
    monkeypatch.setenv("PLAYER_DATA__TRAIN", str(path))

    for command in (["retrain"], ["monitor"], ["skew", str(path)], ["batch", str(path), str(tmp_path / "answers.csv")]):
        result = CliRunner().invoke(main, ["-e", "testing", *command])

        assert isinstance(result.exception, SystemExit | None), (command, result.exception)
        assert result.exit_code in (0, 1), command
        assert result.exit_code == 0 or result.stderr.splitlines()[-1].startswith("Error: "), (command, result.stderr)
        assert "Traceback" not in result.output
        assert command[0] != "retrain" or result.exit_code == 1
    assert before == store.pointer(answered)


@pytest.mark.usefixtures("answered")
@pytest.mark.parametrize("command", ["retrain", "fill"])
def test_a_mistake_in_the_own_training_is_one_sentence_here_too(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """These read the training table as `player train` does, with what the participant wrote."""
    monkeypatch.setattr(training, "in_time_order", lambda table, data: 1 / 0)

    result = CliRunner().invoke(main, ["-e", "testing", command])

    assert isinstance(result.exception, SystemExit), result.exception
    assert 1 == result.exit_code
    assert "Error: player/training.py cannot train: ZeroDivisionError" in result.stderr.splitlines()[-1]


@pytest.mark.parametrize("command", [["retrain"], ["monitor"], ["replay", "--against", "testing"], ["shadow"]])
def test_before_there_is_a_model_or_a_database_one_sentence_says_so(settings: Settings, command: list[str]) -> None:
    """No command shows a traceback on the first day."""
    assert store.pointer(settings) is None
    result = CliRunner().invoke(main, ["-e", "testing", *command])

    assert isinstance(result.exception, SystemExit), result.exception
    assert 1 == result.exit_code
    assert result.stderr.splitlines()[-1].startswith("Error: ")
