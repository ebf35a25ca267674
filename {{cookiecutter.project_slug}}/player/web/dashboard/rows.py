"""Rows, their repairs and the models that answered them, as the page shows them."""

import json
import re
from collections import Counter
from typing import Any
from urllib.parse import quote

import pandas as pd

from player.model import store
from player.monitoring.quality import class_names
from player.monitoring.words import without_values
from player.web.dashboard.tiles import as_percent

COMMONEST = 8
PLAIN = re.compile(r"[A-Za-z0-9_~:@!$&'()*+,;=-][\w.~:@!$&'()*+,;=-]*", re.ASCII)


def count_warnings(rows: pd.DataFrame, keep_names: bool) -> list[tuple[str, int]]:
    """Return the commonest repairs of *rows* with how often each was made; without the values themselves."""
    counts = Counter(without_values(text, keep_names)[:120] for texts in rows["warnings"] for text in texts or [])
    return counts.most_common(COMMONEST)


def describe_models(models: pd.DataFrame, rows: pd.DataFrame, manifest: store.Manifest | None) -> list[dict[Any, Any]]:
    """Return the recorded models with what they answered among *rows* and how often they were right.

    The current model is shown even when nobody recorded it.
    """
    recorded: list[dict[Any, Any]] = models.to_dict("records")
    if manifest and manifest.version not in {model["version"] for model in recorded}:
        recorded.insert(0, {**vars(manifest), "created_at": pd.Timestamp(manifest.created_at)})
    described = []
    for model in recorded:
        answered = rows[rows["model"] == model["version"]]
        labelled = answered[answered["label"].notna()]
        right = (class_names(labelled["pred"]) == class_names(labelled["label"])).mean() if len(labelled) else None
        promised = model["metrics"].get("accuracy") if isinstance(model["metrics"], dict) else None
        described.append({
            **model, "answered": len(answered), "accuracy": as_percent(right), "hold_out": as_percent(promised),
            "current": manifest is not None and model["version"] == manifest.version,
        })  # fmt: skip
    return described


def describe_newest(rows: pd.DataFrame, show_values: bool) -> list[dict[Any, Any]]:
    """Return the newest requests, one dict each; features only when *show_values* allows it."""
    described = []
    for row in rows.to_dict("records"):
        known = row["label"] is not None and not (isinstance(row["label"], float) and pd.isna(row["label"]))
        pair = class_names(pd.Series([row["pred"], row["label"]], dtype="object")).tolist()
        described.append({
            **row, "path": path_of(row["request_id"]),
            "pred": pair[0], "label": pair[1] if known else "", "right": known and pair[0] == pair[1],
            "features": json.dumps(row["features"], ensure_ascii=False, default=str)[:300] if show_values else None,
        })  # fmt: skip
    return described


def path_of(text: str, kind: str = "answers") -> str:
    """Return where the page of a request is, or of a feature; what a path could not hold stands in the query.

    >>> path_of("r-17"), path_of("../17?"), path_of("age", "features")
    ('/dashboard/answers/r-17', '/dashboard/answers?id=..%2F17%3F', '/dashboard/features/age')
    """
    if PLAIN.fullmatch(text):
        return f"/dashboard/{kind}/{quote(text)}"
    return f"/dashboard/{kind}?id={quote(text.encode('utf-8', 'replace'), safe='')}"
