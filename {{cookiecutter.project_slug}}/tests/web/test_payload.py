"""A request is understood whatever it holds, or refused with a reason."""

import json
import math
import tomllib

import pytest
from conftest import PROJECT
from flask import Request
from werkzeug.test import EnvironBuilder

from player.settings.sections import Contract
from player.web import payload

CONTRACT = tomllib.loads((PROJECT / "config" / "base.toml").read_text(encoding="utf-8"))["contract"]


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


def nested(depth: int) -> object:
    """Return a list in a list, *depth* of them around a number."""
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


def test_what_is_small_is_kept_as_it_is() -> None:
    """Five levels, 500 keys or items, 200 characters."""
    small = {"a": [1, 2.5, None, True, "x" * 200], "b": {"c": nested(3)}}

    assert small == payload.storable(small)
    assert nested(5) == payload.storable(nested(5))
    assert payload.storable(nested(6)) != nested(6)
    assert {"a": {"a": {"a": {"a": {"a": "(nested)"}}}}} == payload.storable({"a": {"a": {"a": {"a": {"a": {}}}}}})


def test_what_is_long_is_cut() -> None:
    """Also a key."""
    assert {"x" * 200: ["y" * 200]} == payload.storable({"x" * 300: ["y" * 300]})
    assert 500 == len(payload.storable([0] * 600)) == len(payload.storable({str(i): 0 for i in range(600)}))


def test_digits_become_a_number_while_python_can_read_it_back() -> None:
    """400 of them are an integer, one more is infinite, with its sign."""
    assert 10**399 == payload.read_integer("1" + "0" * 399)
    assert (math.inf, -math.inf) == (payload.read_integer("9" * 401), payload.read_integer("-" + "9" * 400))


def test_without_an_id_a_new_one_is_made_silently() -> None:
    """The customer need not number its requests."""
    (first, warnings), (second, _) = payload.read_request_id(None), payload.read_request_id(None)

    assert ([], False) == (warnings, first == second)


@pytest.mark.parametrize("text", ["x" * 200, -(10**18) + 1, 10**18 - 1])
def test_the_longest_ids_are_kept(text: str | int) -> None:
    """200 characters, or an integer that fits into a column of any database."""
    assert (text, []) == payload.read_request_id(text)


def asked(names: tuple[str, ...] = (), features: str = "features", **request: object) -> payload.Asked:
    """Return what a request asks, under the usual contract with another name for the features."""
    contract = Contract.model_construct(**{**CONTRACT, "features": features})
    return payload.read_asked(Request(EnvironBuilder(**request).get_environ()), contract, names)  # type: ignore[arg-type]


def test_a_query_names_the_features_one_by_one_or_as_an_object() -> None:
    """What is no object is ignored; a feature of that name is that feature."""
    as_object = asked(query_string={"features": '{"age": 42}', "request_id": "a"})

    assert ({"age": 42}, "a", True) == (as_object.features, as_object.request_id, as_object.written)
    assert {"age": "42"} == asked(query_string={"age": "42", "features": "no object"}).features
    assert {"features": "3"} == asked(("features",), query_string={"features": "3"}).features


def test_a_feature_may_be_called_like_the_id() -> None:
    """Then a new id is made: the header names the log lines alone."""
    found = asked(("request_id",), query_string={"request_id": "3"}, headers={"X-Request-ID": "h"})

    assert (36, {"request_id": "3"}) == (len(str(found.request_id)), found.features)


def test_features_that_are_no_object_are_missing() -> None:
    """The answer comes all the same, with a warning; without an envelope the body is the features."""
    odd = asked(method="POST", json={"request_id": 7, "features": [1]})
    plain = asked(features="", method="POST", json={"request_id": 7, "age": 42})

    assert ({}, ["features: not an object, every feature taken as missing"]) == (odd.features, odd.warnings)
    assert ({"age": 42}, 7, "7", []) == (plain.features, plain.request_id, plain.key, plain.warnings)
    assert not plain.written


def test_a_body_may_hold_a_feature_of_the_name_of_the_envelope() -> None:
    """In a body the envelope is meant: only a query has no other way to send such a feature."""
    assert {"features": 3} == asked(("features",), method="POST", json={"features": {"features": 3}}).features


def test_what_cannot_be_printed_is_escaped() -> None:
    """Letters of any script can."""
    assert ("żółw", "a\\nb", "\\ud800") == tuple(map(payload.printable, ("żółw", "a\nb", "\ud800")))
