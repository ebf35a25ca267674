"""Which names a model's pickle may use. A pickle is a program; this is the list of what it may call.

It is a list of what is good, because lists of what is bad are always too short. Whole packages are not on it: they
hold functions that read files, start processes and evaluate text.
"""

import importlib
import types
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

LISTED: dict[str, str] = {
    "builtins": "bool bytearray bytes complex dict float frozenset int list object range set slice str tuple",
    "collections": "Counter OrderedDict defaultdict",
    "copyreg": "_reconstructor",
    "_codecs": "encode",
    "datetime": "date datetime timedelta",
    "numpy": "ndarray dtype bool bool_ bytes_ datetime64 float16 float32 float64 int8 int16 int32 int64 object_ str_ "
    "timedelta64 uint8 uint16 uint32 uint64 clip mean median nan_to_num round",
    "numpy._core.multiarray": "_reconstruct scalar",
    "numpy._core.numeric": "_frombuffer",
    "numpy.ma": "MaskedArray",
    "numpy.ma.core": "MaskedArray _mareconstruct",
    "numpy.random._pickle": "__bit_generator_ctor __generator_ctor __randomstate_ctor",
    "numpy.random._mt19937": "MT19937",
    "numpy.random._pcg64": "PCG64",
    "numpy.random.bit_generator": "SeedSequence __pyx_unpickle_SeedSequence",
    "pandas": "Categorical CategoricalDtype DataFrame Index IntervalIndex MultiIndex NA RangeIndex Series StringDtype",
    "pandas.arrays": "ArrowStringArray DatetimeArray NumpyExtensionArray StringArray",
    "pandas._libs.arrays": "__pyx_unpickle_NDArrayBacked",
    "pandas._libs.internals": "_unpickle_block",
    "pandas._libs.missing": "NAType",
    "pandas._libs.tslibs.timestamps": "_unpickle_timestamp",
    "pandas.core.indexes.base": "Index _new_Index",
    "pandas.core.indexes.interval": "_new_IntervalIndex",
    "pandas.core.internals.managers": "BlockManager SingleBlockManager",
    "pyarrow.lib": "_restore_array py_buffer type_for_alias",
    "scipy.interpolate._bsplines": "BSpline",
    "scipy._lib.array_api_compat.numpy._aliases": "asarray",
    "scipy.sparse._csc": "csc_array csc_matrix",
    "scipy.sparse._csr": "csr_array csr_matrix",
    # The parts of scikit-learn's models that are no models themselves.
    "sklearn._loss._loss": "CyAbsoluteError CyExponentialLoss CyHalfBinomialLoss CyHalfGammaLoss CyHalfMultinomialLoss "
    "CyHalfPoissonLoss CyHalfSquaredError CyHalfTweedieLoss CyHuberLoss CyPinballLoss "
    "__pyx_unpickle_CyHalfMultinomialLoss",
    "sklearn._loss.link": "HalfLogitLink IdentityLink Interval LogLink LogitLink MultinomialLogit",
    "sklearn._loss.loss": "AbsoluteError ExponentialLoss HalfBinomialLoss HalfGammaLoss HalfMultinomialLoss "
    "HalfPoissonLoss HalfSquaredError HuberLoss PinballLoss",
    "sklearn.calibration": "_CalibratedClassifier",
    "sklearn.cluster._birch": "_CFNode _CFSubcluster",
    "sklearn.compose._column_transformer": "_RemainderColsList make_column_selector",
    "sklearn.ensemble._hist_gradient_boosting.predictor": "TreePredictor",
    "sklearn.feature_selection._mutual_info": "mutual_info_classif",
    "sklearn.feature_selection._univariate_selection": "chi2 f_classif f_regression",
    "sklearn.gaussian_process.kernels": "CompoundKernel ConstantKernel DotProduct ExpSineSquared Exponentiation Matern "
    "Product RBF RationalQuadratic Sum WhiteKernel",
    "sklearn.impute._iterative": "_ImputerTriplet",
    "sklearn.linear_model._sgd_fast": "EpsilonInsensitive Hinge ModifiedHuber SquaredEpsilonInsensitive SquaredHinge",
    "sklearn.metrics._classification": "accuracy_score balanced_accuracy_score brier_score_loss f1_score log_loss "
    "matthews_corrcoef precision_score recall_score",
    "sklearn.metrics._dist_metrics": "newObj BrayCurtisDistance64 CanberraDistance64 ChebyshevDistance64 "
    "EuclideanDistance64 HammingDistance64 ManhattanDistance64 MinkowskiDistance64 SEuclideanDistance64",
    "sklearn.metrics._ranking": "average_precision_score roc_auc_score",
    "sklearn.metrics._scorer": "_CurveScorer _MultimetricScorer _PassthroughScorer _Scorer",
    "sklearn.model_selection._split": "GroupKFold KFold RepeatedKFold RepeatedStratifiedKFold ShuffleSplit "
    "StratifiedGroupKFold StratifiedKFold StratifiedShuffleSplit TimeSeriesSplit",
    "sklearn.neighbors._ball_tree": "BallTree BallTree32 BallTree64 newObj",
    "sklearn.neighbors._kd_tree": "KDTree KDTree32 KDTree64 newObj",
    "sklearn.neural_network._stochastic_optimizers": "AdamOptimizer SGDOptimizer",
    "sklearn.tree._tree": "Tree",
    "sklearn.utils._bunch": "Bunch",
    "sklearn.utils._metadata_requests": "MetadataRequest MethodMetadataRequest",
    "sklearn.utils.validation": "check_array",
}
# The packages of scikit-learn whose estimators may be in a pipeline.
ESTIMATORS = (
    "calibration cluster compose cross_decomposition decomposition discriminant_analysis dummy ensemble "
    "feature_extraction feature_selection frozen gaussian_process impute isotonic kernel_approximation kernel_ridge "
    "linear_model manifold mixture model_selection multiclass multioutput naive_bayes neighbors neural_network "
    "pipeline preprocessing random_projection semi_supervised svm tree"
)
OWN_FUNCTIONS = "player.features"  # for a FunctionTransformer
OWN_CLASSES = ("player.features", "player.training")


def allowed(module: str, name: str) -> Any:
    """Return the object when it is on the list, else None. Imports only modules the list names."""
    if name in LISTED.get(module, "").split():
        return look_up(module, name)
    if module == "numpy":  # log1p and its like: elementwise arithmetic, nothing else
        found = look_up(module, name)
        return found if isinstance(found, np.ufunc) else None
    if module in OWN_CLASSES:
        return own(module, name)
    package = module.split(".")
    if package[0] == "sklearn" and len(package) > 1 and package[1] in ESTIMATORS.split() and "tests" not in package:
        return estimator(module, name)
    return None


def estimator(module: str, name: str) -> Any:
    """Return the estimator that scikit-learn defines there, not one it merely imports there; else None."""
    found = look_up(module, name)
    known = isinstance(found, type) and issubclass(found, BaseEstimator) and found.__module__ == module
    return found if known else None


def own(module: str, name: str) -> Any:
    """Return a transformer or function that this project defines there, not one it merely imported; else None."""
    found = look_up(module, name)
    if getattr(found, "__module__", None) != module:
        return None
    if isinstance(found, type):
        return found
    return found if module == OWN_FUNCTIONS and isinstance(found, types.FunctionType) else None


def look_up(module: str, name: str) -> Any:
    """Return what *module* has under *name*, or None."""
    try:
        return getattr(importlib.import_module(module), name, None)
    except ImportError:
        return None
