"""All that deviates in a table, at once: each kind with its count, up to five rows and an example."""

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from rich.table import Table

from player.reading.columns import Column

MOST_ROWS = 5
VALUE = re.compile(r" \((.*)\)")


@dataclass
class Deviation:
    """One kind of deviation in one column: in how many rows, in which (counted from 1), and an example."""

    column: str
    what: str
    count: int
    rows: list[int]
    example: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return asdict(self)


class Deviations:
    """The deviations of a table, added up while it is read."""

    def __init__(self) -> None:
        """Nothing deviates yet."""
        self.found: dict[tuple[str, str], Deviation] = {}

    def add(self, one: Deviation) -> None:
        """Add *one*; of a kind that is known only the count and the first rows grow."""
        known = self.found.setdefault((one.column, one.what), Deviation(one.column, one.what, 0, [], one.example))
        known.count += one.count
        known.rows = sorted({*known.rows, *one.rows})[:MOST_ROWS]

    def add_warnings(self, warnings: pa.Array, before: int) -> None:
        """Add the *warnings* of some rows, a JSON list of `column: text` for each; *before* rows came earlier."""
        encoded = warnings.dictionary_encode()
        codes = encoded.indices.to_numpy(zero_copy_only=False)
        order = np.argsort(codes, kind="stable")
        starts = np.searchsorted(codes[order], np.arange(len(encoded.dictionary) + 1))
        for code, text in enumerate(encoded.dictionary.to_pylist()):
            places = order[starts[code] : starts[code + 1]]
            rows = [int(place) + before + 1 for place in places[:MOST_ROWS]]
            for warning in json.loads(text):
                column, _, said = warning.partition(": ")
                value = VALUE.search(said)
                self.add(Deviation(column, VALUE.sub("", said), len(places), rows, value[1] if value else ""))

    def add_columns(self, columns: Iterable[Column]) -> None:
        """Add what `read_column` found in the columns of a training table."""
        for column in columns:
            if column.odd:
                self.add(Deviation(column.name, "not a number, taken as missing", column.odd, list(column.rows),
                                   column.example))  # fmt: skip
            for note in column.notes:
                self.add(Deviation(column.name, note, column.cells, []))

    def sorted(self) -> list[Deviation]:
        """Return all kinds, the most frequent first."""
        return sorted(self.found.values(), key=lambda one: (-one.count, one.column, one.what))

    def to_table(self) -> Table:
        """Return them as a table for a terminal."""
        table = Table("column", "what", "rows", "first rows", "example", box=None, header_style="bold", pad_edge=False)
        for one in self.sorted():
            table.add_row(one.column, one.what, f"{one.count:,}", ", ".join(map(str, one.rows)), one.example)
        return table
