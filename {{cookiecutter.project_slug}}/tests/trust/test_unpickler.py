"""No foreign program is ever run: what is not on the list is refused before it can do anything."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pickles
import pytest
from sklearn import ensemble, linear_model, model_selection, naive_bayes, neighbors, neural_network, svm, tree
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_selection import SelectKBest
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    QuantileTransformer,
    SplineTransformer,
    StandardScaler,
)

from player import features
from player.config import Settings, load_settings
from player.errors import ModelMissing, ModelRefused
from player.model.files import read_once
from player.training import Trained
from player.trust import provenance, signatures
from player.trust.unpickler import loads, names_used


@pytest.fixture(name="attacks", scope="module")
def _attacks(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    """The marker that an attack would leave, and all attacks."""
    marker = tmp_path_factory.mktemp("attacks") / "marker"
    return marker, pickles.attacks(marker)


@pytest.mark.filterwarnings("ignore")
def test_an_attack_is_refused_and_never_runs(attacks: tuple[Path, dict[str, bytes]]) -> None:
    """Every attack is refused in one line, and nothing of it ran."""
    marker, found = attacks
    for name, data in found.items():
        with pytest.raises(ModelRefused) as refusal:
            loads(data)
        assert not marker.exists(), name
        assert "\n" not in str(refusal.value), name


def test_the_attacks_are_real(tmp_path: Path) -> None:
    """Python's own unpickler runs them: the marker appears, so the test above could fail."""
    command = [sys.executable, "-W", "ignore", pickles.__file__, str(tmp_path)]
    project = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(command, capture_output=True, timeout=120, env=project, cwd=tmp_path, check=True)
    said = json.loads(done.stdout.splitlines()[-1])

    # Some need another system or another version of Python.
    assert len(said["real"]) >= 40, said["not here"]


@pytest.mark.parametrize("path", pickles.names())
def test_a_name_that_no_model_needs_is_refused(path: str) -> None:
    """What could hurt with other arguments, elsewhere, or later is not on the list either."""
    module, name = path.split(":")

    with pytest.raises(ModelRefused, match="which no model needs"):
        loads(pickles.written(pickles.Name(module, name)))


@pytest.mark.parametrize("name", pickles.tricks())
def test_good_names_cannot_be_used_for_something_else(name: str) -> None:
    """Called is only what was fetched by name, and no class or function that others use is changed."""
    before = features.clean.__defaults__
    with pytest.raises(ModelRefused) as refusal:
        loads(pickles.tricks()[name])

    assert "\n" not in str(refusal.value)
    assert before == features.clean.__defaults__ != (1,)
    assert isinstance(features.Schema.names, property)


@pytest.mark.parametrize("name", pickles.broken(b""))
def test_what_is_no_pickle_is_refused(name: str, trained: Trained) -> None:
    """Damaged, cut or foreign bytes end in a refusal, not in a traceback."""
    with pytest.raises(ModelRefused):
        loads(pickles.broken(pickle.dumps(trained.pipeline))[name])


@pytest.mark.filterwarnings("ignore")
def test_flipped_bits_never_run_anything(trained: Trained, attacks: tuple[Path, dict[str, bytes]]) -> None:
    """A model or an attack with a flipped bit is refused or harmless: no bit opens the door to a foreign name."""
    marker, found = attacks
    rng = np.random.default_rng(7)
    for whole in (*[pickle.dumps(trained.pipeline)] * 20, *found.values()):
        for position in rng.integers(0, len(whole), 10):
            flipped = bytearray(whole)
            flipped[position] ^= 1 << rng.integers(0, 8)
            try:
                loads(bytes(flipped))
            except ModelRefused as refusal:
                assert "\n" not in str(refusal)
            assert not marker.exists(), bytes(flipped)[:200]


def grid(**options: Any) -> model_selection.GridSearchCV:
    """Return a search over two models, which is a model itself."""
    return model_selection.GridSearchCV(linear_model.LogisticRegression(), {"C": [0.1, 1.0]}, cv=3, **options)


CLASSIFIERS: dict[str, Any] = {
    "logistic regression": linear_model.LogisticRegression(),
    "logistic regression that chooses": linear_model.LogisticRegressionCV(cv=2, use_legacy_attributes=False),
    "calibrated": CalibratedClassifierCV(linear_model.LogisticRegression(), cv=2),
    "isotonic": CalibratedClassifierCV(naive_bayes.GaussianNB(), method="isotonic", cv=2),
    "gradient boosting (histograms)": ensemble.HistGradientBoostingClassifier(max_iter=5),
    "gradient boosting": ensemble.GradientBoostingClassifier(n_estimators=5),
    "random forest": ensemble.RandomForestClassifier(n_estimators=5),
    "extra trees": ensemble.ExtraTreesClassifier(n_estimators=5),
    "ada boost": ensemble.AdaBoostClassifier(n_estimators=5),
    "bagging": ensemble.BaggingClassifier(n_estimators=3),
    "decision tree": tree.DecisionTreeClassifier(max_depth=3),
    "support vectors": CalibratedClassifierCV(svm.SVC(), cv=2),
    "neighbours (kd tree)": neighbors.KNeighborsClassifier(algorithm="kd_tree"),
    "neighbours (ball tree)": neighbors.KNeighborsClassifier(algorithm="ball_tree", metric="manhattan"),
    "naive Bayes": naive_bayes.GaussianNB(),
    "neural network": neural_network.MLPClassifier((4,), max_iter=20),
    "stochastic gradient": linear_model.SGDClassifier(loss="log_loss"),
    "discriminant analysis": LinearDiscriminantAnalysis(),
    "Gaussian process": GaussianProcessClassifier(1.0 * RBF() + WhiteKernel(), optimizer=None),
    "grid search": grid(scoring="roc_auc"),
    "grid search with a seed": grid(scoring=["accuracy", "neg_log_loss"], refit="accuracy"),
    "chosen threshold": model_selection.TunedThresholdClassifierCV(linear_model.LogisticRegression(), cv=2),
    "voting": ensemble.VotingClassifier(
        [("a", naive_bayes.GaussianNB()), ("b", tree.DecisionTreeClassifier())], voting="soft"
    ),
    "stacking": ensemble.StackingClassifier([("a", naive_bayes.GaussianNB())], cv=2),
}
STEPS: dict[str, Any] = {
    "median imputation": SimpleImputer(strategy="median", add_indicator=True),
    "neighbour imputation": KNNImputer(),
    "polynomials": PolynomialFeatures(2),
    "splines": SplineTransformer(),
    "bins": KBinsDiscretizer(3, quantile_method="averaged_inverted_cdf"),
    "quantiles": QuantileTransformer(n_quantiles=10),
    "selection": SelectKBest(k=2),
    "own function": FunctionTransformer(features.as_given),
    "function of NumPy": FunctionTransformer(np.expm1),
    "columns by kind": ColumnTransformer([("numbers", StandardScaler(), make_column_selector(dtype_include="number"))]),
    "categories": OneHotEncoder(handle_unknown="ignore"),
    "ordinals": OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
}


