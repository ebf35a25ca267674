"""The same raw row is read and answered alike on every way: that training and serving differ is the classic fault."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import PROJECT
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from six_ways import answer_everywhere, differing, read_everywhere, serving, typed_rows

from player.config import Settings
from player.features import Schema, clean, clean_table, read_schema
from player.reading.files import read_table
from player.repair import DECIMAL, THOUSANDS, Feature
from player.training import train

CASES = PROJECT / "tests" / "cases"
LEARNABLE = (
    "bool-label-with-gap", "columns-named-like-answers", "columns-named-like-envelope", "country-na", "day-first-dates",
    "float-label", "index-column", "labels-01-02", "none-is-a-class", "one-text", "thousands",
)  # fmt: skip


@pytest.mark.parametrize("name", LEARNABLE)
def test_a_row_is_read_and_answered_alike_on_six_ways(settings: Settings, tmp_path: Path, name: str) -> None:
    """POST with types, POST with text, GET, CSV batch, Parquet batch and replay: one clean row, one answer."""
    source = CASES / f"{name}.csv"
    trained = train(read_table(source), settings)
    rows = typed_rows(source, most=40)

    read = read_everywhere(rows, trained.schema, tmp_path)
    with serving(trained, settings) as app:
        answers = answer_everywhere(rows, app, tmp_path)

    assert all(clean == read["types"] for clean in read.values()), name
    assert dict.fromkeys(answers, 0) == differing(answers)
    assert len({proba for _, proba in answers["types"]}) > 10


def test_a_time_is_the_same_category_in_parquet_and_in_csv(settings: Settings, tmp_path: Path) -> None:
    """Whatever wrote it: a type of Parquet's, the text that pandas writes, or JSON with a T; midnight is the day."""
    days = pd.to_datetime(["2026-01-01", "2026-02-01", "2026-03-01 09:30:00.5"] * 40, format="ISO8601")
    table = pd.DataFrame({"month": days, "repaid": [0, 1, 1, 0, 1, 0] * 20})
    table.to_csv(tmp_path / "t.csv", index=False)
    table.to_parquet(tmp_path / "t.parquet")
    read = [read_table(tmp_path / f"t.{kind}") for kind in ("csv", "parquet")]
    schemas = [read_schema(one, settings.data) for one in read]

    assert schemas[0] == schemas[1]
    assert {"2026-01-01", "2026-02-01", "2026-03-01 09:30:00.5"} == set(schemas[0].features[0].categories)
    for text in ("2026-02-01", "2026-02-01T00:00:00", "2026-02-01 00:00:00.000"):
        assert ({"month": "2026-02-01"}, []) == clean({"month": text}, schemas[0])
    assert clean_table(read[0], schemas[0]).equals(clean_table(read[1], schemas[1]))


NUMBERS = [
    Feature(f"{comma or 'plain'} {low}", "number", low=low, high=high, comma=comma, missing=("n/a", "-", "none"))
    for comma in ("", DECIMAL, THOUSANDS)
    for low, high in ((0, 90_000), (8_000, 90_000), (-1, 100))
]
KNOWN = ("NA", "Rent", "rent", "5", "True", "é", "-")
SCHEMA = Schema((*NUMBERS, Feature("category", "category", categories=KNOWN, missing=("na", "n/a"))), label="y")
WORDS = [
    "",
    " ",
    "NA",
    "n/a",
    "-",
    "None",
    "null",
    "nan",
    "inf",
    "-inf",
    "true",
    "True",
    "yes",
    "No",
    "rent",
    "RENT ",
    "é",
]
numerals = st.from_regex(r"[-+]?[0-9]{1,6}([.,' ][0-9]{1,3}){0,3}([eE][-+]?[0-9]{1,3})?", fullmatch=True)
days = st.dates().map(str) | st.dates().map(lambda day: f"{day:%d/%m/%Y}")
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
long_texts = st.builds(lambda part, times: part * times, st.sampled_from(["9", "ab", "1,", "é"]), st.integers(90, 300))
written = st.one_of(st.sampled_from(WORDS), numerals, days, texts, long_texts)
plain = st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False)


@hypothesis_settings(max_examples=40)
@example(cells=["1.000"])
@given(cells=st.lists(written, min_size=1, max_size=15) | st.lists(plain, min_size=1, max_size=15))
def test_any_cell_is_read_alike_on_every_way(tmp_path: Path, cells: Sequence[Any]) -> None:
    """Numbers with commas and points, words for missing, truths, any letters, long texts, days."""
    rows = [dict.fromkeys(SCHEMA.names, cell) for cell in cells]

    read = read_everywhere(rows, SCHEMA, tmp_path)

    assert dict.fromkeys(read, read["types"]) == read
