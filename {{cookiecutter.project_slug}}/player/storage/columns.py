"""How values are written so that SQLite and PostgreSQL hold the same, whatever a request contained."""

import hashlib
import json
import math
import re
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Double, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

LONGEST_TEXT = 500  # PostgreSQL refuses to index more than about 2,700 bytes
_ESCAPED = re.compile(r"\\(\\|0|u[0-9a-f]{4})")


def to_json(value: Any) -> str:
    r"""Return *value* as JSON in plain ASCII: NUL and half characters become escapes; it never fails.

    >>> to_json({"name": "Zoë\x00"})
    '{"name": "Zo\\u00eb\\u0000"}'
    """
    try:
        return json.dumps(value, default=str)
    except (TypeError, ValueError, RecursionError) as error:
        return json.dumps({"not_json": type(error).__name__})


def to_text(text: str) -> str:
    r"""Return *text* as every database can hold and index it; `from_text` gives it back.

    NUL and half characters (which PostgreSQL refuses) and the backslash become escapes. Of a very long text the
    beginning is kept and a checksum of the whole, so that two different ones stay different.

    >>> to_text("a\x00b")
    'a\\0b'
    """
    if not (text.isascii() and "\\" not in text and "\0" not in text):
        text = text.replace("\\", "\\\\").replace("\0", "\\0")
        text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    if len(text) > LONGEST_TEXT:
        checksum = hashlib.sha256(text.encode()).hexdigest()
        text = f"{text[: LONGEST_TEXT - 65]}#{checksum}"
    return text


def printable(text: str) -> str:
    """Return *text* as every database and terminal can hold it: control characters and half characters escaped."""
    return text.encode("unicode_escape").decode("ascii") if not text.isprintable() else text


def from_text(text: str) -> str:
    r"""Return what `to_text` was given, when it was not too long.

    >>> from_text(to_text("a\x00b\\"))
    'a\x00b\\'
    """
    return _ESCAPED.sub(lambda found: _unescape(found[1]), text) if "\\" in text else text


def _unescape(code: str) -> str:
    """Return the character that *code* stands for: a backslash, `0`, or `u` with four digits."""
    return {"\\": "\\", "0": "\0"}.get(code) or chr(int(code[1:], 16))


class SafeText(TypeDecorator[str]):
    """A short text that may come from a stranger."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Escape on the way in, also in a WHERE."""
        return None if value is None else to_text(str(value))

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """Give back what came in."""
        return None if value is None else from_text(value)


class JsonText(TypeDecorator[Any]):
    """Any JSON value, stored as ASCII text: the same bytes in every database."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:
        """Write the value as JSON; None becomes `null`."""
        return to_json(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """Read the JSON; a column that an outer join left empty gives None."""
        return None if value is None else json.loads(value)


class UtcTime(TypeDecorator[datetime]):
    """A point in time, always with the zone UTC; SQLite alone would forget the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn into UTC; a time without a zone is taken as UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the time in UTC."""
        return self.process_bind_param(value, dialect)


class Number(TypeDecorator[float]):
    """A finite number; NaN and infinity become NULL, because SQLite has no NaN."""

    impl = Double
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Dialect) -> float | None:
        """Return *value* when it is finite."""
        return float(value) if value is not None and math.isfinite(value) else None