@pytest.fixture(name="numbers", scope="module")
def _numbers() -> tuple[pd.DataFrame, Any]:
    """A small table of numbers with two classes."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(60, 3)), columns=list("abc"))
    return table, (table["a"] + rng.normal(size=60) > 0).astype(int).to_numpy()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [*CLASSIFIERS, *STEPS])
def test_good_models_load_and_answer_as_before(numbers: Any, name: str) -> None:
    """Every kind of scikit-learn model, in every protocol, passes the list and gives the same probabilities."""
    table, truth = numbers
    model = CLASSIFIERS[name] if name in CLASSIFIERS else make_pipeline(STEPS[name], linear_model.LogisticRegression())
    fitted = make_pipeline(StandardScaler().set_output(transform="pandas"), model).fit(table, truth)
    expected = fitted.predict_proba(table)

    for protocol in (2, 3, 4, 5):
        data = pickle.dumps(fitted, protocol=protocol)
        assert np.array_equal(expected, loads(data, names_used(data)).predict_proba(table))


def test_what_an_own_transformer_remembers_may_be_a_table() -> None:
    """Medians by column, a table by category, an index: what a transformer of ours keeps loads again."""
    table = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"], "c": pd.Categorical(["u", "v"])})
    kept: dict[str, Any] = {
        "table": table,
        "medians": table[["a"]].median(),
        "by": table.groupby("b")["a"].mean(),
        "names": table.columns,
    }
    data = pickle.dumps(kept)

    loaded = loads(data, names_used(data))

    pd.testing.assert_frame_equal(table, loaded["table"])
    pd.testing.assert_series_equal(kept["by"], loaded["by"])


def test_a_name_the_manifest_does_not_list_is_refused(trained: Trained) -> None:
    """Also a harmless name is refused when the manifest of the model does not have it."""
    data = pickle.dumps(trained.pipeline)

    with pytest.raises(ModelRefused, match="does not list"):
        loads(data, names_used(data)[1:])


def test_a_model_that_could_not_be_loaded_again_is_refused_at_once() -> None:
    """A foreign function in a pipeline is noticed when the model is made, with a word on where functions belong."""
    data = pickle.dumps(FunctionTransformer(os.path.join))

    with pytest.raises(ModelRefused, match=r"Functions belong in player/features\.py"):
        names_used(data)


def special_files(folder: Path) -> list[Path]:
    """Return what must not be read as a model: too large a file, a folder, and where there are any, links and pipes."""
    (folder / "file").write_bytes(b"x" * 11)
    found = [folder / "file", folder]
    if os.name == "posix":
        (folder / "link").symlink_to(folder / "file")
        os.mkfifo(folder / "pipe")
        found += [folder / "link", folder / "pipe", Path("/dev/zero")]
    return found


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    """A link, a pipe and a device are refused at once, and a file above the limit too."""
    for path in special_files(tmp_path):
        with pytest.raises(ModelRefused):
            read_once(path, 10)
    with pytest.raises(ModelMissing):
        read_once(tmp_path / "nothing", 10)


@pytest.mark.parametrize("environment", ["acceptance", "production"])
@pytest.mark.parametrize("library", ["python", "scikit-learn", "numpy"])
def test_a_model_of_another_version_is_refused_where_users_are(home: Path, environment: str, library: str) -> None:
    """In acceptance and production another version is refused, and both versions are named."""
    made_with = {**provenance.versions(), library: "0.1"}

    with pytest.raises(ModelRefused, match=rf"{library} 0\.1 \(here "):
        provenance.check_versions(made_with, load_settings(environment), "Model x")


def test_a_model_of_another_version_is_a_warning_while_coding(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """In testing it is a warning."""
    provenance.check_versions({**provenance.versions(), "numpy": "0.1"}, settings, "Model x")

    assert "made with numpy 0.1" in caplog.text


@pytest.mark.parametrize("environment", ["acceptance", "production"])
def test_no_setting_lets_an_unsigned_model_in_where_users_are(home: Path, environment: str) -> None:
    """Not even allow_unsigned: acceptance and production run signed models only."""
    settings = load_settings(environment)
    careless = settings.model_copy(update={"model": settings.model.model_copy(update={"allow_unsigned": True})})

    for signature in ("", "0" * 64, "\ufffd", "\ud800"):
        with pytest.raises(ModelRefused, match="runs approved models only"):
            signatures.check_signature(b"content", "manifest", signature, careless, "Model x")
