"""Models of further libraries: refused with the line to add, then loaded signed, answered as they predict."""

from pathlib import Path
from typing import Any

import numpy as np
import pickles
import pytest
from catboost import CatBoostClassifier
from category_encoders import BinaryEncoder, CountEncoder, TargetEncoder, WOEEncoder
from conftest import KEYS
from imblearn.combine import SMOTETomek
from imblearn.ensemble import BalancedRandomForestClassifier, EasyEnsembleClassifier, RUSBoostClassifier
from imblearn.over_sampling import SMOTE, BorderlineSMOTE, RandomOverSampler
from imblearn.pipeline import make_pipeline as make_imbalanced
from imblearn.under_sampling import RandomUnderSampler
from kinds import LOGISTIC, Build, a_table, columns, differences, ends_in, prepared, trained_and_loaded
from lightgbm import LGBMClassifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.pipeline import make_pipeline
from xgboost import XGBClassifier, XGBRFClassifier

from player.config import load_settings
from player.errors import ModelRefused
from player.features import Schema, to_table
from player.learning.asking import ask
from player.model import loading, store
from player.model.fast.rehearsal import odd_rows
from player.retraining.recipes import takes_weights
from player.trust import libraries, provenance
from player.trust.unpickler import loads

ALL = "catboost,category_encoders,imblearn,lightgbm,xgboost"


def sampled(sampler: Any) -> Build:
    """Return what builds a pipeline of imbalanced-learn: *sampler* changes the rows that are learned from."""
    return lambda schema: make_imbalanced(columns(schema), sampler, LOGISTIC)


KINDS: dict[str, tuple[str, Build]] = {
    "XGBoost": ("xgboost", ends_in(XGBClassifier(n_estimators=5, max_depth=2))),
    "XGBoost's forest": ("xgboost", ends_in(XGBRFClassifier(n_estimators=5))),
    "XGBoost, gaps left to it": ("xgboost", lambda schema: make_pipeline(
        columns(schema, fill="passthrough"), XGBClassifier(n_estimators=5))),
    "XGBoost, calibrated": ("xgboost", ends_in(CalibratedClassifierCV(XGBClassifier(n_estimators=5), cv=2))),
    "XGBoost with a threshold": ("xgboost", ends_in(FixedThresholdClassifier(XGBClassifier(n_estimators=5),
                                                                              threshold=0.7))),
    "LightGBM": ("lightgbm", ends_in(LGBMClassifier(n_estimators=5, verbose=-1))),
    "LightGBM, random forest": ("lightgbm", ends_in(LGBMClassifier(
        n_estimators=5, boosting_type="rf", bagging_freq=1, bagging_fraction=0.6, verbose=-1))),
    "LightGBM, gaps left to it": ("lightgbm", lambda schema: make_pipeline(
        columns(schema, fill="passthrough"), LGBMClassifier(n_estimators=5, verbose=-1))),
    "LightGBM, calibrated": ("lightgbm", ends_in(CalibratedClassifierCV(LGBMClassifier(n_estimators=5, verbose=-1),
                                                                       method="temperature", cv=2))),
    "CatBoost": ("catboost", ends_in(CatBoostClassifier(iterations=5, verbose=0, allow_writing_files=False))),
    "SMOTE": ("imblearn", sampled(SMOTE(random_state=0))),
    "SMOTE at the border": ("imblearn", sampled(BorderlineSMOTE(random_state=0))),
    "SMOTE and Tomek links": ("imblearn", sampled(SMOTETomek(random_state=0))),
    "more of the rare": ("imblearn", sampled(RandomOverSampler(random_state=0))),
    "fewer of the many": ("imblearn", sampled(RandomUnderSampler(random_state=0))),
    "balanced forest": ("imblearn", ends_in(BalancedRandomForestClassifier(5, random_state=0))),
    "easy ensemble": ("imblearn", ends_in(EasyEnsembleClassifier(3, random_state=0))),
    "boosted under-sampling": ("imblearn", ends_in(RUSBoostClassifier(n_estimators=3, random_state=0))),
    "target encoder": ("category_encoders", prepared(encode=TargetEncoder())),
    "weight of evidence": ("category_encoders", prepared(encode=WOEEncoder())),
    "binary encoder": ("category_encoders", prepared(encode=BinaryEncoder())),
    "counts of categories": ("category_encoders", prepared(encode=CountEncoder())),
}  # fmt: skip


