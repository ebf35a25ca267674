"""Trees for one row: the forest of a model, walked by treelite in microseconds instead of by its own library.

treelite reads the fitted trees of scikit-learn and LightGBM as they are and walks them in C++; for one row their own
library spends far longer on getting ready. Not XGBoost's: it computes in float32, where another way to the same sum
gives another number.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier

from player.model.fast.preparation import Preparation
from player.model.fast.steps import NotMeasured
from player.repair import Value

if TYPE_CHECKING:
    from treelite import Model

ONE_TREE = (DecisionTreeClassifier, ExtraTreeClassifier)
AVERAGED = (ExtraTreesClassifier, RandomForestClassifier, *ONE_TREE)  # they say probabilities, the others log-odds
FOREST = (*AVERAGED, GradientBoostingClassifier, HistGradientBoostingClassifier)
NEARLY_NOTHING = float(np.float32(1e-35))  # kZeroThreshold of LightGBM

Read = Callable[[np.ndarray], np.ndarray]


def as_they_come(columns: np.ndarray) -> np.ndarray:
    """Return *columns* as histograms of scikit-learn read them."""
    return columns


def as_float32(columns: np.ndarray) -> np.ndarray:
    """Return *columns* as the other trees of scikit-learn read them."""
    return columns.astype("float32").astype("float64")


def as_lightgbm(columns: np.ndarray) -> np.ndarray:
    """Return *columns* as LightGBM reads them: nearly nothing is nothing."""
    return np.where(np.abs(columns) <= NEARLY_NOTHING, 0.0, columns)


class Forest:
    """The trees of a classifier, for one row."""

    def __init__(self, preparation: Preparation, model: "Model", read: Read) -> None:
        """Walk *model* on what *preparation* makes, as its own library would *read* it."""
        if (model.input_type, model.output_type, model.num_feature) != ("float64", "float64", len(preparation.order)):
            raise NotMeasured(f"its trees take {model.num_feature} columns of {model.input_type}")
        self.preparation, self.model, self.read = preparation, model, read

    def decide(self, row: Mapping[str, Value]) -> list[float]:
        """Return the sum of the trees for one clean *row*: probabilities or log-odds, whichever they were grown for."""
        answer: list[float] = self.walk(self.preparation.vector(row)[np.newaxis])[0].tolist()
        return answer

    def walk(self, vectors: np.ndarray) -> np.ndarray:
        """Return the same for each of *vectors*, shape (rows, columns): shape (rows, 1 or classes)."""
        from treelite import gtil

        found: np.ndarray = gtil.predict(self.model, self.read(vectors), nthread=1, pred_margin=True)
        return found[:, 0]


def is_lightgbm(classifier: Any) -> bool:
    """Tell whether *classifier* is LightGBM's, which need not be installed."""
    return f"{type(classifier).__module__}.{type(classifier).__name__}" == "lightgbm.sklearn.LGBMClassifier"


def is_forest(classifier: Any) -> bool:
    """Tell whether *classifier* is made of trees that can be read here."""
    return type(classifier) in FOREST or is_lightgbm(classifier)


def make_forest(classifier: Any, preparation: Preparation) -> Forest:
    """Return the trees of the fitted *classifier*; raises whatever treelite does when it cannot read them."""
    import treelite  # only here: who has no trees need not wait for it
    import treelite.sklearn

    if is_lightgbm(classifier):
        return Forest(preparation, treelite.frontend.from_lightgbm(classifier.booster_), as_lightgbm)
    with np.errstate(invalid="ignore"):  # it makes an integer of a category that is missing
        model = treelite.sklearn.import_model(as_ensemble(classifier))
    if type(classifier) not in AVERAGED:
        add_in_order(model)
    read = as_they_come if type(classifier) is HistGradientBoostingClassifier else as_float32
    return Forest(preparation, model, read)


def add_in_order(model: "Model") -> None:
    """Let *model* begin its sums with what scikit-learn begins them with, where treelite would add it at the end.

    Another order of the same additions differs in the last bit, which an isotonic calibration may turn into a step.
    """
    header = model.get_header_accessor()
    first = np.asarray(header.get_field("base_scores"), dtype="float64").copy()
    for place, score in enumerate(first.tolist()):  # the first tree of each class
        tree = model.get_tree_accessor(place)
        tree.set_field("leaf_value", tree.get_field("leaf_value") + score)
    header.set_field("base_scores", np.zeros_like(first))


def as_ensemble(classifier: Any) -> Any:
    """Return *classifier*, and of a single tree a forest that has only this one: treelite reads no tree alone."""
    if type(classifier) not in ONE_TREE:
        return classifier
    forest = RandomForestClassifier(1)
    forest.estimators_ = [classifier]
    for name in ("classes_", "n_classes_", "n_features_in_", "n_outputs_"):
        setattr(forest, name, getattr(classifier, name))
    return forest
