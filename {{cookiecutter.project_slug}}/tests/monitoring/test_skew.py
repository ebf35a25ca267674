"""Where one and the same case was read or answered differently, its id finds it."""

import pandas as pd
import pytest
from six_ways import manifest_of

from player.config import Settings
from player.errors import DataError
from player.features import Schema
from player.model.answering import Link
from player.model.fallback import Chain
from player.model.loading import Model
from player.model.predictor import Predictor
from player.monitoring.skew import find_skew
from player.training import Trained


@pytest.fixture(name="predictor")
def _predictor(settings: Settings, trained: Trained) -> Predictor:
    """A predictor with a model that was not saved."""
    predictor = Predictor(settings)
    link = Link(Model(trained.pipeline, manifest_of(trained), Schema.from_dict(trained.schema.to_dict())), 30)
    predictor.chain = Chain((link,), None, 1)
    return predictor


def served(table: pd.DataFrame, predictor: Predictor, **changed: object) -> pd.DataFrame:
    """Return the rows of *table* as they were served, with the features *changed* on their way."""
    rows = table.astype("object").where(table.notna(), None).to_dict("records")
    sent = [{**row, **changed} for row in rows]
    answers = predictor.answer_many(sent)
    return pd.DataFrame(
        {
            "request_id": [str(row["applicant_id"]) for row in rows],
            "features": sent,
            **{name: [getattr(answer, name) for answer in answers] for name in ("pred", "proba", "model")},
        }
    )


def test_what_is_read_alike_has_no_differences(predictor: Predictor, table: pd.DataFrame) -> None:
    """Every case of the file was served, and nothing differs."""
    rows = table.head(30)
    found = find_skew(rows, "applicant_id", served(rows, predictor), predictor)

    assert (30, 30, []) == (found.cases, found.answered, found.differences)


def test_a_feature_that_was_served_otherwise_is_found(
    predictor: Predictor, table: pd.DataFrame, trained: Trained
) -> None:
    """With how often, the first ids and a pair of values; so is the answer that changed with it."""
    number = next(feature.name for feature in trained.schema.features if feature.kind == "number")
    rows = table[table[number] > 10].head(30)
    found = find_skew(rows, "applicant_id", served(rows, predictor, **{number: 3.5}), predictor)

    by_name = {one.what: one for one in found.differences}
    assert {number, "answer"} == set(by_name)
    assert (30, "3.5") == (by_name[number].count, by_name[number].served)
    assert str(rows["applicant_id"].iloc[0]) == by_name[number].ids[0]


def test_a_scored_batch_brings_its_own_answers(predictor: Predictor, table: pd.DataFrame) -> None:
    """They are compared where the same model gave them, and left alone where another one did."""
    rows = table.head(20).reset_index(drop=True)
    there = served(rows, predictor)
    batch = rows.assign(pred=there["pred"], proba=there["proba"] + 0.25, model=there["model"])
    batch.loc[0, "model"] = "another"

    found = find_skew(batch, "applicant_id", there, predictor)

    assert (20, 19) == (found.cases, found.answered)
    assert ["answer"] == [one.what for one in found.differences]
    assert 19 == found.differences[0].count


@pytest.mark.parametrize(("name", "said"), [("nobody", "no column 'nobody'"), ("age", "No request has an id")])
def test_what_cannot_be_joined_is_refused(predictor: Predictor, table: pd.DataFrame, name: str, said: str) -> None:
    """The sentence names the column."""
    rows = table.head(5)

    with pytest.raises(DataError, match=said):
        find_skew(rows, name, served(rows, predictor).assign(request_id="none"), predictor)
