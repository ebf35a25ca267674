"""All that deviates is counted by kind, over any number of batches, with the first rows and an example."""

import json

import pyarrow as pa

from player.reading.deviations import Deviation, Deviations


def test_warnings_are_added_up_over_batches() -> None:
    """The same warning with another value is the same kind; rows are counted from 1 over the whole file."""
    found = Deviations()
    for before, cell in ((0, "x"), (2, "y")):
        texts = [json.dumps([f"age: not a number ({cell}), taken as missing", "home: missing"]), "[]"]
        found.add_warnings(pa.array(texts), before)

    assert [
        Deviation("age", "not a number, taken as missing", 2, [1, 3], "x"),
        Deviation("home", "missing", 2, [1, 3]),
    ] == found.sorted()


def test_every_kind_is_there_the_most_frequent_first_with_five_rows() -> None:
    """Not the first, not ten: every one."""
    found = Deviations()
    for column in range(30):
        found.add(Deviation(f"c{column}", "missing", 1, [column + 1]))
    for row in range(9):
        found.add(Deviation("often", "missing", 1, [9 - row]))

    assert 31 == len(found.sorted())
    assert Deviation("often", "missing", 9, [1, 2, 3, 4, 5]) == found.sorted()[0]
