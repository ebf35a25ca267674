"""Whether a row, as it was received, is one of the model's table at all."""

from typing import Any

from player.features import Schema


def is_of_table(raw: Any, schema: Schema) -> bool:
    """Tell whether *raw* is a row of this table: it has half of the columns, or half of its own are known here."""
    if not isinstance(raw, dict):
        return False
    others = (*schema.unavailable, *getattr(schema, "left_out", ()))  # the first projects' features.py leaves none out
    asked = sum(name in raw for name in schema.names)
    known = asked + sum(name in raw for name in others)
    return 2 * asked >= len(schema.features) or 2 * known >= len(raw)
