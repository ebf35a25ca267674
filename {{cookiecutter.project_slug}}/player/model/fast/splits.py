"""The splits of a forest: whether they are those of its classifier, and where a row would fall just beside them."""

from typing import Any

import numpy as np

from player.model.fast.trees import Forest, as_ensemble, as_float32

MOST_CELLS = 4_000_000  # of the vectors: 32 MB
LEAF, SPLIT_OF_NUMBERS = 0, 1  # as treelite numbers the kinds of nodes


def same_splits(forest: Forest, classifier: Any) -> bool:
    """Tell whether *forest* has each split of *classifier*, where scikit-learn keeps them as trees of its own.

    A large forest has too many to try them all with rows.
    """
    for place, tree in enumerate(np.ravel(getattr(as_ensemble(classifier), "estimators_", []))):
        here, there = forest.model.get_tree_accessor(place), tree.tree_
        inner = there.children_left >= 0
        pairs = (("split_index", there.feature), ("threshold", there.threshold),
                 ("cleft", there.children_left), ("cright", there.children_right))  # fmt: skip
        if not all(np.array_equal(here.get_field(name)[inner], values[inner]) for name, values in pairs):
            return False
    return True


def beside_splits(forest: Forest, start: np.ndarray, most: int) -> np.ndarray:
    """Return vectors that fall just left and just right of each split of numbers: shape (at most *most*, columns).

    A vector reaches its split because it is made on the way there, beginning with *start*, shape (columns,). Of more
    splits than *most* allows they are those of some of the trees.
    """
    found: list[np.ndarray] = []
    most = min(most, MOST_CELLS // len(start))
    for place in np.random.default_rng(2026).permutation(forest.model.num_tree).tolist():
        if len(found) < most:
            found += beside_splits_of_one(forest, place, start)
    return np.array(found[:most]).reshape(-1, len(start))


def beside_splits_of_one(forest: Forest, place: int, start: np.ndarray) -> list[np.ndarray]:
    """Return two vectors for each split of numbers in the tree at *place*, as `beside_splits` does."""
    tree = forest.model.get_tree_accessor(place)
    kind, column, left, right, threshold = (
        tree.get_field(name) for name in ("node_type", "split_index", "cleft", "cright", "threshold")
    )
    below = threshold.astype("float32") if forest.read is as_float32 else threshold  # the largest number that goes left
    below = np.where(below > threshold, np.nextafter(below, below.dtype.type(-np.inf)), below)
    above = np.nextafter(below, below.dtype.type(np.inf))
    everything = np.isinf(threshold)  # every number goes left, and what is missing right
    below, above = np.where(everything, 0, below), np.where(everything, np.nan, above)
    found, waiting = [], [(0, start)]
    while waiting:
        node, vector = waiting.pop()
        if kind[node] == LEAF:
            continue
        pair = [vector.copy(), vector.copy()]
        if kind[node] == SPLIT_OF_NUMBERS:
            pair[0][column[node]], pair[1][column[node]] = below[node], above[node]
            found += pair
        waiting += [(left[node], pair[0]), (right[node], pair[1])]
    return found
