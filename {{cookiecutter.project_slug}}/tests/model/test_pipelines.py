"""What people build is trained, loaded signed in acceptance, and answered as it predicts itself.

A few kinds, each of another sort; `tox -e pipelines` has all of them, and further libraries.
"""

from pathlib import Path

import numpy as np
import pytest
from conftest import KEYS
from kinds import KINDS, a_table, differences, trained_and_loaded
from sklearn import linear_model, model_selection
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline

from player.config import Settings, load_settings
from player.features import Schema
from player.learning.asking import NAME_THE_LIKELIEST, ask, shown

SOME = [
    "calibrated, sigmoid",
    "fixed threshold",
    "tuned threshold",
    "support vectors with Platt's probabilities",
    "boosted histograms, categories by name",
    "random search of distributions",
    "calibrated search",
    "soft voting",
    "words of a text",
]


@pytest.fixture(name="acceptance")
def _acceptance(home: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of acceptance, with its keys."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    return load_settings("acceptance")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", SOME)
def test_a_pipeline_is_answered_as_it_predicts(acceptance: Settings, name: str) -> None:
    """`pred` is what `predict` of the fitted pipeline says, `proba` what `predict_proba` does, also row by row."""
    assert [] == differences(KINDS[name], a_table(), acceptance)


def test_of_three_classes_the_probability_is_that_of_the_named_one() -> None:
    """Where a threshold names another class than the likeliest, the probability answered is the named one's."""
    assert [0.3, 0.6] == shown(np.array([1, 0]), np.array([[0.5, 0.3, 0.2], [0.6, 0.3, 0.1]])).tolist()


@pytest.mark.parametrize("kind", NAME_THE_LIKELIEST)
def test_classifiers_that_are_asked_once_name_the_likeliest_class(kind: type) -> None:
    """Of these `predict` need not be asked: it names the likeliest class, of ties the first."""
    rng = np.random.default_rng(3)
    table, truth = a_table(400)[["z"]], rng.integers(0, 3, 400)
    fitted = kind().fit(table, truth)

    chosen, _ = ask(fitted, table, [0, 1, 2])

    assert fitted.predict(table).tolist() == chosen.tolist()


def test_a_search_keeps_its_distributions_as_text(acceptance: Settings) -> None:
    """What a search drew from is still to be read in the loaded model, and runs nothing."""
    _, link = trained_and_loaded(KINDS["random search of distributions"], a_table(), acceptance)

    drawn = link.model.pipeline.param_distributions

    assert "loguniform(0.01, 10)" == drawn["logisticregression__C"]
    assert not [name for name in link.model.manifest.globals if name.startswith("scipy.stats")]


def test_a_chosen_threshold_reaches_the_accuracy(acceptance: Settings) -> None:
    """The metrics of training are those of the answers the API gives, not of the likeliest class."""

    def careful(schema: Schema) -> Pipeline:
        threshold = model_selection.FixedThresholdClassifier(linear_model.LogisticRegression(), threshold=0.999999)
        return make_pipeline(SimpleImputer(), threshold)

    table = a_table()[["x", "z", "repaid"]]
    _, link = trained_and_loaded(careful, table, acceptance)

    assert link.model.manifest.metrics["accuracy"] == pytest.approx(1 - table["repaid"].mean(), abs=0.02)
