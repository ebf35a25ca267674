"""Why a request got its answer: what came, what was repaired, what each value did, which label came at last."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from player.config import Settings
from player.errors import ModelError
from player.model.answering import DIGITS, Link
from player.model.fallback import NO_MODEL
from player.model.loading import load
from player.monitoring.why.effects import Given, measure_effects, read_features, short
from player.monitoring.words import without_values
from player.reading.labels import same_label
from player.storage.columns import printable
from player.storage.tables import TRUTH

SECONDS = 5.0  # for asking the model once for each feature
HIDDEN = "The values, and what each of them did, are not shown in this environment: [logging].show_values is off."
NOBODY = "No model answered: this is the most frequent label of training, the last step when every model fails."


@dataclass(frozen=True)
class Told:
    """One label that came for a request, and what became of it."""

    label: str
    at: datetime
    status: str
    true: bool


@dataclass(frozen=True)
class Why:
    """Everything there is to say about one answer; *troubles* are sentences about what could not be said."""

    request_id: str
    at: datetime
    model: str
    pred: str
    proba: float | None
    degraded: bool
    latency_ms: float | None
    warnings: list[str]
    labels: list[Told]
    right: bool | None = None
    about: str = ""  # the label that the probability speaks of
    features: list[Given] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values; times in ISO format."""
        labels = [{**asdict(each), "at": each.at.isoformat()} for each in self.labels]
        return {**asdict(self), "at": self.at.isoformat(), "labels": labels}

    @property
    def largest(self) -> float:
        """The largest effect of a feature, without its sign; 0 when none is known."""
        return max((abs(each.effect or 0) for each in self.features), default=0)

    @property
    def outcome(self) -> str:
        """The true label, and whether the answer was right."""
        true = next((each.label for each in self.labels if each.true), None)
        return "no label yet" if true is None else f"{true}: the answer was {'right' if self.right else 'wrong'}"


def explain(
    row: Mapping[str, Any], labels: Iterable[Mapping[str, Any]], show_values: bool, find_model: Callable[[str], Link]
) -> Why:
    """Return why the stored *row* got its answer; *labels* are those that came, the first first.

    *find_model* gives the model of a version, which is asked again, or raises ModelError. Without *show_values* there
    are none, and repairs are named without them.
    """
    told = [Told(short(each["label"]), each["received_at"], each["status"], each["status"] in TRUTH)
            for each in labels]  # fmt: skip
    true = next((each["label"] for each in labels if each["status"] in TRUTH), None)
    found = Why(
        request_id=short(row["request_id"]),
        at=row["received_at"],
        model=short(row["model"]),
        pred=short(row["pred"]),
        proba=row["proba"],
        degraded=row["degraded"],
        latency_ms=row["latency_ms"],
        warnings=[printable_sentence(str(text), show_values) for text in row["warnings"] or []],
        labels=told,
        right=None if true is None else same_label(row["pred"], true),
    )
    return with_features(found, row, find_model) if show_values else replace(found, troubles=[HIDDEN])


def with_features(found: Why, row: Mapping[str, Any], find_model: Callable[[str], Link]) -> Why:
    """Return *found* with what the model that answered says of each feature, or why it says nothing."""
    if row["model"] == NO_MODEL:
        return replace(found, troubles=[NOBODY])
    try:
        link = find_model(row["model"])
        raw = row["features"] if isinstance(row["features"], dict) else {}
        clean_row, given = read_features(raw, link.model.schema)
        found = replace(found, features=given)
        proba, moved = measure_effects(clean_row, link.model.manifest.profile, link, SECONDS)
    except ModelError as error:
        return replace(found, troubles=[f"The model that answered cannot be asked again: {error}"])
    classes = link.model.manifest.classes
    told = [replace(each, usual=moved[each.name][0], effect=moved[each.name][1]) if each.name in moved else each
            for each in given]  # fmt: skip
    told.sort(key=lambda each: -abs(each.effect or 0))
    return replace(found, features=told, about=short(classes[1] if len(classes) == 2 else row["pred"]),
                   troubles=as_before(proba, row["proba"]))  # fmt: skip


def load_model(version: str, settings: Settings) -> Link:
    """Return the model *version* from its files, by the rules of this environment; raises ModelError."""
    return Link(load(version, settings), settings.model.time_budget_seconds)


def as_before(proba: float, then: float | None) -> list[str]:
    """Return a sentence when the model says something else now than it said then."""
    if then is not None and abs(proba - then) <= 10**-DIGITS:
        return []
    was = "no number" if then is None else f"{then:.6g}"
    return [f"Asked again with what is stored, the model says {proba:.6g} and not {was}: part of the request was not "
            "kept, or its libraries have changed."]  # fmt: skip


def printable_sentence(text: str, show_values: bool) -> str:
    """Return a repair as it is stored, or without values."""
    return printable(text if show_values else without_values(text))
