"""Which rows a trace did not touch: with them alone can be asked whether anything else changed."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from player.monitoring.evidence.traces import FEW_GAPS, Trace


def untouched(table: pd.DataFrame, traces: Mapping[str, Trace], profile: Mapping[str, Any]) -> np.ndarray:
    """Return which rows of *table* none of the *traces* touched: bool (rows,)."""
    clean = np.ones(len(table), dtype=bool)
    for name, trace in traces.items():
        clean &= own_rows(table[name], trace.kind, profile["features"][name])
    return clean


def own_rows(column: pd.Series, kind: str, known: Mapping[str, Any]) -> np.ndarray:
    """Return which values of one feature are still what they were, under a trace of that *kind*.

    >>> own_rows(pd.Series([1.0, None, 5.0]), "gaps", {"kind": "number"}).tolist()
    [True, False, True]
    >>> own_rows(pd.Series([1.0, 7.0, 5.0]), "cap", {"kind": "number"}).tolist()
    [True, False, True]
    """
    keep = np.zeros(len(column), dtype=bool)
    if kind in ("gaps", FEW_GAPS):
        keep = column.notna().to_numpy()
    elif kind in ("name", "names", "split"):
        keep = column.isin(list(known["shares"])).to_numpy()
    elif kind in ("range", "part"):
        keep = ((column >= known["low"]) & (column <= known["high"])).to_numpy()
    elif kind in ("default", "filled") and column.notna().any():
        keep = (column != column.mode().iloc[0]).to_numpy()
    elif kind in ("cap", "floor", "cut"):
        low, high = column.min(), column.max()
        keep = (((column < high) | (kind == "floor")) & ((column > low) | (kind == "cap"))).to_numpy()
    return np.asarray(keep, dtype=bool)
