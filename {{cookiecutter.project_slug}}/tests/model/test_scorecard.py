"""The scorecard: the same answers as the pipeline it was made from, or none at all."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, SplineTransformer

from player.config import Settings
from player.features import Schema, as_given, clean_table, to_table
from player.model import loading, saving, store
from player.model.answering import Link
from player.model.scorecard import Scorecard, make_scorecard, odd_rows
from player.training import Trained, build_pipeline


@pytest.fixture(name="features")
def _features(table: pd.DataFrame, trained: Trained) -> pd.DataFrame:
    """The clean training table."""
    return clean_table(table, trained.schema)


def learn(classifier: Any, features: pd.DataFrame, truth: pd.Series, schema: Schema, numbers: Any = None) -> Any:
    """Return a fitted pipeline around *classifier*, with *numbers* as the transformer of numbers."""
    names = {
        kind: [feature.name for feature in schema.features if feature.kind == kind] for kind in ("number", "category")
    }
    preprocessing = ColumnTransformer(
        [
            ("numbers", numbers or SimpleImputer(), names["number"]),
            ("categories", OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=10), names["category"]),
        ]
    )
    return make_pipeline(preprocessing, classifier).fit(features, truth)


def test_the_project_s_model_has_one(trained: Trained) -> None:
    """Whatever a request brings, the scorecard says what the pipeline says."""
    card = make_scorecard(trained.pipeline, trained.schema, trained.examples)
    rows = odd_rows(trained.schema, 2000)[500:]  # others than those it was checked with

    assert card is not None
    said = trained.pipeline.predict_proba(to_table(rows, trained.schema))[:, 1]
    assert np.abs(said - [card.probability(row) for row in rows]).max() < 1e-9


@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_small_and_large_numbers(scale: float, trained: Trained, features: pd.DataFrame, table: pd.DataFrame) -> None:
    """The unit of a column does not matter."""
    number = next(feature for feature in trained.schema.features if feature.kind == "number")
    scaled = features.assign(**{number.name: features[number.name] * scale})
    schema = Schema(
        tuple(
            type(f)(f.name, f.kind, f.low * scale, f.high * scale) if f is number else f
            for f in trained.schema.features
        ),
        "repaid",
    )
    pipeline = build_pipeline(schema).fit(scaled, table["repaid"])

    assert make_scorecard(pipeline, schema, scaled.head(3).to_dict("records")) is not None


SPLINES = make_pipeline(SimpleImputer(), SplineTransformer())
OWN_FUNCTION = make_pipeline(SimpleImputer(), FunctionTransformer(as_given))
WHOLE_NUMBERS = OneHotEncoder(handle_unknown="ignore")
REGRESSION = LogisticRegression(max_iter=50)
NOT_A_SUM = {
    "trees": (HistGradientBoostingClassifier(max_iter=5), None),
    "another function of a number": (REGRESSION, SPLINES),
    "a function of one's own": (REGRESSION, OWN_FUNCTION),
    "a category in a column of numbers": (REGRESSION, make_pipeline(SimpleImputer(), WHOLE_NUMBERS)),
    "isotonic calibration": (CalibratedClassifierCV(REGRESSION, method="isotonic", cv=2), None),
    "an average of models": (CalibratedClassifierCV(REGRESSION, cv=2, ensemble=True), None),
}


@pytest.mark.parametrize("name", NOT_A_SUM)
@pytest.mark.filterwarnings("ignore:lbfgs failed to converge")
def test_another_model_has_none(name: str, trained: Trained, features: pd.DataFrame, table: pd.DataFrame) -> None:
    """What is no sum of known steps is asked as it is."""
    classifier, numbers = NOT_A_SUM[name]
    pipeline = learn(classifier, features, table["repaid"], trained.schema, numbers)

    assert make_scorecard(pipeline, trained.schema, trained.examples) is None


def test_three_classes_have_none(trained: Trained, features: pd.DataFrame) -> None:
    """A scorecard is for two."""
    truth = np.arange(len(features)) % 3
    pipeline = build_pipeline(trained.schema).fit(features, truth)

    assert make_scorecard(pipeline, trained.schema, trained.examples) is None


def test_a_link_uses_it_for_one_row_only(model_settings: Settings) -> None:
    """One row and many give the same answers, from the scorecard and from the pipeline."""
    link = Link(loading.load(store.current_manifest(model_settings).version, model_settings), 5.0)
    link.warm_up()
    examples = link.model.manifest.examples

    assert link.scorecard is not None
    assert link.answer(examples) == [link.answer([example])[0] for example in examples]


def test_a_scorecard_that_fails_leaves_the_answer_to_the_pipeline(model_settings: Settings) -> None:
    """Nothing that is only meant to be fast may cost an answer."""
    link = Link(loading.load(store.current_manifest(model_settings).version, model_settings), 5.0)
    example = link.model.manifest.examples[0]
    expected = link.answer([example])
    link.scorecard = Scorecard(float("nan"), ())

    assert expected == link.answer([example])


def test_a_link_without_one_answers_from_the_pipeline(trained: Trained, model_settings: Settings) -> None:
    """Most models have none."""
    rows = pd.DataFrame(0, index=range(4), columns=trained.schema.names)
    other = Trained(**{**vars(trained), "pipeline": DummyClassifier(strategy="prior").fit(rows, [0, 1, 1, 1])})
    link = Link(loading.load(saving.save(other, model_settings).version, model_settings), 5.0)
    link.warm_up()

    assert link.scorecard is None
    assert (1, 0.75) == (link.answer([{}])[0].pred, link.answer([{}])[0].proba)
