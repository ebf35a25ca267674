"""What each value of one request did to its answer: the model is asked again with one value at a time as usual.

So it works for every pipeline, and is read as it is written: "with a usual income the probability would be 12 points
higher". What two values do together is seen at both of them, so the parts need not add up to the whole.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from player.errors import ModelFailed
from player.features import Schema, clean, to_table
from player.learning.asking import ask, shown
from player.model.answering import Link
from player.monitoring.figures import was_repaired
from player.repair import Value, as_text
from player.storage.columns import printable

LONGEST = 60  # characters of a value
NOT_SENT, NOTHING = "not sent", "missing"
MOST = 200  # features that are looked at


@dataclass(frozen=True)
class Given:
    """One feature of a request: as it came, as the model was asked, its usual value, and what it did.

    *effect* is how far it moved the probability (0 to 1), against its usual value with all else as it is.
    """

    name: str
    came: str
    asked: str
    repaired: bool
    usual: str = ""
    effect: float | None = None


def read_features(raw: Mapping[str, Any], schema: Schema) -> tuple[dict[str, Value], list[Given]]:
    """Return the clean row of a request, and each feature as it came and as the model was asked, those sent first.

    Raises ModelFailed when the features cannot be cleaned.
    """
    try:
        row, warnings = clean(raw, schema)
    except Exception as error:
        raise ModelFailed(f"the features could not be cleaned ({type(error).__name__})") from error
    names = sorted(schema.names, key=lambda name: name not in raw)[:MOST]
    odd = tuple(text for text in warnings if was_repaired([text]))
    repaired = {name for name in names if any(text.startswith(f"{name}: ") for text in odd)}
    return row, [Given(short(name), as_sent(raw, name), as_value(row[name]), name in repaired) for name in names]


def measure_effects(
    row: Mapping[str, Value], profile: Mapping[str, Any], link: Link, seconds: float
) -> tuple[float, dict[str, tuple[str, float]]]:
    """Return the probability of *row*, and for each feature its usual value and how far it moved that probability.

    Raises ModelFailed when the model gives no usable answer within *seconds*.
    """
    classes = link.model.manifest.classes
    usual = {name: usual_value(known) for name, known in profile.get("features", {}).items() if name in row}
    names = list(usual)[:MOST]

    def asked_again() -> tuple[np.ndarray, np.ndarray]:
        table = to_table([row, *({**row, name: usual[name]} for name in names)], link.model.schema)
        return ask(link.model.pipeline, table, classes)

    chosen, proba = link.within(seconds, asked_again)
    # Of the class that was answered, in every row: another one may be the likeliest when a value is changed.
    found = shown(np.full(len(proba), chosen[0]), proba)
    moved = {short(name): (as_value(usual[name]), float(found[0] - one))
             for name, one in zip(names, found[1:], strict=True)}  # fmt: skip
    return float(found[0]), moved


def usual_value(known: Mapping[str, Any]) -> Value:
    """Return what is usual for a feature in training: the median of a number, the commonest category.

    >>> usual_value({"kind": "number", "quantiles": [1.0, 2.0, 9.0]}), usual_value({"kind": "number", "edges": []})
    (2.0, None)
    >>> usual_value({"kind": "category", "shares": {"rent": 0.6, "own": 0.4}})
    'rent'
    """
    if known["kind"] == "number":
        points = known.get("quantiles") or known["edges"]
        return float(points[len(points) // 2]) if points else None
    return max(known["shares"], key=lambda name: known["shares"][name], default=None)


def as_sent(raw: Mapping[str, Any], name: str) -> str:
    """Return what came for the feature *name*, as JSON: so a number and the same number as text differ."""
    return short(json.dumps(raw[name], ensure_ascii=False, default=str)) if name in raw else NOT_SENT


def as_value(value: Value) -> str:
    """Return a clean value as it is shown."""
    return NOTHING if value is None else short(value)


def short(value: Any) -> str:
    """Return a value that a stranger may have sent as short text that can neither drive a terminal nor turn a line."""
    return printable(as_text(value)[:LONGEST])[:LONGEST]
