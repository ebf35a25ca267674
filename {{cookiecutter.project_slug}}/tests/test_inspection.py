"""`player inspect` shows how training would read a table, and says whether it could learn from it."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
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


def written(tmp_path: Path, columns: dict[str, list[Any]]) -> Path:
    """Write a table of these columns, and return where."""
    path = tmp_path / "t.csv"
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


@pytest.mark.usefixtures("home")
def test_each_column_is_one_line_that_says_what_it_is(tmp_path: Path) -> None:
    """Those with a role of their own first, the label with its classes; of categories the first five."""
    columns = {
        "income": [*range(20), *range(19), None],
        "home": [f"h{number % 5}" for number in range(40)],
        "place": [f"p{number % 6}" for number in range(40)],
        "fixed": [3] * 40,
        "applied_on": ["2026-01-01"] * 40,
        "applicant_id": [f"a{number}" for number in range(40)],
        "repaid": [f"c{min(number % 16, 7)}" for number in range(40)],
    }
    path = written(tmp_path, columns)
    said = CliRunner().invoke(main, ["-e", "testing", "inspect", str(path)], env={"COLUMNS": "200"}).stdout
    lines = {line.split()[0]: " ".join(line.split()[1:]) for line in said.splitlines()}

    assert ["40", "column", "repaid", "applicant_id", "applied_on", "income"] == list(lines)[:6]
    assert "label c7 (19), c0 (3), c1 (3), c2 (3), c3 (3), c4 (3)" == lines["repaid"]
    assert ("id", "time") == (lines["applicant_id"], lines["applied_on"])
    assert "number 0 to 19 1" == lines["income"]
    assert "category 5 categories: h0, h1, h2, h3, h4 0" == lines["home"]
    assert "category 6 categories: p0, p1, p2, p3, p4, … 0" == lines["place"]
    assert lines["fixed"].startswith("left out")


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("times", "trouble", "rows"),
    [
        (["2026-01-01"] * 200, [], []),
        (["soon"] * 200, ["No order of time: in applied_on times such as 'soon' cannot be read."], []),
        (["2026-01-01"] * 193 + ["soon"] + [None] * 6, [], [194, 195, 196, 197, 198]),
    ],
    ids=["all", "none", "some"],
)
def test_what_has_no_time_is_shown(tmp_path: Path, times: list[Any], trouble: list[str], rows: list[int]) -> None:
    """Without an order one can learn all the same; of single rows the first five are named."""
    columns = {"income": [*range(50)] * 4, "applied_on": times, "repaid": [0, 1] * 100}
    code, found = look(written(tmp_path, columns))

    assert (0, trouble, True) == (code, found["trouble"], found["learnable"])
    assert rows == [row for one in found["deviations"] if one["what"] == "no time, counts as oldest" for row in
                    one["rows"]]  # fmt: skip
    assert [7] * bool(rows) == [one["count"] for one in found["deviations"] if one["column"] == "applied_on"]


@pytest.mark.usefixtures("home")
def test_rows_without_a_label_are_named(tmp_path: Path) -> None:
    """The first five of them, counted from 1 as in a spreadsheet without its heading."""
    labels = [None] * 3 + [0, 1] * 50 + [None] * 4
    code, found = look(written(tmp_path, {"income": [7, *range(53), *range(53)], "repaid": labels}))

    (one,) = found["deviations"]
    assert (0, "no label, left out", 7, [1, 2, 3, 104, 105]) == (code, one["what"], one["count"], one["rows"])
    assert {"0": 50, "1": 50} == found["classes"]
