"""How an odd value becomes one the model can use: text to number, spelling to category, the rest to missing."""

import math
import re
from dataclasses import dataclass
from typing import Any

Value = float | str | None

MAX_TEXT = 200
LARGEST = 1e15  # beyond this a number is a mistake in every column we know
YES, NO = ("true", "yes", "y", "on"), ("false", "no", "n", "off")


@dataclass(frozen=True)
class Feature:
    """One column of the model's input: a number in a range, or one of a set of categories."""

    name: str
    kind: str  # "number" or "category"
    low: float = 0.0
    high: float = 0.0
    categories: tuple[str, ...] = ()


def repair(value: Any, feature: Feature) -> tuple[Value, str]:
    """Return *value* as the model expects it, and what was repaired ("" when nothing was)."""
    unwrapped = ""
    if isinstance(value, list) and len(value) == 1:
        value, unwrapped = value[0], "taken out of a list"
    if value is None:
        return None, "missing"
    if isinstance(value, list | dict):
        return None, "not a single value, taken as missing"
    clean_value, warning = to_number(value, feature) if feature.kind == "number" else to_category(value, feature)
    return clean_value, warning or unwrapped


def to_number(value: Any, feature: Feature) -> tuple[float | None, str]:
    """Return *value* as a finite number, or None when there is none in it."""
    number, warning = (read_number(value), "number given as text") if isinstance(value, str) else (as_float(value), "")
    if isinstance(value, bool):
        warning = "true/false taken as 1/0"
    if number is None:
        return None, f"not a number ({shorten(value)}), taken as missing"
    if not abs(number) <= LARGEST:  # also catches NaN
        return None, "not a finite, plausible number, taken as missing"
    if not feature.low <= number <= feature.high:
        warning = f"outside the range seen in training ({feature.low:g} to {feature.high:g})"
    return number, warning


def as_float(value: Any) -> float | None:
    """Return *value* as float; an integer too large for one becomes infinity."""
    try:
        return float(value)
    except OverflowError:
        return math.inf
    except (TypeError, ValueError):
        return None


def read_number(text: str) -> float | None:
    """Return the number written in *text*, also with a decimal comma, thousands marks, or as yes and no.

    >>> read_number("1.234,5"), read_number("1,234.5"), read_number(" 42,5 "), read_number("yes")
    (1234.5, 1234.5, 42.5, 1.0)
    """
    text = text[:MAX_TEXT].strip().lower()
    if text in YES or text in NO:
        return float(text in YES)
    text = re.sub(r"[\s'_%€$£]", "", text)
    comma, point = text.rfind(","), text.rfind(".")
    if comma > point >= 0 or (point < 0 and text.count(",") == 1):
        text = text.replace(".", "").replace(",", ".")
    return as_float(text.replace(",", ""))


def to_category(value: Any, feature: Feature) -> tuple[str | None, str]:
    """Return *value* as one of the known categories where it is one, else as it came."""
    text = as_text(value)
    if text in feature.categories:
        return text, "" if isinstance(value, str) else "category given as another type"
    if not text.strip() or text.strip().lower() in ("nan", "null", "none"):
        return None, "empty, taken as missing"
    folded = {known.strip().lower(): known for known in feature.categories}
    known = folded.get(text.strip().lower())
    if known is not None:
        return known, "spelling repaired"
    # Half a surrogate pair is valid in JSON, but no text that a table or a database can hold.
    whole = text[:MAX_TEXT].encode("utf-8", "replace").decode("utf-8")
    return whole, f"unseen category ({shorten(text)})"


def as_text(value: Any) -> str:
    """Return a category as text; 3.0 and 3 are the same category, as they are in JSON."""
    if isinstance(value, float) and value.is_integer() and abs(value) < LARGEST:
        return str(int(value))
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > LARGEST:
        return "a very large number"  # turning 5,000 digits into text is an error in Python
    return str(value)


def shorten(value: Any) -> str:
    """Return *value* as at most 40 printable ASCII characters, for warnings and logs."""
    return ascii(as_text(value)[:40])[1:-1][:40]
