"""A pipeline that cannot work is one sentence that says what to change, and the old model stays."""

import time
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from kinds import a_table, columns
from older import FITS
from sklearn import cluster, ensemble, linear_model, model_selection, naive_bayes, neighbors, preprocessing, svm
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline

from player import training
from player.cli import main
from player.config import Settings
from player.errors import PipelineError
from player.features import Schema
from player.learning import fitting
from player.model import store
from player.model.own_training import learn

LOGISTIC = linear_model.LogisticRegression()


class Own(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier of a participant: it answers the same for each row; each kind below breaks one thing."""

    def fit(self, table: Any, truth: Any) -> "Own":
        self.classes_ = np.unique(truth)
        return self

    def predict_proba(self, table: Any) -> Any:
        return np.tile([0.4, 0.6], (len(table), 1))

    def predict(self, table: Any) -> Any:
        return np.full(len(table), self.classes_[1])


def own(**methods: Callable[..., Any]) -> Callable[[Schema], Any]:
    """Return what builds the classifier above with some *methods* replaced."""
    return lambda schema: type("Own", (Own,), methods)()


def forgets_classes(self: Any, table: Any, truth: Any) -> Any:
    return self


def other_classes(self: Any, table: Any, truth: Any) -> Any:
    self.classes_ = np.array(["a", "b"])
    return self


def ends_in(model: Any, *between: Any) -> Callable[[Schema], Any]:
    """Return what builds the usual preparation and *model*."""
    return lambda schema: make_pipeline(columns(schema), *between, model)


def raises(schema: Schema) -> Any:
    raise RuntimeError("no such luck")


def exits(*_: Any) -> Any:
    raise SystemExit(3)


class Elsewhere(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A transformer that stands in another module than those a model may use."""

    def fit(self, table: Any, truth: Any = None) -> "Elsewhere":
        return self

    def transform(self, table: Any) -> Any:
        return table


def local_class(schema: Schema) -> Any:
    class Hidden(Elsewhere):
        pass

    return make_pipeline(columns(schema), Hidden(), LOGISTIC)


def doubled(table: Any) -> Any:
    return table * 2


def numbers(schema: Schema) -> list[str]:
    return [feature.name for feature in schema.features if feature.kind == "number"]


BAD: dict[str, tuple[Callable[[Schema], Any], str]] = {
    "raises": (raises, "build_pipeline in player/training.py failed: RuntimeError: no such luck"),
    "ends the program": (exits, "failed: SystemExit: 3"),
    "asks for another argument": (lambda schema, other: None, "failed: TypeError"),  # type: ignore[dict-item, misc]
    "returns nothing": (lambda schema: None, "returned None; end it with `return`"),
    "returns a class": (lambda schema: linear_model.LogisticRegression, "write LogisticRegression() to make one"),
    "returns a text": (lambda schema: "LogisticRegression", "returned a str, which cannot be fitted"),
    "returns a list of steps": (lambda schema: [("a", LOGISTIC)], "returned a list, which cannot be fitted"),
    "returns a module": (lambda schema: types, "returned a module"),
    "a regressor": (ends_in(linear_model.LinearRegression()), "LinearRegression is a regressor"),
    "a forest of regressors": (ends_in(ensemble.RandomForestRegressor(3)), "is a regressor, and the label is a class"),
    "a search of a regressor": (
        ends_in(model_selection.GridSearchCV(linear_model.Ridge(), {"alpha": [1]}, cv=2)),
        "GridSearchCV is a regressor",
    ),
    "a clusterer": (ends_in(cluster.KMeans(2)), "KMeans is a clusterer"),
    "finds outliers": (ends_in(ensemble.IsolationForest()), "is an outlier detector"),
    "only prepares": (columns, "ColumnTransformer cannot predict; end the pipeline with a classifier"),
    "ends in a transformer": (
        ends_in(preprocessing.StandardScaler()),
        "StandardScaler cannot predict; end the pipeline",
    ),
    "votes hard": (ends_in(ensemble.VotingClassifier([("a", naive_bayes.GaussianNB())])), 'voting="soft"'),
    "support vectors": (ends_in(svm.SVC()), "CalibratedClassifierCV(SVC(…), ensemble=False)"),
    "linear support vectors": (ends_in(svm.LinearSVC()), "CalibratedClassifierCV(LinearSVC(…), ensemble=False)"),
    "ridge": (ends_in(linear_model.RidgeClassifier()), "gives no probabilities"),
    "perceptron": (ends_in(linear_model.Perceptron()), "gives no probabilities"),
    "nearest centroid, searched": (
        ends_in(model_selection.GridSearchCV(linear_model.SGDClassifier(loss="hinge"), {"alpha": [0.1]}, cv=2)),
        "gives no probabilities",
    ),
    "texts into numbers": (lambda schema: LOGISTIC, "encode it before, with OneHotEncoder"),
    "gaps": (
        lambda schema: make_pipeline(ColumnTransformer([("n", "passthrough", numbers(schema))]), LOGISTIC),
        "Put a SimpleImputer before it",
    ),
    "a column that is not there": (
        lambda schema: make_pipeline(ColumnTransformer([("n", SimpleImputer(), ["wage"])]), LOGISTIC),
        "The columns of the table are in the schema",
    ),
    "more folds than rows of a class": (ends_in(CalibratedClassifierCV(LOGISTIC, cv=200)), "Use fewer folds"),
    "more neighbours than rows": (ends_in(neighbors.KNeighborsClassifier(5000)), "KNeighborsClassifier cannot"),
    "a wrong parameter": (ends_in(linear_model.LogisticRegression(C=-1)), "The 'C' parameter"),
    "a warning is an error": (ends_in(linear_model.LogisticRegression(max_iter=1)), "ConvergenceWarning"),
    "an empty pipeline step": (lambda schema: make_pipeline(columns(schema), "nothing"), "cannot"),
    "fit raises": (own(fit=raises), "cannot learn from this table"),
    "fit ends the program": (own(fit=exits), "cannot learn from this table: SystemExit"),
    "forgets its classes": (own(fit=forgets_classes), "learned the classes [] (its classes_)"),
    "learns other classes": (own(fit=other_classes), "learned the classes ['a', 'b']"),
    "answers raise": (own(predict_proba=raises), "cannot answer rows it has learned from"),
    "answers NaN": (own(predict_proba=lambda self, t: np.full((len(t), 2), np.nan)), "probabilities that are none"),
    "answers more than 1": (
        own(predict_proba=lambda self, t: np.full((len(t), 2), 7.0)),
        "probabilities that are none",
    ),
    "answers one column": (own(predict_proba=lambda self, t: np.full((len(t), 1), 1.0)), "of shape (20, 1), not"),
    "answers one row": (own(predict_proba=lambda self, t: np.array([[0.4, 0.6]])), "of shape (1, 2), not (20, 2)"),
    "answers a text": (own(predict_proba=lambda self, t: "yes"), "cannot answer rows it has learned from: ValueError"),
    "answers nothing": (own(predict_proba=lambda self, t: None), "no usable answer"),
    "names a class it has not": (own(predict=lambda self, t: np.full(len(t), 9)), "a class that is not one of its own"),
    "names one class for all": (own(predict=lambda self, t: 1), "its predict gave shape ()"),
    "hangs when it is asked": (own(predict_proba=lambda self, t: time.sleep(60)), "took longer than 1 s"),
    "a lambda inside": (
        ends_in(LOGISTIC, preprocessing.FunctionTransformer(lambda table: table)),
        "write it with def or class at the top of player/features.py",
    ),
    "a class inside a function": (local_class, "write it with def or class at the top of player/features.py"),
    "a transformer from elsewhere": (ends_in(LOGISTIC, Elsewhere()), "transformers there or in player/training.py"),
    "a function from elsewhere": (
        ends_in(LOGISTIC, preprocessing.FunctionTransformer(doubled)),
        "Functions belong in player/features.py",
    ),
}


@pytest.fixture(name="small")
def _small(model_settings: Settings) -> Settings:
    """A project with a current model and a small training table."""
    a_table(120).to_csv(model_settings.home / "data" / "train_data.csv", index=False)
    return model_settings


@pytest.mark.parametrize("name", BAD)
def test_a_pipeline_that_cannot_work_keeps_the_old_model(
    small: Settings, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """`player train` says in one line what is wrong and what to do, exits with 1, and changes nothing.

    With an older `training.py`, which fits by itself, the line says less.
    """
    build, said = BAD[name]
    monkeypatch.setattr(training, "build_pipeline", build)
    if "hangs" in name:
        monkeypatch.setenv("PLAYER_MODEL__TRIAL_SECONDS", "1")
    before = store.pointer(small), len(store.versions(small))

    result = CliRunner().invoke(main, ["-e", "testing", "train"])

    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit)
    assert said in result.stderr or not FITS
    assert 1 == len([line for line in result.stderr.splitlines() if line.startswith("Error: ")])
    assert "Traceback" not in result.output
    assert before == (store.pointer(small), len(store.versions(small)))


def test_a_pipeline_that_fails_on_rows_it_has_not_seen_is_refused(settings: Settings) -> None:
    """An encoder that raises at a category it has not seen would fail in production; training says so first."""
    table = a_table(200)
    table["colour"] = ["red"] * 190 + [f"shade {number}" for number in range(10)]

    def strict(schema: Schema) -> Any:
        return make_pipeline(columns(schema, encode=preprocessing.OneHotEncoder()), naive_bayes.BernoulliNB())

    said = "BernoulliNB cannot answer rows it has not seen: .*handle_unknown" if FITS else "handle_unknown"
    with pytest.MonkeyPatch.context() as patch, pytest.raises(PipelineError, match=said):
        patch.setattr(training, "build_pipeline", strict)
        learn(table, settings)


def test_the_line_of_the_participants_code_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error in the participant's own file names the file and the line; deep in a library, the last line of ours."""
    monkeypatch.setattr(training, "OneHotEncoder", None)
    with pytest.raises(PipelineError, match=r"\(player/training\.py, line \d+\)"):
        fitting.build(training.build_pipeline, Schema((), "label"))


@pytest.mark.parametrize(
    ("names", "place"),
    [(["player/training.py", "player/features.py", "lib/it.py"], " (player/features.py, line 1)"),
     (["player/features.py", "player/training.py"], " (player/training.py, line 1)"),
     (["player/other.py", "lib/training.py"], "")],
)  # fmt: skip
def test_the_last_line_that_is_the_participants_is_named(names: list[str], place: str) -> None:
    """Not one of another file of this project, nor one of that name elsewhere."""
    call = "raise ValueError('no')"
    for name in reversed(names):
        call = f"exec(compile({call!r}, {name!r}, 'exec'))"
    try:
        exec(call)
    except ValueError as error:
        assert f"ValueError: no{place}. Change" in fitting.explain(error)
    else:
        pytest.fail("nothing was raised")


def test_a_mistake_elsewhere_in_training_is_told_in_a_sentence(
    small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a participant's `train` raises is one line too, also without the helpers of this project."""
    monkeypatch.setattr(training, "split", raises)

    result = CliRunner().invoke(main, ["-e", "testing", "train"])

    assert result.exit_code == 1
    assert "player/training.py cannot train: " in result.stderr


def test_a_long_fit_says_that_it_is_still_at_work(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody who waits is told that it goes on, and how to stop."""
    monkeypatch.setattr(fitting, "LONG_SECONDS", 0.01)

    def slow(self: Any, table: Any, truth: Any) -> Any:
        while not caplog.records:
            time.sleep(0.01)
        return Own.fit(self, table, truth)

    fitting.fit(own(fit=slow), Schema((), "label"), pd.DataFrame({"x": [1, 2]}), np.array([0, 1]))

    assert "is still learning; Ctrl-C stops it, and the old model stays" in caplog.text
