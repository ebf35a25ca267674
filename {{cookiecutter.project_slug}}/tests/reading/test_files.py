"""Tables are opened as people save them, or refused in one sentence that says what to do."""

import csv
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from player.config import Settings
from player.errors import DataError, TableMissing
from player.reading.files import find_separator, read_batches, read_own_table, read_table

GOOD = "age,income\n42,31000\n24,18000\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_encoding_and_separator_are_recognised(tmp_path: Path, encoding: str, separator: str) -> None:
    """What a spreadsheet writes: with or without a mark at the beginning, cells cut by any usual sign."""
    (tmp_path / "t.csv").write_text(GOOD.replace(",", separator), encoding=encoding)

    assert pd.DataFrame({"age": [42, 24], "income": [31_000, 18_000]}).equals(read_table(tmp_path / "t.csv"))


def test_a_line_that_names_the_separator_is_no_heading(tmp_path: Path) -> None:
    """Some spreadsheets begin with `sep=;`."""
    (tmp_path / "t.csv").write_text("sep=;\n" + GOOD.replace(",", ";"), encoding="utf-8")

    assert ["age", "income"] == list(read_table(tmp_path / "t.csv").columns)


def test_decimal_commas_do_not_hide_the_separator() -> None:
    """1,5;2,5 has two cells."""
    assert ";" == find_separator(["a;b", "1,5;2,5"])


def test_an_unnamed_column_has_one_name_everywhere(tmp_path: Path) -> None:
    """The index of a data frame is `Unnamed: 0`, in training as in a batch."""
    pd.DataFrame({"age": [42, 24]}).to_csv(tmp_path / "t.csv")

    assert ["Unnamed: 0", "age"] == list(read_table(tmp_path / "t.csv").columns)
    assert ["Unnamed: 0", "age"] == next(read_batches(tmp_path / "t.csv")).schema.names


@pytest.mark.parametrize("cell", ["01", "2.50", "1.000", "-0.0", "12345678901234567890", "1e5", "NA", "0.00001"])
def test_a_code_stays_as_it_is_written(tmp_path: Path, cell: str) -> None:
    """A column becomes numbers only where nothing is lost by that."""
    (tmp_path / "t.csv").write_text(f"code\n{cell}\n", encoding="utf-8")

    assert [cell] == read_table(tmp_path / "t.csv")["code"].tolist()


@pytest.mark.parametrize(("cells", "kind"), [("1 -2 0", "int64"), ("1.5 0.0 2.0", "float64"), ("0.5 12.25", "float64")])
def test_plain_numbers_are_numbers(tmp_path: Path, cells: str, kind: str) -> None:
    """For whoever looks at the table in a notebook."""
    (tmp_path / "t.csv").write_text("\n".join(["x", *cells.split()]), encoding="utf-8")

    assert kind == str(read_table(tmp_path / "t.csv")["x"].dtype)


cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=8)


@hypothesis_settings(max_examples=50)
@given(rows=st.lists(st.tuples(cells, cells), min_size=1, max_size=6), separator=st.sampled_from(",;\t|"))
def test_what_was_written_is_read_back(tmp_path: Path, rows: list[tuple[str, str]], separator: str) -> None:
    """Any text in any cell, with quotes where it needs them."""
    with (tmp_path / "t.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=separator, quoting=csv.QUOTE_ALL).writerows([("a", "b"), *rows])

    found = [row for batch in read_batches(tmp_path / "t.csv") for row in batch.to_pylist()]

    assert [{"a": a or None, "b": b or None} for a, b in rows] == found


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.csv", b"", "it is empty"),
        ("t.csv", b"\n\n", "it is empty"),
        ("t.csv", b"a,b\n", "has no rows"),
        ("t.csv", b"a,a\n1,2\n", r"two columns of the same name \('a'\); rename one"),
        ("t.csv", b"a,b\n1,2\n1\n", "a separator, a quote or a decimal comma in this row"),
        ("t.csv", b"a,b\n1,\xe9\n", r"not written in UTF-8 \(line 2\); save it again as UTF-8"),
        ("t.csv", b"a,b\n" + b"1,2\n" * 70_000 + b"1,\xe9\n", "save it again as UTF-8"),
        ("t.parquet", b"PAR1 no", "cannot be read as a table"),
        ("t.xlsx", b"PK", "must be a file that ends in .csv or .parquet"),
        ("t", b"a\n1\n", "must be a file that ends in .csv or .parquet"),
        ("t.csv", None, "does not exist"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, name: str, content: bytes | None, said: str) -> None:
    """One sentence with the file, what is wrong, and the remedy where there is one."""
    if content is not None:
        (tmp_path / name).write_bytes(content)

    with pytest.raises(DataError, match=said) as raised:
        read_table(tmp_path / name)
    assert name in str(raised.value)
    assert "\n" not in str(raised.value)


def test_who_has_lost_the_training_table_is_told_how_it_is_made(settings: Settings) -> None:
    """It is the one table that can be made again."""
    settings.path(settings.data.train).unlink()

    with pytest.raises(TableMissing, match=r"train_data\.csv does not exist\. `customer data` makes"):
        read_own_table(settings)


def test_a_folder_is_no_table(tmp_path: Path) -> None:
    """Also when its name ends like that of a file."""
    (tmp_path / "t.csv").mkdir()

    with pytest.raises(DataError, match="is a folder"):
        read_table(tmp_path / "t.csv")


def test_the_case_of_a_suffix_does_not_matter(tmp_path: Path) -> None:
    """T.CSV is a CSV file."""
    (tmp_path / "T.CSV").write_text(GOOD, encoding="utf-8")
    pq.write_table(pa.table({"age": [42]}), tmp_path / "T.PARQUET")

    assert [2, 1] == [len(read_table(tmp_path / name)) for name in ("T.CSV", "T.PARQUET")]
