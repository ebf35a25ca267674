"""`player inspect` shows how training would read a table, and says whether it could learn from it."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from conftest import PROJECT

from player.cli import main

CASES = PROJECT / "tests" / "cases"


def look(path: Path, *more: str) -> tuple[int, Any]:
    """Return exit code and JSON of `player inspect`."""
    result = CliRunner().invoke(main, ["-e", "testing", "inspect", str(path), "--json", *more], catch_exceptions=False)
    return result.exit_code, json.loads(result.stdout)


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("name", "column", "what", "count", "example"),
    [
        ("one-text", "income", "not a number, taken as missing", 1, "unknown"),
        ("country-na", "country", "NA: kept as a category; empty cells alone are missing", 240, ""),
        ("thousands", "income", "a comma is taken as thousands mark", 240, ""),
        ("float-label", "repaid", "no label, left out", 6, ""),
        ("bool-label-with-gap", "repaid", "no label, left out", 6, ""),
    ],
)
def test_each_deviation_is_shown(name: str, column: str, what: str, count: int, example: str) -> None:
    """With the column, the number of rows and an example."""
    code, found = look(CASES / f"{name}.csv")

    shown = {(one["column"], one["what"]): one for one in found["deviations"]}[column, what]
    assert (0, count, example) == (code, shown["count"], shown["example"])


@pytest.mark.usefixtures("home")
def test_a_column_of_row_numbers_is_left_out() -> None:
    """And says why."""
    _, found = look(CASES / "index-column.csv")

    assert "it numbers the rows" == {one["name"]: one["left_out"] for one in found["columns"]}["Unnamed: 0"]
    assert {"repaid": "label", "applied_on": "time"} == found["roles"]


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("x,repaid\n" + "3,1\n3,0\n" * 20, "No column is left to learn from"),
        ("x,repaid\n" + "3,1\n4,1\n" * 20, "only the value 1"),
        ("x,paid\n3,1\n", "There is no column 'repaid'"),
    ],
)
def test_a_table_nothing_can_be_learned_from_exits_with_1(tmp_path: Path, content: str, said: str) -> None:
    """It is still shown as a whole."""
    (tmp_path / "t.csv").write_text(content, encoding="utf-8")
    code, found = look(tmp_path / "t.csv")

    assert 1 == code
    assert said in found["trouble"][-1]
    assert "x" == found["columns"][0]["name"]


@pytest.mark.usefixtures("home")
def test_without_json_it_is_a_table_to_read(tmp_path: Path) -> None:
    """One line for each column, then what deviates."""
    result = CliRunner().invoke(main, ["-e", "testing", "inspect", str(CASES / "one-text.csv")])

    lines = result.stdout.splitlines()
    assert "240 rows" == lines[0]
    assert any(line.split()[:5] == ["income", "number", "18000", "to", "64500"] for line in lines)
    assert any(line.startswith("income") and "unknown" in line for line in lines)
