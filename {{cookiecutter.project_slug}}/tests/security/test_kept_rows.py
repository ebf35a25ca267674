"""What a model keeps of the people it learned from: which kinds keep rows, and that nobody's own value stands alone."""

import inspect
import json
import pickle
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from sklearn.cluster import DBSCAN
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.utils import all_estimators

from player import training
from player.cli import main
from player.config import Settings, load_settings
from player.features import clean_table, to_table
from player.model import saving, store
from player.model.kept_rows import KINDS, kept_by
from player.model.own_training import learn
from player.retraining.dataset import widened
from player.training import Trained, as_rows
from player.trust.allowed import ESTIMATORS
from player.trust.unpickler import names_used

DICE = np.random.default_rng(1)
TABLE = DICE.uniform(1, 9, (60, 3))
TRUTH = (TABLE[:, 0] + TABLE[:, 1] > 10).astype(int)
RICHEST = 87_654_321.0


def fitted(kind: type) -> Any:
    """Return an estimator of this *kind* that has learned from `TABLE`; None when it takes something else."""
    needed: dict[str, Any] = {"estimator": LogisticRegression(), "estimators": [("a", LogisticRegression())]}
    needed |= {"param_grid": {"C": [1.0]}, "param_distributions": {"C": [1.0]}, "steps": needed["estimators"]}
    wanted = {name: value for name, value in needed.items() if name in inspect.signature(kind).parameters}
    try:
        return kind(**wanted).fit(TABLE, TRUTH)
    except (TypeError, ValueError, AttributeError, LookupError):
        return None


def keeps_a_row(model: Any) -> bool:
    """Tell whether the bytes of a row stand in the pickle of *model*."""
    data = pickle.dumps(model)
    return any(row.tobytes() in data for row in TABLE)


def test_every_kind_that_keeps_rows_is_on_the_list() -> None:
    """Each estimator that may be in a pipeline learns from a table; then its pickle is searched for the rows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tried = {name: fitted(kind) for name, kind in all_estimators() if kind.__module__.split(".")[1] in
                 ESTIMATORS.split()}  # fmt: skip
    models = {name: model for name, model in tried.items() if model is not None}
    keeping = {name for name, model in models.items() if keeps_a_row(model)}

    assert len(models) > 100
    assert keeps_a_row(DBSCAN(eps=5).fit(TABLE))  # with its usual distance it finds nothing here
    assert keeping | {"DBSCAN"} == {name for names in KINDS.values() for name in names.split()}


def test_a_pickle_is_judged_without_loading_it() -> None:
    """By the names that it uses, however deep in a pipeline."""
    deep = Pipeline([("a", Pipeline([("b", KNeighborsClassifier())]))])

    assert ["KNeighborsClassifier (nearest neighbours)"] == kept_by(names_used(pickle.dumps(deep)))
    assert [] == kept_by(names_used(pickle.dumps(LogisticRegression())))


@pytest.mark.parametrize(("level", "warned"), [("high", True), ("medium", False)])
def test_training_and_doctor_warn_where_confidentiality_is_high(
    home: Path, trained: Trained, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    level: str, warned: bool,
) -> None:  # fmt: skip
    """The kind is named when a model is saved and by `player doctor`; it is a warning and no refusal."""
    monkeypatch.setenv("PLAYER_RATING__CONFIDENTIALITY", level)
    settings = load_settings("testing")
    rows = to_table(trained.examples, trained.schema)[[f.name for f in trained.schema.features if f.kind == "number"]]
    pipeline = Pipeline([("nearest", KNeighborsClassifier(3))]).fit(rows.fillna(0.0), np.arange(len(rows)) % 2)
    schema = replace(trained.schema, features=tuple(f for f in trained.schema.features if f.kind == "number"))
    examples = json.loads(rows.fillna(0.0).to_json(orient="records"))
    known = replace(trained, pipeline=pipeline, schema=schema, examples=examples, classes=[0, 1])
    store.activate(saving.save(known, settings).version, settings)
    found = json.loads(CliRunner().invoke(main, ["-e", "testing", "doctor", "--json"]).stdout)

    said = next(row for row in found if row["control"] == "no rows in the model")
    assert warned == ("KNeighborsClassifier (nearest neighbours)" in caplog.text)
    assert (not warned, warned, False) == (said["met"], said["warns"], said["required"])


def with_the_richest(table: pd.DataFrame) -> pd.DataFrame:
    """Return *table* in which one applicant earns more than all others."""
    return table.assign(income=table["income"].where(table.index != table.index[-1], RICHEST))


@pytest.mark.parametrize(("level", "kept"), [("high", False), ("medium", True)])
def test_where_confidentiality_is_high_the_richest_is_not_in_the_manifest(
    home: Path, table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, level: str, kept: bool
) -> None:
    """Schema and profile tell the range that ten rows reach; elsewhere the highest value."""
    monkeypatch.setenv("PLAYER_RATING__CONFIDENTIALITY", level)
    found = learn(with_the_richest(table), load_settings("testing"))
    income = next(feature for feature in found.schema.features if feature.name == "income")
    highest = table["income"].nlargest(10).iloc[-2]

    assert kept == ("87654321" in json.dumps([found.schema.to_dict(), found.profile]))
    assert kept or income.high == highest
    assert kept == (found.profile["features"]["income"]["high"] == RICHEST)


def test_with_an_older_training_the_richest_is_not_in_the_manifest_either(
    home: Path, table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One from before `[data].fewest_rows` tells the highest value; what `player train` saves does not."""
    monkeypatch.setenv("PLAYER_RATING__CONFIDENTIALITY", "high")
    settings, train = load_settings("testing"), training.train
    newest = learn(with_the_richest(table), settings)
    careless = settings.model_copy(update={"data": settings.data.model_copy(update={"fewest_rows": 1})})
    monkeypatch.setattr(training, "train", lambda rows, _: train(rows, careless))

    found = learn(with_the_richest(table), settings)

    assert "87654321" in json.dumps(training.train(with_the_richest(table), settings).profile)
    assert newest.schema == found.schema
    assert newest.profile["features"] == found.profile["features"]
    assert found.schema.to_dict() == found.profile["schema"]


def test_retraining_keeps_no_end_of_a_range_either(trained: Trained) -> None:
    """Users are people too."""
    rows = to_table(trained.examples * 2, trained.schema)
    rows.loc[0, "income"] = RICHEST
    high = {fewest: next(f.high for f in widened(trained.schema, rows, fewest).features if f.name == "income")
            for fewest in (1, 2)}  # fmt: skip

    assert RICHEST == high[1] > high[2]


@pytest.mark.parametrize("mixed", [True, False])
def test_examples_are_nobody(trained: Trained, table: pd.DataFrame, settings: Settings, mixed: bool) -> None:
    """A model is tried on rows put together of many: each value is one of the table, no row is.

    Also with an older `training.py`, which hands over rows as they are.
    """
    if not mixed:
        trained = replace(trained, examples=as_rows(clean_table(table.tail(20), trained.schema)))
    columns = [feature.name for feature in trained.schema.features if feature.kind == "number"]
    real = {tuple(row) for row in table[columns].round(6).itertuples(index=False)}
    made = [tuple(round(row[name], 6) if row[name] is not None else None for name in columns)
            for row in saving.save(trained, settings).examples]  # fmt: skip

    assert len(made) == 20
    assert not real & set(made)
    assert all({row[place] for row in made} <= {row[place] for row in real} | {None} for place in range(len(columns)))
