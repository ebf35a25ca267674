"""Which kinds of models keep rows of the table they learned from: whoever has the pickle has these people's values."""

from collections.abc import Iterable

from player.config import Settings

# Classes of scikit-learn whose pickle holds rows as they are. A test fits every estimator and looks for them.
KINDS = {
    "nearest neighbours": "KNeighborsClassifier KNeighborsRegressor KNeighborsTransformer KNNImputer "
    "LocalOutlierFactor NearestNeighbors RadiusNeighborsClassifier RadiusNeighborsRegressor RadiusNeighborsTransformer",
    "support vectors": "NuSVC NuSVR OneClassSVM SVC SVR",
    "Gaussian process": "GaussianProcessClassifier GaussianProcessRegressor",
    "kernel density": "KernelDensity",
    "kernels": "KernelPCA KernelRidge Nystroem",
    "label propagation": "LabelPropagation LabelSpreading",
    "manifold": "Isomap LocallyLinearEmbedding",
    "clusters": "AffinityPropagation Birch DBSCAN HDBSCAN",
}
KIND_OF = {name: kind for kind, names in KINDS.items() for name in names.split()}


def kept_by(names: Iterable[str]) -> list[str]:
    """Return what keeps rows among the *names* that a pickle uses, with its kind, sorted.

    >>> kept_by(["sklearn.svm._classes.SVC", "sklearn.tree._classes.DecisionTreeClassifier"])
    ['SVC (support vectors)']
    """
    classes = {name.rpartition(".")[2] for name in names if name.startswith("sklearn.")}
    return sorted(f"{name} ({KIND_OF[name]})" for name in classes & set(KIND_OF))


def warning(names: Iterable[str], settings: Settings) -> str:
    """Return what to know about a pickle that uses *names* where confidentiality is high; "" when there is nothing."""
    kept = kept_by(names)
    if settings.rating.confidentiality != "high" or not kept:
        return ""
    return (
        f"Confidentiality is high, and the model keeps rows as they are: {', '.join(kept)}. Whoever has the file has "
        "them; linear models and trees keep none."
    )
