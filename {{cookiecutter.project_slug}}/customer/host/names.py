"""How a player may be called: any text that can be read, once."""

import unicodedata

from customer.errors import CustomerError

LONGEST_NAME = 40


def clean(name: str) -> tuple[str, str]:
    """Return a name as it is shown, and the form by which two equal ones are known.

    >>> clean("  Team   Zoë ")
    ('Team Zoë', 'team zoë')
    """
    text = "".join(each if each.isprintable() else " " for each in unicodedata.normalize("NFC", name))
    text = " ".join(text.split())
    if not text:
        raise CustomerError("A player needs a name.")
    if len(text) > LONGEST_NAME:
        raise CustomerError(f"The name {text[:20]!r}… is longer than {LONGEST_NAME} characters.")
    return text, unicodedata.normalize("NFKC", text).casefold()
