"""A request is understood whatever it holds, or refused with a reason."""

import json
import math

import pytest

from player.web import payload


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a": 1}', {"a": 1}),
        (b'{"a": NaN, "b": -Infinity}', {"a": math.nan, "b": -math.inf}),
        (b'{"a": 1e999}', {"a": math.inf}),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        ('{"a": 1}'.encode("utf-16"), {"a": 1}),
        (b'{"a": "\xff"}', {"a": "\ufffd"}),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b'{"a": ' + b"9" * 5000 + b"}", {"a": math.inf}),
        (b'{"a": -' + b"9" * 5000 + b"}", {"a": -math.inf}),
    ],
)
def test_an_object_is_read_in_any_dress(body: bytes, value: object) -> None:
    """Every encoding of JSON, bare NaN and endless digits are read."""
    assert repr(value) == repr(payload.read_object(body))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not JSON"),
        (b"\x00", "not JSON"),
        (b"age=42", "not JSON"),
        (b'{"a": 1} {"b": 2}', "not JSON"),
        (b"[1, 2]", "a JSON list"),
        (b'"text"', "a JSON str"),
        (b"null", "a JSON NoneType"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_object_is_refused(body: bytes, said: str) -> None:
    """A body that holds no JSON object is refused, saying what it is."""
    with pytest.raises(payload.NotAnObject, match=said):
        payload.read_object(body)


@pytest.mark.parametrize("value", ["a", "7", 7, -3, 10**17])
def test_a_usable_request_id_is_kept(value: str | int) -> None:
    """A short text or an integer is the id, unchanged and of its own type."""
    assert (value, []) == payload.read_request_id(value)


@pytest.mark.parametrize("value", ["", "x" * 201, True, 1.5, [1], {}, 10**18, math.nan])
def test_an_unusable_request_id_is_replaced(value: object) -> None:
    """What cannot serve as an id is replaced by a new one, with a warning."""
    request_id, warnings = payload.read_request_id(value)

    assert len(str(request_id)) == 36
    assert len(warnings) == 1


def test_what_is_kept_of_a_request_is_small() -> None:
    """A megabyte of text and endless nesting are cut before they are stored."""
    deep: dict[str, object] = {}
    for _ in range(1000):
        deep = {"a": deep}

    kept = payload.storable({"text": "x" * 10**6, "list": [1] * 10**6, "deep": deep})

    assert len(json.dumps(kept)) < 5000
