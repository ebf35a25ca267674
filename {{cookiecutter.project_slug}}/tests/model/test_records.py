"""Who moved which model is written line by line, and each line is signed."""

import json

import pytest

from player.config import Settings
from player.errors import ModelRefused
from player.model import records


def test_records_are_read_in_the_order_they_were_written(settings: Settings) -> None:
    """Before the first one there are none."""
    assert [] == records.read(settings)
    for number in range(3):
        records.append(settings, {"number": number})

    assert [{"number": 0}, {"number": 1}, {"number": 2}] == records.read(settings)


@pytest.mark.parametrize("line", ["", "[]", "{}", "null", '{"record": {}}', "half a li"])
def test_a_line_that_is_no_record_is_named(settings: Settings, line: str) -> None:
    """Those before it are fine, and nothing is believed of the whole."""
    records.append(settings, {"number": 0})
    with records.path_of(settings).open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")

    with pytest.raises(ModelRefused, match=r"line 2 of promotions\.jsonl"):
        records.read(settings)


def test_a_line_is_one_json_object(settings: Settings) -> None:
    """So that every tool can read it."""
    records.append(settings, {"why": "two\nlines"})

    [line] = records.path_of(settings).read_text(encoding="utf-8").splitlines()
    assert {"record", "signature"} == set(json.loads(line))
