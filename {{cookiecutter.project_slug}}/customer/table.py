"""Any labelled CSV as a population: whose rows are asked, and how the same shifts look on it."""

from pathlib import Path

import numpy as np
import pandas as pd

from customer import world
from customer.errors import CustomerError

EVERY = 5  # every fifth row is played; a player who wants an honest score trains on the others
FAR = 0.7  # another population comes from above this quantile
SHIFTS = (world.AS_TRAINED, world.ANOTHER_POPULATION, world.GATHERED_DIFFERENTLY)


def read(path: Path, label: str, drop: tuple[str, ...] = ()) -> pd.DataFrame:
    """Return the labelled rows of a CSV without the columns in *drop*; raises CustomerError when it is no game."""
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise CustomerError(f"{path} cannot be read as a CSV: {str(error).splitlines()[0]}") from None
    for name in (label, *drop):
        if name not in table.columns:
            raise CustomerError(f"{path} has no column {name!r}; it has {', '.join(map(str, table.columns[:12]))}.")
    table = table.dropna(subset=[label]).drop(columns=[*drop]).reset_index(drop=True)
    if table[label].nunique() < 2 or len(table) < 2 * EVERY:
        raise CustomerError(f"{path} needs at least {2 * EVERY} rows with two different values of {label!r} to play.")
    return table


def sample(table: pd.DataFrame, label: str, rng: np.random.Generator, n: int, shift: str) -> pd.DataFrame:
    """Return at most *n* different rows of *table* in file order, changed as *shift* says."""
    rows = table.iloc[EVERY - 1 :: EVERY]
    numeric = main_number(rows, label)
    if numeric is not None and shift == world.ANOTHER_POPULATION:
        rows = rows[rows[numeric] >= rows[numeric].quantile(FAR)]
    chosen = np.sort(rng.permutation(len(rows))[:n])
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
