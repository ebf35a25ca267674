"""Whether one and the same case was read and answered alike on two ways: in a file, and as a request."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Group
from rich.table import Table

from player import training
from player.errors import DataError
from player.features import clean, clean_table, to_table
from player.model.predictor import Predictor
from player.reading.labels import same_label
from player.repair import shorten

ANSWER = ("pred", "proba", "model")
MOST_EXAMPLES = 5
SAME = 1e-6  # probabilities are answered with six digits


@dataclass(frozen=True)
class Difference:
    """What differs in one feature, or in the answer: how often, for which ids, and the values of the first one."""

    what: str
    count: int
    ids: list[str]
    in_file: str
    served: str


@dataclass(frozen=True)
class Skew:
    """The cases that are in the file and were served, and all that differs between the two."""

    cases: int
    answered: int  # by the same model on both ways, so that the answers can be compared
    differences: list[Difference]

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return asdict(self)

    def to_text(self) -> Group:
        """Return it for a terminal."""
        head = f"{self.cases:,} cases are in the file and were served, {self.answered:,} answered by the same model."
        if not self.differences:
            return Group(head, "Each was read and answered alike.")
        table = Table("what", "differs in", "in the file", "as served", "first ids", box=None, pad_edge=False)
        for one in self.differences:
            table.add_row(one.what, f"{one.count:,}", one.in_file, one.served, ", ".join(one.ids))
        return Group(head, table)


def find_skew(table: pd.DataFrame, name: str, served: pd.DataFrame, predictor: Predictor) -> Skew:
    """Return where the rows of *table*, with their id in the column *name*, differ from the *served* rows.

    *served* has request_id, features (as received), pred, proba and model. A table that holds pred, proba and model,
    as a batch writes them, brings its answers along; else the current model is asked. Raises DataError when no id is
    in both.
    """
    if name not in table.columns:
        raise DataError(f"The file has no column {name!r}; say with --id which one holds the request ids.")
    schema = predictor.schema
    if schema is None:
        raise DataError("There is no model whose reading could be compared; run `player train`.")
    here = table.assign(request_id=[shorten(value) for value in table[name]]).drop_duplicates("request_id")
    both = here.merge(served, on="request_id", suffixes=("", "_served"))
    if both.empty:
        raise DataError(f"No request has an id from the column {name!r} of the file.")
    ids = both["request_id"].tolist()
    in_file = clean_table(both[[c for c in table.columns if c in both]], schema)
    received = both["features_served" if "features_served" in both else "features"]
    as_served = to_table([clean(each if isinstance(each, Mapping) else {}, schema)[0] for each in received], schema)
    found = [compare_feature(ids, in_file[each], as_served[each]) for each in schema.names]
    answers = compare_answers(both, in_file, predictor)
    found += [Difference("answer", *summary(answers["request_id"].tolist(), answers["differs"].to_numpy(),
                                            answers["in_file"], answers["served"]))]  # fmt: skip
    return Skew(len(both), len(answers), [one for one in found if one.count])


def compare_feature(ids: list[str], one: pd.Series, other: pd.Series) -> Difference:
    """Return in which cases the clean values *one* and *other* of a feature differ."""
    differs = ~((one == other) | (one.isna() & other.isna()))
    return Difference(str(one.name), *summary(ids, differs.to_numpy(), one, other))


def compare_answers(both: pd.DataFrame, clean_rows: pd.DataFrame, predictor: Predictor) -> pd.DataFrame:
    """Return the answers of the same model on both ways, with where they differ."""
    if all(f"{column}_served" in both for column in ANSWER):
        given = both[list(ANSWER)]
        then = both[[f"{column}_served" for column in ANSWER]].set_axis(list(ANSWER), axis="columns")
    else:
        answers = predictor.answer_many(training.as_rows(clean_rows))
        given = pd.DataFrame({column: [getattr(answer, column) for answer in answers] for column in ANSWER})
        then = both[list(ANSWER)]
    same_model = given["model"].astype(str).to_numpy() == then["model"].astype(str).to_numpy()
    alike = np.array([same_label(a, b) for a, b in zip(given["pred"], then["pred"], strict=True)], dtype=bool)
    close = np.abs(given["proba"].astype("float64").to_numpy() - then["proba"].astype("float64").to_numpy()) <= SAME
    texts = ([f"{pred} ({proba:.6g})" for pred, proba in zip(side["pred"], side["proba"], strict=True)]
             for side in (given, then))  # fmt: skip
    in_file, served = texts
    columns = {"request_id": both["request_id"], "differs": ~(alike & close), "in_file": in_file, "served": served}
    found: pd.DataFrame = pd.DataFrame(columns)[same_model].reset_index(drop=True)
    return found


def summary(ids: list[str], differs: np.ndarray, one: pd.Series, other: pd.Series) -> tuple[int, list[str], str, str]:
    """Return count, first ids and first pair of values of what differs."""
    places = np.flatnonzero(differs)
    if not len(places):
        return 0, [], "", ""
    first = places[0]
    return (len(places), [ids[place] for place in places[:MOST_EXAMPLES]],
            shorten(one.iloc[first]), shorten(other.iloc[first]))  # fmt: skip
