"""What travels over the wire: how a request is read, whatever it holds, and how an answer is written."""

import hashlib
import json
import math
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from flask import Request

from player.repair import MAX_TEXT
from player.settings.sections import Contract
from player.storage.columns import printable

LONGEST_ID = 200
DEEPEST = 5
MOST_KEYS = 500
CUT = "(cut)"
MOST_WARNINGS, LONGEST_WARNING = 100, 300  # in a row


class NotAnObject(Exception):
    """The body is no JSON object; the message says what it is."""


@dataclass(frozen=True)
class Asked:
    """One request for a prediction: its id as it came, the features as they came, and what was odd about them."""

    request_id: str | int
    features: dict[str, Any]
    warnings: list[str] = field(default_factory=list)
    written: bool = False  # as a query, where everything is text

    @property
    def key(self) -> str:
        """The id as the database knows it; 7 and "7" are the same request."""
        return printable(str(self.request_id))

    def under_new_id(self) -> "Asked":
        """Return the same question under an id of our own, with a warning that says so."""
        warning = "request_id: used before for something else, this answer has a new one"
        return replace(self, request_id=str(uuid.uuid4()), warnings=[*self.warnings, warning])


def read_asked(request: Request, contract: Contract, names: Collection[str] = ()) -> Asked:
    """Return what *request* asks; raises NotAnObject when a body cannot be understood as a JSON object.

    *names* are those of the features: where one has a name of the contract's, a query argument means the feature.
    """
    written = request.method == "GET"
    body = read_query(request, contract, names) if written else read_object(request.get_data())
    is_feature = written and contract.request_id in names
    request_id, warnings = read_request_id(None if is_feature else body.pop(contract.request_id, None))
    features: Any = body
    if contract.features and contract.features in body and not (written and contract.features in names):
        features = body[contract.features]
        if not isinstance(features, dict):
            features, warnings = {}, [*warnings, f"{contract.features}: not an object, every feature taken as missing"]
    return Asked(request_id, features, warnings, written)


def read_query(request: Request, contract: Contract, names: Collection[str]) -> dict[str, Any]:
    """Return the query arguments; a `features` argument may hold a JSON object, as on the workshop's slides."""
    body: dict[str, Any] = request.args.to_dict()
    if contract.features in body and contract.features not in names:
        try:
            body[contract.features] = read_object(body[contract.features].encode())
        except NotAnObject:
            body.pop(contract.features)
    return body


def read_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object in *body*; raises NotAnObject when it holds anything else."""
    value = read_json(body)
    if not isinstance(value, dict):
        raise NotAnObject(f"The body is a JSON {type(value).__name__}; an object is needed.")
    return value


def read_json(body: bytes) -> Any:
    """Return the JSON value in *body*: any encoding of JSON, also with NaN, Infinity and endless digits."""
    text = body.decode(json.detect_encoding(body), errors="replace").removeprefix("\ufeff")
    try:
        return json.loads(text, parse_int=read_integer)
    except RecursionError:
        raise NotAnObject("The JSON is nested too deeply.") from None
    except ValueError as error:
        raise NotAnObject(f"The body is not JSON: {error}.") from None


def read_integer(digits: str) -> int | float:
    """Return the integer in *digits*; one too long for Python to read back becomes infinite."""
    return int(digits) if len(digits) <= 400 else math.copysign(math.inf, -1 if digits.startswith("-") else 1)


def read_request_id(value: Any) -> tuple[str | int, list[str]]:
    """Return a usable request id: the given one, or a new one with a warning when it cannot serve as an id."""
    if isinstance(value, str) and 0 < len(value) <= LONGEST_ID:
        return value, []
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**18:
        return value, []
    warnings = [] if value is None else ["request_id: not a short text or integer, a new one was made"]
    return str(uuid.uuid4()), warnings


def same(one: Any, other: Any) -> bool:
    """Tell whether two JSON values are the same, also where they hold NaN."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def storable(value: Any, depth: int = 0) -> Any:
    """Return *value* small enough to keep: long texts cut, deep nesting and endless lists left out."""
    if isinstance(value, str):
        return value[:MAX_TEXT]
    if isinstance(value, Mapping | list) and depth >= DEEPEST:
        return "(nested)"
    if isinstance(value, Mapping):
        return {str(k)[:MAX_TEXT]: storable(v, depth + 1) for k, v in list(value.items())[:MOST_KEYS]}
    if isinstance(value, list):
        return [storable(item, depth + 1) for item in value[:MOST_KEYS]]
    return value


def is_single(value: Any) -> bool:
    """Tell whether *value* is one that a model reads: no list, unless of one such value, and no object."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return not isinstance(value, Mapping | list)


def kept(features: Mapping[str, Any], most: int, names: Collection[str] = ()) -> dict[str, Any]:
    """Return what a row keeps of *features*: what the model reads of them always, and the others up to *most* bytes.

    So a row is read again as the model, whose features are *names*, read it. A checksum of the whole stands beside
    what is left, so that two different requests stay different.
    """
    read = {name for name in names if name in features and is_single(features[name])}
    found = {name: storable(features[name]) for name in features if name in read}
    others: dict[str, Any] = storable({name: features[name] for name in features if name not in read})
    if not others or len(json.dumps(others)) <= most:
        return {**others, **found}
    text = json.dumps({**others, **found})
    room, fitting = most - 200, {}  # 200 for the sentence below
    for name, value in others.items():
        size = len(json.dumps({name: value}))
        if size <= room:
            fitting[name] = value
            room -= size
    sentence = f"of {len(text)} bytes, SHA-256 {hashlib.sha256(text.encode()).hexdigest()}"
    return {**fitting, **found, CUT: sentence}
