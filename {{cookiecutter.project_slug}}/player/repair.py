"""What a cell means: text to number, spelling to category, the rest to missing, each with a warning. Yours to change.

Training, API, batch, retraining and replay all read a value here, so that none of them can read it differently.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

Value = float | str | None

MAX_TEXT = 200
LARGEST = 1e15  # beyond this a number is a mistake in every column we know
NUMBERS = (int, float)
YES, NO = ("true", "yes", "y", "on"), ("false", "no", "n", "off")
MISSING = ("nan", "null", "none")  # of models that were made before the list stood in their schema
DECIMAL, THOUSANDS = "decimal", "thousands"  # what a comma is in a column of numbers
AS_TEXT = "number given as text"
ONE_GROUP = re.compile(r"[-+]?[1-9]\d{0,2}[.,]\d{3}")  # 27,600 and 27.600: is it 27600 or 27.6?
PLAIN = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")
WHOLE = re.compile(r"-?\d{1,15}\.0+")
MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(\.\d+)?")


@dataclass(frozen=True)
class Feature:
    """One column of the model's input: a number in a range, or one of a set of categories.

    *missing* are the words, in lower case, that mean a missing value; *comma* says what a comma was in the numbers of
    the training table, "" when it had none.
    """

    name: str
    kind: str  # "number" or "category"
    low: float = 0.0
    high: float = 0.0
    categories: tuple[str, ...] = ()
    missing: tuple[str, ...] = MISSING
    comma: str = ""

    def __post_init__(self) -> None:
        """Take lists too, as they are read from JSON: an older `features.py` hands them over as they come."""
        for name in ("categories", "missing"):
            if isinstance(given := getattr(self, name), list):
                object.__setattr__(self, name, tuple(given))

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "Feature":
        """Return the feature with these values, as they are read from JSON."""
        return cls(**plain)

    @cached_property
    def known(self) -> dict[str, str]:
        """The categories by their spelling, and by that in lower case where it means only one of them."""
        spellings = Counter(category.strip().casefold() for category in self.categories)
        folded = {name.strip().casefold(): name for name in self.categories}
        alone = {key: name for key, name in folded.items() if spellings[key] == 1}
        return {**alone, **{name: name for name in self.categories}}


def repair(value: Any, feature: Feature, written: bool = False) -> tuple[Value, str]:
    """Return *value* as the model expects it, and what was repaired ("" when nothing was).

    *written*: it comes from where everything is text, a CSV file or a query; a number as text is then no repair.
    """
    if is_fine(value, feature):
        return value if feature.kind == "category" else float(value), ""
    unwrapped = ""
    if isinstance(value, list) and len(value) == 1:
        value, unwrapped = value[0], "taken out of a list"
    if isinstance(value, str):
        value = value[:MAX_TEXT]  # what a row keeps of it: so it is read alike when it is read again
    if value is None or (feature.kind == "category" and value != value):  # noqa: PLR0124 - only NaN is not itself
        return None, "missing"
    if isinstance(value, list | dict):
        return None, "not a single value, taken as missing"
    if isinstance(value, str) and means_missing(value, feature):
        return None, f"no value ({shorten(value.strip())}), taken as missing" if value.strip() else "missing"
    clean_value: Value
    if feature.kind == "category":
        clean_value, warning = to_category(value, feature)
    else:
        clean_value, warning = to_number(value, feature, written)
    return clean_value, warning or unwrapped


def is_fine(value: Any, feature: Feature) -> bool:
    """Tell whether *value* is what training knows, as nearly all are: then nothing else needs to be looked at."""
    if feature.kind == "category":
        return type(value) is str and feature.known.get(value) == value
    return type(value) in NUMBERS and feature.low <= value <= feature.high


def means_missing(text: str, feature: Feature) -> bool:
    """Tell whether *text* is blank or a word for a missing value, and no category that was learned."""
    word = text.strip().lower()
    return not word or (word in feature.missing and text not in feature.known)


def to_number(value: Any, feature: Feature, written: bool = False) -> tuple[float | None, str]:
    """Return *value* as a finite number, or None when there is none in it."""
    if isinstance(value, str):
        number, warning = choose_reading(value, feature, written)
    else:
        number, warning = as_float(value), "true/false taken as 1/0" if isinstance(value, bool) else ""
    if number is None:
        return None, warning or f"not a number ({shorten(value)}), taken as missing"
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


def choose_reading(text: str, feature: Feature, written: bool) -> tuple[float | None, str]:
    """Return the number in *text*, None when there is none, and what was done for it.

    Of two possible numbers it is the one in the range seen in training; where that does not tell, the one that the
    training table would have meant; where that does not tell either, none.

    >>> choose_reading("27,600", Feature("income", "number", 8_000, 90_000), written=False)
    (27600.0, 'number given as text (27,600 is 27600)')
    >>> choose_reading("27,600", Feature("income", "number", 0, 90_000), written=False)
    (None, 'could be two numbers (27600 or 27.6), taken as missing')
    """
    numbers = readings(text, feature.comma)
    fitting = [number for number in numbers if feature.low <= number <= feature.high]
    if len(numbers) > 1 and len(fitting) != 1 and not feature.comma:
        return None, f"could be two numbers ({' or '.join(f'{n:.15g}' for n in numbers)}), taken as missing"
    if not numbers:
        return None, ""
    number = (fitting or numbers)[0]
    if as_float(text) == number:
        return number, "" if written else AS_TEXT
    usual = written and feature.comma and number == numbers[0]
    return number, "" if usual else f"{AS_TEXT} ({shorten(text)} is {number:.15g})"


def readings(text: str, comma: str = "") -> list[float]:
    """Return the numbers that *text* may mean, the likeliest first: none, one, or two where a mark is ambiguous.

    *comma* says what a comma is in this column: decimal, thousands, or "" where nobody knows.

    >>> readings("1.234,5"), readings("1,234.5"), readings(" 42,5 "), readings("yes"), readings("n/a")
    ([1234.5], [1234.5], [42.5], [1.0], [])
    >>> readings("27,600"), readings("27,600", "decimal"), readings("27.600"), readings("27.600", "decimal")
    ([27600.0, 27.6], [27.6, 27600.0], [27.6], [27600.0, 27.6])
    """
    if comma != DECIMAL and PLAIN.fullmatch(text):
        return [float(text)]
    text = text.strip().lower()
    if text in YES or text in NO:
        return [float(text in YES)]
    text = re.sub(r"[\s'_%€$£]", "", text)
    if ONE_GROUP.fullmatch(text) and ("," in text or comma == DECIMAL):
        whole, broken = float(re.sub("[.,]", "", text)), float(text.replace(",", "."))
        return [broken, whole] if "," in text and comma == DECIMAL else [whole, broken]
    if text.rfind(",") > text.rfind(".") and ("." in text or text.count(",") == 1):
        text = text.replace(".", "").replace(",", ".")
    number = as_float(text.replace(",", ""))
    return [] if number is None else [number]


def to_category(value: Any, feature: Feature) -> tuple[str | None, str]:
    """Return *value* as one of the known categories where it is one, else as it came."""
    text = as_text(value)[:MAX_TEXT]
    if text in feature.known:
        exact = feature.known[text] == text
        return feature.known[text], "" if exact and isinstance(value, str) else "category given as another type"
    known = feature.known.get(text.strip().casefold())
    if known is not None:
        return known, "spelling repaired"
    # Half a surrogate pair is valid in JSON, but no text that a table or a database can hold.
    whole = text.encode("utf-8", "replace").decode("utf-8")
    return whole, f"unseen category ({shorten(text)})"


def as_text(value: Any) -> str:
    """Return a category as text; 3.0 and 3 are the same category, as they are in JSON.

    So are a time of a Parquet file, and the same time as CSV files and JSON have it; midnight is the day alone.

    >>> as_text(3.0), as_text(datetime(2026, 3, 1)), as_text("2026-03-01T00:00:00"), as_text("2026-03-01 09:30:00.500")
    ('3', '2026-03-01', '2026-03-01', '2026-03-01 09:30:00.5')
    """
    if isinstance(value, float) and value.is_integer() and abs(value) < LARGEST:
        return f"{value:.0f}"
    if isinstance(value, int) and value.bit_length() > 1000:
        return "a very large number"  # turning 5,000 digits into text is an error in Python
    text = str(value)
    if isinstance(value, str) and WHOLE.fullmatch(text):
        return text.partition(".")[0]
    if isinstance(value, str | datetime) and (moment := MOMENT.fullmatch(text)):
        day, clock, fraction = moment.groups("")
        clock += fraction.rstrip("0").rstrip(".")
        return day if clock == "00:00:00" else f"{day} {clock}"
    return text


def shorten(value: Any) -> str:
    """Return *value* as at most 40 printable ASCII characters, for warnings and logs."""
    return ascii(as_text(value)[:40])[1:-1][:40]


def without_usual(warnings: list[str]) -> list[str]:
    """Return *warnings* without those that are usual where everything is text: a query, a CSV file."""
    return [warning for warning in warnings if not warning.endswith(f": {AS_TEXT}")]
