"""When something was: times as people write them, day first or month first, decided over a whole column."""

import pandas as pd

from player.reading.cells import as_arrow, is_number
from player.reading.columns import as_text_column

MOSTLY = 0.95  # of the cells that are there
PARTS = r"^\s*(\d{1,2})[/.\-](\d{1,2})[/.\-](\d{4}|\d{2})(?:[ T]+(\d{1,2}:\d{2}(?::\d{2})?))?\s*$"


def read_times(given: pd.Series) -> tuple[pd.Series, str]:
    """Return *given* as something that sorts by time (rows,), missing where it cannot be read; and what is wrong.

    The second value is "" when all is well; a sentence when no order can be read, and then all times are missing.

    >>> read_times(pd.Series(["31/12/2025", "01/02/2026"]))[0].dt.month.tolist()
    [12, 2]
    >>> read_times(pd.Series(["03/04/2025", "01/02/2026"]))[1]
    'it cannot be told whether 03/04/2025 begins with the day or the month; write 2025-04-03'
    """
    column = as_arrow(given)
    if is_number(column):
        return given.astype("float64"), ""
    if pd.api.types.is_datetime64_any_dtype(given):
        return given, ""
    texts = as_text_column(given).to_pandas().set_axis(given.index).astype("object")
    numbers = pd.to_numeric(texts, errors="coerce")
    if enough(numbers, texts):
        return numbers, ""
    iso = pd.to_datetime(texts, format="ISO8601", errors="coerce", utc=True)
    if enough(iso, texts):
        return iso, ""
    return read_days(texts)


def enough(times: pd.Series, texts: pd.Series) -> bool:
    """Tell whether nearly all *texts* could be read."""
    there = texts.notna() & (texts.astype(str).str.strip() != "")
    return bool(there.any() and times[there].notna().mean() >= MOSTLY)


def read_days(texts: pd.Series) -> tuple[pd.Series, str]:
    """Return times that were written as day, month and year, in the order that all of them allow."""
    parts = texts.str.extract(PARTS)
    first, second = parts[0].astype("float64"), parts[1].astype("float64")
    none = pd.Series(pd.NaT, index=texts.index)
    if not enough(first, texts):
        found = texts.dropna()
        return none, f"times such as {str(found.iloc[0])[:40]!r} cannot be read" if len(found) else "it is empty"
    if (first > 12).any() == (second > 12).any():
        sample = str(texts[first.notna()].iloc[0])
        if (first > 12).any():
            return none, f"days and months change places in it, as in {texts[first > 12].iloc[0]} and " \
                         f"{texts[second > 12].iloc[0]}; write the year first"  # fmt: skip
        day, month, year = parts[first.notna()].iloc[0, :3]
        return none, (f"it cannot be told whether {sample} begins with the day or the month; "
                      f"write {year}-{month:0>2}-{day:0>2}")  # fmt: skip
    day, month = (parts[0], parts[1]) if (first > 12).any() else (parts[1], parts[0])
    year = parts[2].where(parts[2].str.len() == 4, "20" + parts[2])
    clock = parts[3].fillna("00:00")
    written = year + "-" + month.str.zfill(2) + "-" + day.str.zfill(2) + " " + clock
    times = pd.to_datetime(written, format="ISO8601", errors="coerce", utc=True)
    return (times, "") if enough(times, texts) else (none, f"days such as {texts.dropna().iloc[0]} do not exist")
