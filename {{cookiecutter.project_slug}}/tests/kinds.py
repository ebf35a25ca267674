"""Kinds of pipelines that people bring, each a function of the schema as `build_pipeline` is."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn import (
    discriminant_analysis,
    ensemble,
    feature_selection,
    gaussian_process,
    impute,
    linear_model,
    model_selection,
    multiclass,
    naive_bayes,
    neighbors,
    neural_network,
    preprocessing,
    svm,
    tree,
)
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction import FeatureHasher
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.kernel_approximation import Nystroem, RBFSampler
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.random_projection import GaussianRandomProjection
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier

from player import training
from player.config import Settings
from player.errors import ModelRefused
from player.features import Schema, as_given, clean_table
from player.model import loading, saving, store
from player.model.answering import Link
from player.model.manifests import Manifest
from player.reading.cells import with_codes
from player.trust.examination import examine

Build = Callable[[Schema], Any]
LOGISTIC = linear_model.LogisticRegression(max_iter=500)


def a_table(rows: int = 300) -> pd.DataFrame:
    """Return a table with gaps, two columns of numbers and two of texts, two classes."""
    rng = np.random.default_rng(11)
    table = pd.DataFrame({"x": rng.normal(size=rows), "z": rng.integers(0, 40, rows).astype("float64")})
    table["colour"] = rng.choice(["red", "green", "blue"], rows)
    table["said"] = rng.choice(["quite good", "rather bad", "good and cheap", "bad"], rows)
    table["repaid"] = (table["x"] + (table["colour"] == "red") + 0.7 * rng.normal(size=rows) > 0.3).astype(int)
    table.loc[rng.random(rows) < 0.1, ["x", "colour"]] = np.nan
    return table


def try_here(data: bytes, manifest: Any, limits: Any) -> None:
    """Try a model in this process: quicker than in one of its own, and it is ours."""
    refusal = examine(data, {**manifest, "further": limits.libraries})
    if refusal:
        raise ModelRefused(refusal)


def trained_and_loaded(build: Build, table: pd.DataFrame, settings: Settings) -> tuple[Any, Link]:
    """Return the pipeline that `player train` makes of *table* with *build*, and the model as it is loaded again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "build_pipeline", build)
        patch.setattr(loading, "try_model", try_here)
        trained = training.train(table, settings)
        model = loading.load(saving.save(trained, settings).version, settings)
    return trained.pipeline, Link(model, seconds=60)