@pytest.fixture(name="keys", autouse=True)
def _keys(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys of acceptance."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", KINDS)
def test_a_library_that_is_named_answers_as_it_predicts(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """With its name in `[model].libraries` the model is loaded signed, and its version stands in the manifest."""
    library, build = KINDS[name]
    monkeypatch.setenv("PLAYER_MODEL__LIBRARIES", library)
    settings = load_settings("acceptance")

    assert [] == differences(build, a_table(), settings)
    made_with = store.versions(settings)[0].libraries
    assert libraries.LIBRARIES[library].package in made_with


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "plan"),
    [("LightGBM", "trees"), ("LightGBM, random forest", "trees"), ("LightGBM, calibrated", "trees"),
     ("LightGBM, gaps left to it", "trees"),
     ("XGBoost", "classifier"), ("XGBoost, gaps left to it", "classifier"), ("XGBoost, calibrated", "classifier"),
     ("CatBoost", "classifier"), ("balanced forest", "classifier")],
)  # fmt: skip
def test_a_library_has_a_plan(monkeypatch: pytest.MonkeyPatch, name: str, plan: str) -> None:
    """LightGBM's trees are read; what others compute is asked of them, without a table."""
    library, build = KINDS[name]
    monkeypatch.setenv("PLAYER_MODEL__LIBRARIES", library)
    table = a_table()
    pipeline, link = trained_and_loaded(build, table, load_settings("acceptance"))
    link.warm_up()
    assert link.plan is not None
    assert plan == link.plan.kind
    rows = [*odd_rows(link.model.schema, 900)[600:], *link.model.manifest.examples]

    chosen, proba = ask(pipeline, to_table(rows, link.model.schema), link.model.manifest.classes)

    answers = [link.plan.ask(row) for row in rows]
    assert chosen.tolist() == [place for place, _ in answers]
    assert np.abs(proba - [said for _, said in answers]).max() <= 1e-12


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", KINDS)
def test_a_library_that_is_not_named_is_refused_with_the_line_to_add(name: str) -> None:
    """Without the setting the model is not saved, and the refusal says what to write where."""
    library, build = KINDS[name]

    with pytest.raises(ModelRefused, match=rf'write libraries = \["{library}"\] below \[model\] in config/base.toml'):
        trained_and_loaded(build, a_table(), load_settings("acceptance"))


@pytest.mark.filterwarnings("ignore")
def test_the_setting_of_the_environment_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that was saved where the library is named is refused where it is not."""
    monkeypatch.setenv("PLAYER_MODEL__LIBRARIES", "xgboost")
    settings = load_settings("acceptance")
    _, link = trained_and_loaded(KINDS["XGBoost"][1], a_table(), settings)
    without = settings.model_copy(update={"model": settings.model.model_copy(update={"libraries": ()})})

    with pytest.raises(ModelRefused, match="To allow it"):
        loading.load(link.version, without)


@pytest.mark.filterwarnings("ignore")
def test_a_trial_in_its_own_process_knows_the_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real trial, within its limits of memory and time, lets a named library in."""
    monkeypatch.setenv("PLAYER_MODEL__LIBRARIES", ALL)
    settings = load_settings("acceptance")
    for name in ("XGBoost", "LightGBM", "CatBoost", "SMOTE", "target encoder"):
        _, link = trained_and_loaded(KINDS[name][1], a_table(), settings)
        (store.folder(settings) / f"{link.version}.tried").unlink()
        loading.load(link.version, settings)


def test_another_version_of_a_library_is_refused_where_users_are() -> None:
    """The versions of further libraries are compared as scikit-learn's are, also one that is not installed."""
    settings = load_settings("acceptance")
    for package, said in (("xgboost", r"xgboost 0\.1 \(here \d"), ("nosuchthing", r"here not installed")):
        with pytest.raises(ModelRefused, match=said):
            provenance.check_versions({**provenance.versions(), package: "0.1"}, settings, "Model x")


@pytest.mark.parametrize(
    "path",
    ["xgboost.core:DMatrix", "xgboost.sklearn:XGBRegressor", "xgboost:train", "lightgbm.basic:Dataset",
     "lightgbm.engine:train", "catboost.core:Pool", "catboost.utils:read_cd", "imblearn.base:FunctionSampler",
     "imblearn.datasets:fetch_datasets", "category_encoders.hashing:HashingEncoder", "xgboost.sklearn:os",
     "imblearn.pipeline:check_memory", "xgboost.core:ctypes"],
)  # fmt: skip
def test_no_other_name_of_a_library_is_let_in(path: str) -> None:
    """The setting opens what stands in the list, not the package."""
    with pytest.raises(ModelRefused, match="was not loaded"):
        loads(pickles.written(pickles.Name(*path.split(":"))), libraries=ALL.split(","))


@pytest.mark.parametrize("path", ["xgboost.core:Booster", "lightgbm.basic:Booster", "catboost.core:CatBoostClassifier"])
def test_an_object_of_a_library_is_never_made_from_arguments(tmp_path: Path, path: str) -> None:
    """Calling a class could make it read a file: a pickle may only make it empty and fill it."""
    with pytest.raises(ModelRefused, match="which Python does not write"):
        loads(pickles.written(pickles.call(path, str(tmp_path))), libraries=ALL.split(","))


def test_rows_that_a_sampler_changes_are_not_weighed() -> None:
    """Retraining weighs no rows of a pipeline whose sampler makes others of them."""
    assert not takes_weights(sampled(SMOTE())(Schema((), "label")))


def test_every_name_in_the_list_is_a_class_of_its_library() -> None:
    """The list names what there is in the versions that are tested."""
    for library, known in libraries.LIBRARIES.items():
        for module, names in known.names.items():
            for name in names.split():
                assert libraries.class_of(module, name, [library]) is not None, f"{module}.{name}"
                assert libraries.class_of(module, name, []) is None
