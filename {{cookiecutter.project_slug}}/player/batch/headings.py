"""Whether a file has the columns that the model asks for; one that is written a little differently is named."""

import logging
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path

from player.errors import DataError

log = logging.getLogger(__name__)


def check_headings(source: Path, given: Sequence[str], wanted: Sequence[str]) -> None:
    """Compare the columns *given* in the file *source* with the features *wanted*; warn of each that is not there.

    Raises DataError when one seems to be there under another spelling, or when none is there: all rows would get the
    same answer.
    """
    absent = [name for name in wanted if name not in given]
    near = {name: found for name in absent if (found := nearest(name, set(given) - set(wanted)))}
    if near:
        pairs = ", ".join(f"{found!r} to {name!r}" for name, found in list(near.items())[:8])
        raise DataError(f"{source} lacks {len(absent)} of the model's columns; rename {pairs}, or leave these out.")
    if len(absent) == len(wanted):
        raise DataError(
            f"{source} has none of the model's columns ({', '.join(wanted[:8])}); its own are {', '.join(given[:8])}."
        )
    if absent:
        log.warning("%s has no column %s: taken as missing in every row", source, ", ".join(absent))


def nearest(name: str, others: Iterable[str]) -> str:
    """Return the heading among *others* that is *name* in another spelling, or "".

    >>> nearest("income", ["INCOME", "age"]), nearest("loan_amount", ["Loan amount"]), nearest("age", ["wage"])
    ('INCOME', 'Loan amount', '')
    """
    folded = {"".join(filter(str.isalnum, other.casefold())): other for other in others}
    own = "".join(filter(str.isalnum, name.casefold()))
    close = [own] if own in folded else get_close_matches(own, folded, 1, cutoff=0.87)
    return folded[close[0]] if close else ""
