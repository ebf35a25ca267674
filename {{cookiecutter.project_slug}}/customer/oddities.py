"""What can be odd about a request: values of the wrong kind, columns that are missing, extra or in another order.

"Expect the unexpected": nothing here is an attack, all of it has been sent by somebody's front end one day.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Features = dict[str, Any]
ODD_VALUES_AT_MOST = 3
NOTHING_AT_ALL = 0.02  # share of odd requests with an empty object


def with_thousands(value: Any) -> str:
    """Write a number as many Europeans do.

    >>> with_thousands(31000.5)
    '31.000,5'
    """
    return f"{value:,}".translate(str.maketrans(",.", ".,"))


FOR_ANY: dict[str, Callable[[Any], Any]] = {
    "null": lambda value: None,
    "empty text": lambda value: "",
    "text for nothing": lambda value: "N/A",
    "true": lambda value: True,
    "true as text": lambda value: "yes",
    "NaN": lambda value: math.nan,
    "Infinity": lambda value: -math.inf,
    "in a list": lambda value: [value],
    "a list": lambda value: [1, 2, 3],
    "nested": lambda value: {"value": value, "unit": "?"},
    "long text": lambda value: "x" * 5_000,
    "control characters": lambda value: "\x00\n\x1b[31m\ud800",
}
FOR_NUMBERS: dict[str, Callable[[Any], Any]] = {
    "number as text": str,
    "number with a comma": with_thousands,
    "number with a unit": lambda value: f" {value} EUR",
    "400 digits": lambda value: int("9" * 400),
    "out of range": lambda value: -1e300,
}
FOR_CATEGORIES: dict[str, Callable[[Any], Any]] = {
    "unseen category": lambda value: "something new",
    "number for a category": lambda value: 7,
    "other spelling": lambda value: f"  {value.upper()} ",
    "other alphabet": lambda value: "постоянная работа 常勤",
}


def make_odd(rng: np.random.Generator, features: Features) -> Features:
    """Return *features* with one to three odd values, and perhaps with odd columns. Never changes its argument."""
    if rng.random() < NOTHING_AT_ALL:
        return {}
    odd = dict(features)
    how_many = int(rng.integers(1, ODD_VALUES_AT_MOST + 1))
    for name in rng.permutation(list(odd))[:how_many].tolist():
        odd[name] = odd_value(rng, odd[name])
    return odd_columns(rng, odd)


def odd_value(rng: np.random.Generator, value: Any) -> Any:
    """Return something odd in place of *value*."""
    ways = list(FOR_ANY.values())
    if isinstance(value, int | float):
        ways += FOR_NUMBERS.values()
    elif isinstance(value, str):
        ways += FOR_CATEGORIES.values()
    return ways[int(rng.integers(len(ways)))](value)


def odd_columns(rng: np.random.Generator, features: Features) -> Features:
    """Return *features* with a column left out, with columns added, in another order, or as they are."""
    match int(rng.integers(4)):
        case 0:
            left_out = list(features)[int(rng.integers(len(features)))]
            return {name: value for name, value in features.items() if name != left_out}
        case 1:
            return {"__proto__": {"admin": True}, **features, "pred": 1, "Ünïcode column": "☃"}
        case 2:
            return {name: features[name] for name in rng.permutation(list(features)).tolist()}
    return features
