"""No foreign program is ever run: what is not on the list is refused before it can do anything."""

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pickles import attacks, broken
from sklearn import ensemble, linear_model, naive_bayes, neighbors, neural_network, svm, tree
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_selection import SelectKBest
from sklearn.impute import KNNImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OrdinalEncoder,
    PolynomialFeatures,
    QuantileTransformer,
    StandardScaler,
)

from player import features
from player.config import Settings, load_settings
from player.errors import ModelMissing, ModelRefused
from player.model import trust
from player.model.unpickler import loads, names_used
from player.training import Trained

MARKER = Path("marker-of-an-attack")
ATTACKS = attacks(MARKER.absolute())


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_refused_and_never_runs(name: str) -> None:
    """The refusal says which name the pickle wanted, and nothing of it ran."""
    with pytest.raises(ModelRefused) as refusal:
        loads(ATTACKS[name])

    assert not MARKER.exists()
    assert "\n" not in str(refusal.value)


@pytest.mark.filterwarnings("ignore")  # the files that the attacks open are not closed
def test_the_attacks_are_real(tmp_path: Path) -> None:
    """Python's own unpickler would run them: the marker appears, so the tests above could fail."""
    marker = tmp_path / "marker"
    for name in ("protocol 0, exec", "protocol 5, exec", "opcodes os.system", "subprocess.run", "nested pickle"):
        marker.unlink(missing_ok=True)
        pickle.loads(attacks(marker)[name])
        assert marker.exists(), name


@pytest.mark.parametrize("name", broken(b""))
def test_what_is_no_pickle_is_refused(name: str, trained: Trained) -> None:
    """Damaged, cut or foreign bytes end in a refusal, not in a traceback."""
    with pytest.raises(ModelRefused):
        loads(broken(pickle.dumps(trained.pipeline))[name])


def test_flipped_bits_never_run_anything(trained: Trained) -> None:
    """A pickle with a flipped bit is refused, or it is still only numbers: no foreign name gets through."""
    good = pickle.dumps(trained.pipeline)
    rng = np.random.default_rng(7)
    for position in rng.integers(0, len(good), 200):
        flipped = bytearray(good)
        flipped[position] ^= 1 << rng.integers(0, 8)
        try:
            loads(bytes(flipped))
        except ModelRefused as refusal:
            assert "\n" not in str(refusal)


CLASSIFIERS: dict[str, Any] = {
    "logistic regression": linear_model.LogisticRegression(),
    "calibrated": CalibratedClassifierCV(linear_model.LogisticRegression(), cv=2),
    "isotonic": CalibratedClassifierCV(naive_bayes.GaussianNB(), method="isotonic", cv=2),
    "gradient boosting (histograms)": ensemble.HistGradientBoostingClassifier(max_iter=5),
    "gradient boosting": ensemble.GradientBoostingClassifier(n_estimators=5),
    "random forest": ensemble.RandomForestClassifier(n_estimators=5),
    "extra trees": ensemble.ExtraTreesClassifier(n_estimators=5),
    "ada boost": ensemble.AdaBoostClassifier(n_estimators=5),
    "bagging": ensemble.BaggingClassifier(n_estimators=3),
    "decision tree": tree.DecisionTreeClassifier(max_depth=3),
    "support vectors": svm.SVC(probability=True),
    "neighbours (kd tree)": neighbors.KNeighborsClassifier(algorithm="kd_tree"),
    "neighbours (ball tree)": neighbors.KNeighborsClassifier(algorithm="ball_tree"),
    "naive Bayes": naive_bayes.GaussianNB(),
    "neural network": neural_network.MLPClassifier((4,), max_iter=20),
    "stochastic gradient": linear_model.SGDClassifier(loss="log_loss"),
    "discriminant analysis": LinearDiscriminantAnalysis(),
    "voting": ensemble.VotingClassifier(
        [("a", naive_bayes.GaussianNB()), ("b", tree.DecisionTreeClassifier())], voting="soft"
    ),
    "stacking": ensemble.StackingClassifier([("a", naive_bayes.GaussianNB())], cv=2),
}
STEPS: dict[str, Any] = {
    "neighbour imputation": KNNImputer(),
    "polynomials": PolynomialFeatures(2),
    "quantiles": QuantileTransformer(n_quantiles=10),
    "selection": SelectKBest(k=2),
    "own function": FunctionTransformer(features.as_given),
    "columns by kind": ColumnTransformer([("numbers", StandardScaler(), make_column_selector(dtype_include="number"))]),
    "ordinals": OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
}


@pytest.fixture(name="numbers", scope="module")
def _numbers() -> tuple[pd.DataFrame, Any]:
    """A small table of numbers with two classes."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(60, 3)), columns=list("abc"))
    return table, (table["a"] + rng.normal(size=60) > 0).astype(int).to_numpy()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("name", [*CLASSIFIERS, *STEPS])
def test_good_models_load_and_answer_as_before(numbers: Any, name: str, protocol: int) -> None:
    """Every kind of scikit-learn model passes the list and gives the same probabilities."""
    table, truth = numbers
    model = CLASSIFIERS[name] if name in CLASSIFIERS else make_pipeline(STEPS[name], linear_model.LogisticRegression())
    fitted = make_pipeline(StandardScaler().set_output(transform="pandas"), model).fit(table, truth)
    data = pickle.dumps(fitted, protocol=protocol)

    loaded = loads(data, names_used(data))

    assert np.array_equal(fitted.predict_proba(table), loaded.predict_proba(table))


def test_a_name_the_manifest_does_not_list_is_refused(trained: Trained) -> None:
    """Also a harmless name is refused when the manifest of the model does not have it."""
    data = pickle.dumps(trained.pipeline)

    with pytest.raises(ModelRefused, match="does not list"):
        loads(data, names_used(data)[1:])


def test_a_model_that_could_not_be_loaded_again_is_refused_at_once() -> None:
    """A lambda in a pipeline is noticed when the model is made, with a word on where functions belong."""
    data = pickle.dumps(FunctionTransformer(os.path.join))

    with pytest.raises(ModelRefused, match=r"Functions belong in player/features\.py"):
        names_used(data)


@pytest.mark.skipif(os.name != "posix", reason="links and pipes are POSIX files")
def test_only_regular_files_are_read(tmp_path: Path) -> None:
    """A link, a pipe and a device are refused at once, and a file above the limit too."""
    (tmp_path / "file").write_bytes(b"x" * 11)
    (tmp_path / "link").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "pipe")

    for path in (tmp_path / "link", tmp_path / "pipe", Path("/dev/zero"), tmp_path, tmp_path / "file"):
        with pytest.raises(ModelRefused):
            trust.read_once(path, 10)
    with pytest.raises(ModelMissing):
        trust.read_once(tmp_path / "nothing", 10)


@pytest.mark.parametrize("environment", ["acceptance", "production"])
@pytest.mark.parametrize("library", ["python", "scikit-learn", "numpy"])
def test_a_model_of_another_version_is_refused_where_users_are(home: Path, environment: str, library: str) -> None:
    """In acceptance and production another version is refused, and both versions are named."""
    made_with = {**trust.versions(), library: "0.1"}

    with pytest.raises(ModelRefused, match=rf"{library} 0\.1 \(here "):
        trust.check_versions(made_with, load_settings(environment), "Model x")


def test_a_model_of_another_version_is_a_warning_while_coding(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """In testing it is a warning."""
    trust.check_versions({**trust.versions(), "numpy": "0.1"}, settings, "Model x")

    assert "made with numpy 0.1" in caplog.text
