"""What a label means: which class a value is, however it was written down or sent."""

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from player.errors import DataError
from player.reading.cells import as_arrow, unique
from player.repair import as_text, shorten

TRUE, FALSE = "true", "false"
WHOLE_NUMBER = re.compile(r"-?(0|[1-9]\d{0,17})")
ANY_NUMBER = re.compile(r"-?\d+\.\d+|-?\d+(\.\d+)?[eE][-+]?\d+")
MOST_CLASSES, FEWEST_ROWS = 100, 5


def key_of(value: Any) -> str:
    """Return the form under which equal labels are equal: 1, 1.0, "1" and "1.0" are, "01" is another.

    >>> [key_of(value) for value in (1, 1.0, "1.0", "01", True, " Paid ", 2.5)]
    ['1', '1', '1', '01', 'true', 'paid', '2.5']
    """
    return as_text(value.item() if isinstance(value, np.generic) else value).strip().casefold()


class Labels:
    """Maps labels to the classes of a model, or to nothing; the same everywhere a label is read."""

    def __init__(self, classes: Iterable[Any]) -> None:
        """Know *classes*, the values a model can answer."""
        self.classes = tuple(classes)
        self.by_key = {key_of(one): one for one in self.classes}
        if set(self.by_key) in ({"0", "1"}, {TRUE, FALSE}):  # then true is 1, and 0 is false
            for truth, number in ((TRUE, "1"), (FALSE, "0")):
                both = {truth, number} & set(self.by_key)
                self.by_key |= {name: self.by_key[next(iter(both))] for name in (truth, number)}

    def read(self, label: Any) -> Any:
        """Return the class that *label* means, None when it is no class of the model.

        >>> [Labels([0, 1]).read(label) for label in (1, "1.0", True, "yes", 2, None)]
        [1, 1, 1, None, None, None]
        """
        return None if isinstance(label, list | dict) else self.by_key.get(key_of(label))

    def read_all(self, labels: pd.Series) -> pd.Series:
        """Return *labels* (rows,) as classes of dtype object, None where there is no label or one of no class."""
        found = [None if label is None else self.read(label) for label in labels]
        return pd.Series(found, index=labels.index, dtype="object", name=labels.name)


@cache
def labels_of(classes: tuple[Any, ...]) -> Labels:
    """Return the reader of these *classes*, made once."""
    return Labels(classes)


def same_label(one: Any, other: Any) -> bool:
    """Tell whether two labels are the same one, whatever their type."""
    return key_of(one) == key_of(other)


def read_label_column(table: pd.DataFrame | pd.Series, name: str) -> pd.Series:
    """Return the label column *name* of *table* as classes (rows,), None where a cell is empty; raises DataError.

    A `training.py` that is older than the rest of the project hands over the column alone.
    Labels are taken as they are written: whole numbers become numbers, true and false truth values, all else stays
    text: `01` is not 1, and `None` and `NA` are words like others.
    """
    table = pd.DataFrame({name: table}) if isinstance(table, pd.Series) else table
    if name not in table.columns:
        found = ", ".join(map(repr, map(str, table.columns[:8])))
        raise DataError(f"There is no column {name!r} to learn (found {found} …); name it with --label or in [data].")
    column = as_arrow(table[name])
    if pa.types.is_nested(column.type):
        raise DataError(
            f"The label column {name!r} holds no single values ({column.type}); a label is one word or number."
        )
    values, places = unique(column)
    texts = [None if value is None or not as_text(value).strip() else as_text(value) for value in values]
    written = {text for text in texts if text is not None}
    if any(ANY_NUMBER.fullmatch(text) for text in written) and all(is_number(text) for text in written):
        raise DataError(
            f"The label column {name!r} holds numbers with fractions ({', '.join(sorted(written)[:3])}): a number "
            f"cannot be predicted here. If they are classes, write them as words, for example grade {min(written)}."
        )
    convert: Any = str
    if all(WHOLE_NUMBER.fullmatch(text) for text in written):
        convert = int
    elif {text.lower() for text in written} <= {TRUE, FALSE}:
        convert = {TRUE: True, FALSE: False}.__getitem__
        texts = [text and text.lower() for text in texts]
    classes = np.array([None if text is None else convert(text) for text in texts], dtype="object")
    return pd.Series(classes[places] if len(classes) else [], index=table.index, dtype="object", name=name)


def is_number(text: str) -> bool:
    """Tell whether *text* is a plain number."""
    return bool(WHOLE_NUMBER.fullmatch(text) or ANY_NUMBER.fullmatch(text))


def check_classes(labels: pd.Series, name: str) -> None:
    """Raise DataError unless *labels* hold at least two classes that can be learned."""
    counts = labels.value_counts()
    if len(counts) < 2:
        only = f"only the value {counts.index[0]!r}" if len(counts) else "no value"
        raise DataError(f"The label column {name!r} holds {only}; two classes are needed to learn from.")
    if len(counts) > MOST_CLASSES:
        raise DataError(f"The label column {name!r} holds {len(counts)} values; it must be a class, not a number.")
    if counts.min() < FEWEST_ROWS:
        raise DataError(f"The class {counts.idxmin()!r} of {name!r} has {counts.min()} rows; {FEWEST_ROWS} are needed.")


def known_labels(rows: pd.DataFrame, classes: Iterable[Any]) -> tuple[pd.DataFrame, str]:
    """Return *rows* with their `label` as one of *classes*, None for what is none of them; and a sentence about those.

    Without *classes* nobody knows, and the labels stay as they are.
    """
    names = tuple(classes)
    if not names:
        return rows, ""
    labels = labels_of(names).read_all(rows["label"].astype("object").where(rows["label"].notna(), None))
    strange = rows["label"].notna() & labels.isna()
    if not strange.any():
        return rows.assign(label=labels), ""
    example = shorten(rows.loc[strange, "label"].iloc[-1])
    sentence = (f"{strange.sum():,} labels are no class of the model ({', '.join(map(str, names[:5]))}), "
                f"for example {example}; they count nowhere.")  # fmt: skip
    return rows.assign(label=labels), sentence
