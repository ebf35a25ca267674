"""Any labelled CSV as a population: whose rows are asked, and how the same shifts look on it."""

from pathlib import Path

import numpy as np
import pandas as pd

from customer import world
from customer.errors import CustomerError

PLAIN_NUMBER = r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?"
EVERY = 5  # every fifth row is played; a player who wants an honest score trains on the others
FAR = 0.7  # another population comes from above this quantile
SHIFTS = (world.AS_TRAINED, world.ANOTHER_POPULATION, world.GATHERED_DIFFERENTLY)


def read(path: Path, label: str, drop: tuple[str, ...] = ()) -> pd.DataFrame:
    """Return the labelled rows of a CSV without the columns in *drop*; raises CustomerError when it is no game."""
    try:
        table = read_cells(path)
    except (OSError, ValueError) as error:
        raise CustomerError(f"{path} cannot be read as a CSV: {str(error).splitlines()[0]}") from None
    for name in (label, *drop):
        if name not in table.columns:
            raise CustomerError(f"{path} has no column {name!r}; it has {', '.join(map(str, table.columns[:12]))}.")
    table = table.dropna(subset=[label]).drop(columns=[*drop]).reset_index(drop=True)
    if table[label].nunique() < 2 or len(table) < 2 * EVERY:
        raise CustomerError(f"{path} needs at least {2 * EVERY} rows with two different values of {label!r} to play.")
    return table


def read_cells(path: Path) -> pd.DataFrame:
    """Return the cells of a CSV as they are written: plain numbers and true or false as such, all else as text.

    `01` and `NA` are texts; only an empty cell is missing.
    """
    beginning = path.read_bytes()[:4096]
    encoding = "utf-16" if beginning.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    headings = beginning.decode(encoding, "ignore").partition("\n")[0]
    separator = max(",;\t|", key=headings.count)
    texts = pd.read_csv(path, sep=separator, encoding=encoding, dtype=str, keep_default_na=False, na_values=[""])
    return texts.apply(as_plain)


def as_plain(column: pd.Series) -> pd.Series:
    """Return a *column* of texts as numbers or truth values where it holds nothing else."""
    cells = column.dropna()
    if len(cells) and cells.str.fullmatch(PLAIN_NUMBER).all():
        return pd.to_numeric(column)
    if len(cells) and cells.str.lower().isin(["true", "false"]).all():
        return column.map({cell: cell.lower() == "true" for cell in cells.unique()}).astype("object")
    return column.astype("object")


def sample(
    table: pd.DataFrame, label: str, rng: np.random.Generator, n: int, shift: str, place: int = 0, rounds: int = 1
) -> pd.DataFrame:
    """Return at most *n* different rows of *table* in file order, changed as *shift* says.

    The round at *place* of so many *rounds* has rows of its own; those of other rounds come again only when they do
    not suffice.
    """
    rows = table.iloc[EVERY - 1 :: EVERY]
    own = np.random.default_rng(0).permutation(len(rows)) % rounds == place
    numeric = main_number(rows, label)
    if numeric is not None and shift == world.ANOTHER_POPULATION:
        far = rows[numeric] >= rows[numeric].quantile(FAR)
        rows, own = rows[far], own[far]
    order = rng.permutation(len(rows))
    others = ~own[order]
    chosen = np.sort(order[np.argsort(others, kind="stable")][:n])
    rows = rows.iloc[chosen]
    if numeric is not None and shift == world.GATHERED_DIFFERENTLY:  # the unit changes: thousands
        rows = rows.assign(**{numeric: rows[numeric] / 1000})
    return rows


def main_number(table: pd.DataFrame, label: str) -> str | None:
    """Return the name of the numeric feature with the most different values, or None when there is none."""
    numeric = table.drop(columns=label).select_dtypes("number")
    return None if numeric.empty else str(numeric.nunique().idxmax())


def shifts(table: pd.DataFrame, label: str) -> tuple[str, ...]:
    """Return the shifts that can be played with *table*."""
    return SHIFTS if main_number(table, label) is not None else (world.AS_TRAINED,)


def remark(table: pd.DataFrame, requests: int, rounds: int) -> str:
    """Return what must be known to read the score of a game with this *table*."""
    played = len(table.iloc[EVERY - 1 :: EVERY])
    again = f"; the {rounds} rounds ask some of them more than once" if requests * rounds > played else ""
    return (
        f"Every {EVERY}th row is played, {played:,} in all{again}. If the player learned from them as well, "
        "the score is in-sample: better than it will be on rows nobody has seen."
    )