def trained_and_saved(build: Build, table: pd.DataFrame, settings: Settings) -> tuple[Manifest, bytes]:
    """Return manifest and pickle of the pipeline that `player train` makes of *table* with *build*, not tried yet."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "build_pipeline", build)
        patch.setattr(loading, "try_once", lambda *_: None)
        manifest = saving.save(training.train(table, settings), settings)
    return store.verify(manifest.version, settings)


def differences(build: Build, table: pd.DataFrame, settings: Settings) -> list[str]:
    """Return where the loaded model of *build* answers otherwise than its pipeline: 200 rows at once, ten alone."""
    pipeline, link = trained_and_loaded(build, table, settings)
    rows = clean_table(table.head(200), link.model.schema)
    expected, proba = pipeline.predict(rows).tolist(), pipeline.predict_proba(rows)
    chosen = [list(pipeline.classes_).index(name) for name in expected]
    shown = proba[:, 1] if proba.shape[1] == 2 else proba[np.arange(len(rows)), chosen]
    preds, probas = link.named(*link.predict_table(with_codes(rows)))
    link.warm_up()
    alone = [answer for raw in table.head(10).to_dict("records") for answer in link.answer([raw])]
    found = {
        "pred": expected != preds,
        "kind of pred": {type(name) for name in expected} != {type(name) for name in preds},
        "proba": not np.allclose(shown, probas, atol=1e-6),
        "pred of a single row": expected[:10] != [answer.pred for answer in alone],
        "proba of a single row": not np.allclose(shown[:10], [answer.proba for answer in alone], atol=1e-6),
    }
    return [what for what, differs in found.items() if differs]


def names(schema: Schema, kind: str) -> list[str]:
    """Return the names of the columns of one *kind*."""
    return [feature.name for feature in schema.features if feature.kind == kind]


def columns(schema: Schema, scale: Any = None, encode: Any = None, fill: Any = None) -> ColumnTransformer:
    """Return the usual preparation: numbers filled and scaled, categories encoded; no gaps, no sparse matrix."""
    fill = fill or impute.SimpleImputer(strategy="median")
    encode = encode or preprocessing.OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    text = impute.SimpleImputer(strategy="constant", fill_value="(missing)")
    return ColumnTransformer([
        ("numbers", make_pipeline(fill, scale or preprocessing.StandardScaler()), names(schema, "number")),
        ("categories", make_pipeline(text, encode), names(schema, "category")),
    ])  # fmt: skip


def ends_in(classifier: Any, *between: Any) -> Build:
    """Return what builds the usual preparation, steps *between* and *classifier*."""
    return lambda schema: make_pipeline(columns(schema), *between, classifier)


def prepared(**options: Any) -> Build:
    """Return what builds another preparation and a logistic regression."""
    return lambda schema: make_pipeline(columns(schema, **options), LOGISTIC)


def boosted_categories(schema: Schema) -> Any:
    """Boosted trees that take categories as they are, named by the schema."""
    encode = preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    whole = ColumnTransformer([("c", encode, names(schema, "category")), ("n", "passthrough", names(schema, "number"))],
                              verbose_feature_names_out=False).set_output(transform="pandas")  # fmt: skip
    return make_pipeline(whole, ensemble.HistGradientBoostingClassifier(
        max_iter=8, categorical_features=names(schema, "category")))  # fmt: skip


def boosted_from_dtype(schema: Schema) -> Any:
    """Boosted trees that find the categories by their type in the table itself."""
    return make_pipeline(
        preprocessing.FunctionTransformer(as_given),
        ColumnTransformer(
            [("n", "passthrough", names(schema, "number"))], verbose_feature_names_out=False
        ).set_output(transform="pandas"),
        ensemble.HistGradientBoostingClassifier(max_iter=8, categorical_features="from_dtype"),
    )  # fmt: skip


def words(schema: Schema) -> Any:
    """A bag of words of a text column beside numbers."""
    return make_pipeline(
        ColumnTransformer([
            ("words", TfidfVectorizer(), "said"),
            ("numbers", impute.SimpleImputer(), names(schema, "number")),
        ]),
        LOGISTIC,
    )  # fmt: skip


def by_kind(schema: Schema) -> Any:
    """Columns chosen by their type."""
    return make_pipeline(
        ColumnTransformer([
            ("n", impute.SimpleImputer(), make_column_selector(dtype_include="number")),
            ("c", preprocessing.OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_exclude="number")),
        ]),
        LOGISTIC,
    )  # fmt: skip


def frozen(schema: Schema) -> Any:
    """A model that was fitted elsewhere, calibrated here."""
    learned = make_pipeline(columns(schema), LOGISTIC)
    table = a_table()
    learned.fit(table[schema.names], table["repaid"])
    return CalibratedClassifierCV(FrozenEstimator(learned))


def searched(schema: Schema) -> Any:
    """A search around the whole pipeline, which draws from distributions of SciPy."""
    drawn = {
        "logisticregression__C": stats.loguniform(0.01, 10),
        "logisticregression__max_iter": stats.randint(200, 400),
    }
    return model_selection.RandomizedSearchCV(make_pipeline(columns(schema), LOGISTIC), drawn, n_iter=2, cv=2,
                                              random_state=0)  # fmt: skip


def union(schema: Schema) -> Any:
    """Two views of the same columns side by side."""
    return make_pipeline(columns(schema), FeatureUnion([("pca", PCA(2)), ("best", feature_selection.SelectKBest(k=3))]),
                         LOGISTIC)  # fmt: skip


SEARCH = {"max_depth": [2, 4]}
TREE = tree.DecisionTreeClassifier(random_state=0)
BAYES = naive_bayes.GaussianNB()

KINDS: dict[str, Build] = {
    "logistic regression": ends_in(LOGISTIC),
    "logistic regression that chooses": ends_in(linear_model.LogisticRegressionCV(cv=2, use_legacy_attributes=False)),
    "calibrated, sigmoid": ends_in(CalibratedClassifierCV(LOGISTIC, cv=2, ensemble=False)),
    "calibrated, isotonic": ends_in(CalibratedClassifierCV(BAYES, method="isotonic", cv=2)),
    "calibrated by temperature": ends_in(CalibratedClassifierCV(LOGISTIC, method="temperature", cv=2)),
    "fixed threshold": ends_in(model_selection.FixedThresholdClassifier(LOGISTIC, threshold=0.7)),
    "tuned threshold": ends_in(model_selection.TunedThresholdClassifierCV(LOGISTIC, cv=2)),
    "support vectors, calibrated": ends_in(CalibratedClassifierCV(svm.SVC(), cv=2)),
    "linear support vectors, calibrated": ends_in(CalibratedClassifierCV(svm.LinearSVC(), cv=2)),
    "support vectors with Platt's probabilities": ends_in(svm.SVC(probability=True, random_state=0)),
    "nu support vectors": ends_in(svm.NuSVC(nu=0.3, probability=True, random_state=0)),
    "stochastic gradient": ends_in(linear_model.SGDClassifier(loss="modified_huber", random_state=0)),
    "decision tree": ends_in(TREE),
    "extremely random tree": ends_in(tree.ExtraTreeClassifier(max_depth=4, random_state=0)),
    "random forest": ends_in(ensemble.RandomForestClassifier(5, class_weight="balanced", random_state=0)),
    "extra trees": ends_in(ensemble.ExtraTreesClassifier(5, random_state=0)),
    "gradient boosting": ends_in(ensemble.GradientBoostingClassifier(n_estimators=5)),
    "boosted histograms": ends_in(ensemble.HistGradientBoostingClassifier(max_iter=8)),
    "boosted histograms, categories by name": boosted_categories,
    "boosted histograms, categories by type": boosted_from_dtype,
    "ada boost": ends_in(ensemble.AdaBoostClassifier(n_estimators=5)),
    "bagging": ends_in(ensemble.BaggingClassifier(LOGISTIC, n_estimators=3)),
    "soft voting": ends_in(ensemble.VotingClassifier([("a", BAYES), ("b", TREE)], voting="soft")),
    "stacking": ends_in(ensemble.StackingClassifier([("a", BAYES), ("b", TREE)], cv=2)),
    "neighbours": ends_in(neighbors.KNeighborsClassifier(4)),
    "neighbours by distance": ends_in(neighbors.KNeighborsClassifier(weights="distance", metric="manhattan")),
    "neighbours within a radius": ends_in(neighbors.RadiusNeighborsClassifier(30, outlier_label="most_frequent")),
    "naive Bayes": ends_in(BAYES),
    "naive Bayes of counts": lambda s: make_pipeline(columns(s, scale=preprocessing.MinMaxScaler(clip=True)),
                                                     naive_bayes.MultinomialNB()),
    "complement naive Bayes": lambda s: make_pipeline(columns(s, scale=preprocessing.MinMaxScaler(clip=True)),
                                                      naive_bayes.ComplementNB()),
    "naive Bayes of truths": ends_in(naive_bayes.BernoulliNB()),
    "linear discriminant": ends_in(discriminant_analysis.LinearDiscriminantAnalysis()),
    "quadratic discriminant": ends_in(discriminant_analysis.QuadraticDiscriminantAnalysis(reg_param=0.3)),
    "neural network": ends_in(neural_network.MLPClassifier((4,), max_iter=40, random_state=0)),
    "Gaussian process": ends_in(gaussian_process.GaussianProcessClassifier(gaussian_process.kernels.RBF())),
    "one against the rest": ends_in(multiclass.OneVsRestClassifier(LOGISTIC)),
    "labels spread": ends_in(LabelSpreading(alpha=0.2)),
    "teaches itself": ends_in(SelfTrainingClassifier(LOGISTIC)),
    "most frequent class": ends_in(DummyClassifier()),
    "grid search": ends_in(model_selection.GridSearchCV(TREE, SEARCH, cv=2, scoring="roc_auc")),
    "random search of distributions": searched,
    "search by halving": ends_in(model_selection.RandomizedSearchCV(
        TREE, {"max_depth": stats.randint(2, 6), "ccp_alpha": stats.uniform(0, 0.01)}, n_iter=2, cv=2)),
    "calibrated search": ends_in(CalibratedClassifierCV(model_selection.RandomizedSearchCV(
        LOGISTIC, {"C": stats.expon(scale=2)}, n_iter=2, cv=2), cv=2)),
    "fitted before": frozen,
    "union of features": union,
    "words of a text": words,
    "columns by kind": by_kind,
    "principal components": ends_in(LOGISTIC, PCA(3)),
    "singular vectors": ends_in(LOGISTIC, TruncatedSVD(2)),
    "discriminant as a feature": ends_in(LOGISTIC, discriminant_analysis.LinearDiscriminantAnalysis()),
    "kernel map": ends_in(LOGISTIC, Nystroem(n_components=10)),
    "random Fourier features": ends_in(LOGISTIC, RBFSampler(n_components=10)),
    "random projection": ends_in(LOGISTIC, GaussianRandomProjection(3)),
    "distances to clusters": ends_in(LOGISTIC, KMeans(3, n_init=1)),
    "selection by a model": ends_in(LOGISTIC, feature_selection.SelectFromModel(TREE)),
    "recursive elimination": ends_in(LOGISTIC, feature_selection.RFE(LOGISTIC, n_features_to_select=3)),
    "selection by information": ends_in(LOGISTIC, feature_selection.SelectKBest(
        feature_selection.mutual_info_classif, k=3)),
    "no constant columns": ends_in(LOGISTIC, feature_selection.VarianceThreshold()),
    "polynomials": ends_in(LOGISTIC, preprocessing.PolynomialFeatures(2)),
    "target encoding": prepared(encode=preprocessing.TargetEncoder(random_state=0)),
    "ordinals": prepared(encode=preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)),
    "hashed categories": prepared(encode=FeatureHasher(8, input_type="string", alternate_sign=False)),
    "splines": prepared(scale=preprocessing.SplineTransformer()),
    "bins": prepared(scale=preprocessing.KBinsDiscretizer(4, encode="onehot-dense",
                                                           quantile_method="averaged_inverted_cdf")),
    "quantiles": prepared(scale=preprocessing.QuantileTransformer(n_quantiles=20)),
    "power transform": prepared(scale=preprocessing.PowerTransformer()),
    "robust scale": prepared(scale=preprocessing.RobustScaler()),
    "gaps by neighbours": prepared(fill=impute.KNNImputer()),
    "function of NumPy": prepared(scale=preprocessing.FunctionTransformer(np.cbrt)),
    "a pipeline in a pipeline": lambda s: Pipeline([("inner", make_pipeline(columns(s), LOGISTIC))]),
}  # fmt: skip
