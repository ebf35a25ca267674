"""Whether the features still look as in training: compares recent rows with the training profile."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from player.features import Schema, clean, to_table
from player.monitoring.bins import GAPS, MISSING, UNSEEN, Bin, make_bins
from player.repair import Feature, Value, shorten
from player.settings.sections import Monitoring

BY_CHANCE = 3.09  # 99.9 % quantile of the normal distribution: what chance alone may do once in 1,000 looks
STABLE, WARN, ALARM, UNKNOWN = "stable", "warn", "alarm", "too few rows"


@dataclass(frozen=True)
class Drift:
    """How far one feature has moved since training."""

    name: str
    kind: str
    verdict: str
    psi: float
    psi_gaps: float  # the part of it that comes from missing and unseen values
    psi_shape: float  # the PSI of the other values among themselves
    rows: int
    missing_then: float
    missing_now: float
    unseen: float  # share of rows with a category that training never saw
    outside: float  # share of rows with a number outside the range of training
    bins: list[Bin] = field(default_factory=list)


def compare(table: pd.DataFrame, profile: Mapping[str, Any], settings: Monitoring) -> list[Drift]:
    """Return the drift of each feature of *table* (rows, features; clean) against the *profile*, worst first."""
    features = profile.get("features", {})
    found = [drift_of(name, table[name], known, profile["rows"], settings) for name, known in features.items()]
    return sorted(found, key=lambda drift: -drift.psi)


def describe_score(rows: pd.DataFrame, profile: Mapping[str, Any], settings: Monitoring) -> Drift | None:
    """Return the drift of the answered probabilities; None when the profile does not know them."""
    known = profile.get("proba")
    if not known:
        return None
    return drift_of("proba", rows["proba"], {"kind": "number", "missing": 0.0, **known}, profile["rows"], settings)


def seen_by_model(rows: pd.DataFrame, profile: Mapping[str, Any]) -> pd.DataFrame:
    """Return the `features` of *rows* as the model saw them: repaired, shape (rows, features), index as before."""
    schema = read_schema(profile)
    cleaned = [clean(raw if isinstance(raw, Mapping) else {}, schema)[0] for raw in rows["features"]]
    storable = [{name: without_halves(value) for name, value in row.items()} for row in cleaned]
    return to_table(storable, schema).set_axis(rows.index, axis="index")


def without_halves(value: Value) -> Value:
    """Return a text without half characters, which pandas cannot look up; any other value as it is."""
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else value


def read_schema(profile: Mapping[str, Any]) -> Schema:
    """Return the features that a training *profile* describes; one of an older model holds no schema of its own."""
    if "schema" in profile:
        return Schema.from_dict(profile["schema"])
    features = [
        Feature(name, "number", known["low"], known["high"])
        if known["kind"] == "number"
        else Feature(name, "category", categories=tuple(known["shares"]))
        for name, known in profile.get("features", {}).items()
    ]
    return Schema(tuple(features), label="")


def drift_of(name: str, column: pd.Series, known: Mapping[str, Any], rows_then: int, settings: Monitoring) -> Drift:
    """Return the drift of one feature: *column* now, *known* its part of the training profile."""
    bins = make_bins(column, known)
    parts = psi_parts(bins, rows_then, len(column))
    psi = sum(parts.values())
    limit = psi_by_chance(len(parts), rows_then, len(column))
    by_name = {each.name: each.now for each in bins}
    outside = (column < known["low"]) | (column > known["high"]) if known["kind"] == "number" else pd.Series([False])
    return Drift(
        name=name,
        kind=known["kind"],
        verdict=judge(psi, limit, len(column), settings),
        psi=psi,
        psi_gaps=sum(parts.get(name, 0.0) for name in GAPS),
        psi_shape=psi_without_gaps(bins, rows_then, len(column)),
        rows=len(column),
        missing_then=known["missing"],
        missing_now=by_name[MISSING],
        unseen=by_name.get(UNSEEN, 0.0),
        outside=float(outside.mean()) if len(column) else 0.0,
        bins=bins,
    )


def psi_parts(bins: list[Bin], rows_then: int, rows_now: int) -> dict[str, float]:
    """Return what each bin adds to the population stability index (PSI); bins that were always empty are left out.

    PSI = sum of (now - then) * ln(now / then), Siddiqi (2006), "Credit Risk Scorecards". A bin that is empty on one
    side would make it infinite, so both sides get half a row in each bin, counted in rows of the smaller table: an
    empty bin means little where few rows were looked at.

    >>> bins = [Bin("rent", 0.5, 0.7), Bin("owner", 0.5, 0.3), Bin(MISSING, 0.0, 0.0)]
    >>> print({name: round(part, 3) for name, part in psi_parts(bins, 10_000, 1_000).items()})
    {'rent': 0.067, 'owner': 0.102}
    """
    used = [each for each in bins if each.then or each.now]
    rows = max(min(rows_then, rows_now), 1)

    def smooth(share: float) -> float:
        return (share * rows + 0.5) / (rows + 0.5 * len(used))

    return {
        each.name: (smooth(each.now) - smooth(each.then)) * math.log(smooth(each.now) / smooth(each.then))
        for each in used
    }


def psi_without_gaps(bins: list[Bin], rows_then: int, rows_now: int) -> float:
    """Return the PSI of the rows that are neither missing nor unseen, 0 when none is left.

    >>> halved = [Bin("rent", 0.6, 0.3), Bin("owner", 0.4, 0.2), Bin(MISSING, 0.0, 0.5)]
    >>> print(round(psi_without_gaps(halved, 10_000, 1_000), 3))
    0.0
    """
    values = [each for each in bins if each.name not in GAPS]
    then, now = sum(each.then for each in values), sum(each.now for each in values)
    if not then or not now:
        return 0.0
    shares = [Bin(each.name, each.then / then, each.now / now) for each in values]
    return sum(psi_parts(shares, round(rows_then * then), round(rows_now * now)).values())


def psi_by_chance(bins: int, rows_then: int, rows_now: int) -> float:
    """Return the PSI that two samples of one population stay below in 999 of 1,000 cases.

    The PSI then is about (1/n + 1/m) times a chi-squared number with bins - 1 degrees of freedom: Yurdakul and
    Naranjo (2020), "Statistical properties of the population stability index". The quantile is the approximation of
    Wilson and Hilferty (1931).

    >>> print(round(psi_by_chance(bins=10, rows_then=20_000, rows_now=200), 3))
    0.142
    """
    k = bins - 1
    if k < 1 or not rows_then or not rows_now:
        return 0.0
    quantile: float = k * (1 - 2 / (9 * k) + BY_CHANCE * math.sqrt(2 / (9 * k))) ** 3
    return quantile * (1 / rows_then + 1 / rows_now)


def judge(psi: float, by_chance: float, rows: int, settings: Monitoring) -> str:
    """Return the verdict on a PSI: the thresholds of the settings, and more than chance alone would do."""
    if rows < settings.min_rows:
        return UNKNOWN
    if psi < settings.psi_warn or psi <= by_chance:
        return STABLE
    return WARN if psi < settings.psi_alarm else ALARM


def readable(name: str) -> str:
    """Return a name that came out of data as short printable text, for sentences that may end in a terminal."""
    return shorten(name)
