"""Further libraries whose models may be loaded, each only where `[model].libraries` names it.

As in `player.trust.allowed` each name stands here by itself: no package is let in as a whole, and no function. A pickle
may make an object of these classes only empty and fill it, as Python does; calling them could open files.

XGBoost, LightGBM and CatBoost hand what they fill in to code in C++, which was not written to withstand an attacker: in
acceptance and production the signature stands before that.
"""

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any


@dataclass(frozen=True)
class Library:
    """A further library: its package on the Python index, and the classes a pickle may hold, by module."""

    package: str
    names: dict[str, str]


# By the name it is imported by.
LIBRARIES: dict[str, Library] = {
    "xgboost": Library(
        "xgboost",
        {"xgboost.core": "Booster", "xgboost.sklearn": "XGBClassifier XGBRFClassifier"},
    ),
    "lightgbm": Library(
        "lightgbm",
        {"lightgbm.basic": "Booster", "lightgbm.sklearn": "LGBMClassifier"},
    ),
    "catboost": Library(
        "catboost",
        {"catboost.core": "CatBoostClassifier"},
    ),
    "imblearn": Library(
        "imbalanced-learn",
        {
            "imblearn.pipeline": "Pipeline",
            "imblearn.combine._smote_enn": "SMOTEENN",
            "imblearn.combine._smote_tomek": "SMOTETomek",
            "imblearn.ensemble._bagging": "BalancedBaggingClassifier",
            "imblearn.ensemble._easy_ensemble": "EasyEnsembleClassifier",
            "imblearn.ensemble._forest": "BalancedRandomForestClassifier",
            "imblearn.ensemble._weight_boosting": "RUSBoostClassifier",
            "imblearn.metrics.pairwise": "ValueDifferenceMetric",
            "imblearn.over_sampling._adasyn": "ADASYN",
            "imblearn.over_sampling._random_over_sampler": "RandomOverSampler",
            "imblearn.over_sampling._smote.base": "SMOTE SMOTEN SMOTENC",
            "imblearn.over_sampling._smote.cluster": "KMeansSMOTE",
            "imblearn.over_sampling._smote.filter": "BorderlineSMOTE SVMSMOTE",
            "imblearn.under_sampling._prototype_generation._cluster_centroids": "ClusterCentroids",
            "imblearn.under_sampling._prototype_selection._condensed_nearest_neighbour": "CondensedNearestNeighbour",
            "imblearn.under_sampling._prototype_selection._edited_nearest_neighbours": "AllKNN "
            "EditedNearestNeighbours RepeatedEditedNearestNeighbours",
            "imblearn.under_sampling._prototype_selection._instance_hardness_threshold": "InstanceHardnessThreshold",
            "imblearn.under_sampling._prototype_selection._nearmiss": "NearMiss",
            "imblearn.under_sampling._prototype_selection._neighbourhood_cleaning_rule": "NeighbourhoodCleaningRule",
            "imblearn.under_sampling._prototype_selection._one_sided_selection": "OneSidedSelection",
            "imblearn.under_sampling._prototype_selection._random_under_sampler": "RandomUnderSampler",
            "imblearn.under_sampling._prototype_selection._tomek_links": "TomekLinks",
        },
    ),
    "category_encoders": Library(
        "category-encoders",
        {
            "category_encoders.backward_difference": "BackwardDifferenceEncoder",
            "category_encoders.basen": "BaseNEncoder",
            "category_encoders.binary": "BinaryEncoder",
            "category_encoders.cat_boost": "CatBoostEncoder",
            "category_encoders.count": "CountEncoder",
            "category_encoders.gray": "GrayEncoder",
            "category_encoders.helmert": "HelmertEncoder",
            "category_encoders.james_stein": "JamesSteinEncoder",
            "category_encoders.leave_one_out": "LeaveOneOutEncoder",
            "category_encoders.m_estimate": "MEstimateEncoder",
            "category_encoders.one_hot": "OneHotEncoder",
            "category_encoders.ordinal": "OrdinalEncoder",
            "category_encoders.polynomial": "PolynomialEncoder",
            "category_encoders.quantile_encoder": "QuantileEncoder SummaryEncoder",
            "category_encoders.rankhot": "RankHotEncoder",
            "category_encoders.sum_coding": "SumEncoder",
            "category_encoders.target_encoder": "TargetEncoder",
            "category_encoders.woe": "WOEEncoder",
        },
    ),
}


def library_of(module: str) -> str:
    """Return the further library that *module* belongs to, "" when it is of none that is known here."""
    name = module.split(".", maxsplit=1)[0]
    return name if name in LIBRARIES else ""


def class_of(module: str, name: str, libraries: Iterable[str]) -> type | None:
    """Return the class *module*.*name* when its library is among *libraries* and the class on the list, else None."""
    library = library_of(module)
    if library not in libraries or name not in LIBRARIES[library].names.get(module, "").split():
        return None
    try:
        found: Any = getattr(importlib.import_module(module), name, None)
    except ImportError:
        return None
    return found if isinstance(found, type) and found.__module__ == module else None


def packages(used: Iterable[str]) -> tuple[str, ...]:
    """Return the packages on the Python index that the names *used* in a pickle belong to, sorted.

    >>> packages(["xgboost.sklearn.XGBClassifier", "numpy.ndarray", "imblearn.pipeline.Pipeline"])
    ('imbalanced-learn', 'xgboost')
    """
    return tuple(sorted({LIBRARIES[library].package for name in used if (library := library_of(name))}))


def how_to_allow(module: str, libraries: Iterable[str]) -> str:
    """Return what lets in the library of *module*, as a sentence; "" when it is none of those known here."""
    library = library_of(module)
    if not library:
        return ""
    if library in libraries and find_spec(library) is None:
        return f"It needs {LIBRARIES[library].package}, which is not installed here."
    if library in libraries:
        return f"Of {library} these classes are known: see player/trust/libraries.py."
    line = ", ".join(f'"{name}"' for name in sorted({*libraries, library}))
    return f"To allow it, write libraries = [{line}] below [model] in config/base.toml; docs/pipelines.md says more."
