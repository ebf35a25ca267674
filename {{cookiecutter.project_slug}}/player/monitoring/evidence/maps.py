"""What was done to a number: a map from the values of training that gives those of now, if a simple one does."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd

from player.monitoring.bins import short
from player.monitoring.evidence.spread import chance_distance, distance, share_then, training_values
from player.profile.columns import on_step

OUTSIDE = 0.02  # so many rows clearly outside the range of training are no chance
BEYOND = 0.05  # clearly: by this share of the range
JUST_OUTSIDE = 0.06
SPIKE = 0.07  # by so much of the rows one value may become more frequent before it is looked at
UNUSUAL = 0.04  # a value that was rarer than this in training was never a usual one
STUCK = 0.97
NEARLY_SAME, MOSTLY = 0.15, 0.9  # for profiles that know no more than bins
MANY = 8  # different values: of so many, people do not choose one in the middle
CERTAIN_FACTOR = 3.0  # a population does not change by a factor like this and keep its shape
FEWEST = 12  # rows


@dataclass(frozen=True)
class Map:
    """What was done, as words that follow the name of the feature; *hard* when no choice of people explains it."""

    kind: str
    words: str
    hard: bool = True


def find_map(column: pd.Series, known: Mapping[str, Any], rows_then: float) -> Map | None:
    """Return the map that explains the values of *column* now, or None when they look like those of training.

    >>> known = {"quantiles": list(range(18, 78)), "low": 18.0, "high": 77.0, "missing": 0.0}
    >>> ages = pd.Series(np.random.default_rng(1).integers(18, 78, 500).astype(float))
    >>> find_map(ages, known, 5000)
    >>> find_map(ages * 12, known, 5000).words
    'is everywhere about 12 times what it was, as when a unit changes'
    >>> find_map(ages.clip(upper=50), known, 5000).words
    'never goes above 50 now (45% of the values did)'
    >>> find_map(ages.mask(np.arange(500) % 3 == 0, -1.0), known, 5000).words
    'says -1 in 33% of the rows (0% in training), as a default does'
    """
    values = column.dropna().to_numpy(dtype="float64")
    if len(values) < FEWEST or not (known.get("quantiles") or known["edges"]):
        return None
    then = training_values(known)
    apart = distance(values, then)
    chance = chance_distance(len(values), rows_then)
    if "quantiles" not in known:
        return coarse_map(values, known, then)
    found = in_a_row(values, known, then) or find_spike(column, values, known, then, chance)
    if found and found.hard:
        return found
    changed = find_outside(values, known, then, chance) or find_grain(values, known, then, apart, chance)
    return changed or found or (whole_map(values, then, chance) if apart > chance else None)


def coarse_map(values: np.ndarray, known: Mapping[str, Any], then: np.ndarray) -> Map | None:
    """Return what can be seen with the bins of an older model's profile alone: a factor, or nothing in range."""
    positions = np.quantile(values, (np.arange(len(then)) + 0.5) / len(then))
    found = find_factor(values, positions, then, NEARLY_SAME, sure=False)
    outside = float(((values < known["low"]) | (values > known["high"])).mean())
    if found and (found.hard or outside >= MOSTLY):
        return found
    return (
        Map("range", f"lies outside anything seen in training in {outside:.0%} of the rows")
        if outside >= MOSTLY
        else None
    )


# --- one value that became frequent ---------------------------------------------------------------------------------


def in_a_row(values: np.ndarray, known: Mapping[str, Any], then: np.ndarray) -> Map | None:
    """Return that one value came so often in a row that it is stuck: less likely than once in a billion."""
    runs = [(len(list(group)), value) for value, group in groupby(values)]
    length, value = max(runs)
    usual = max(share_then(value, known, then), float((values == value).mean()) * 0.5)
    if length < 15 or length * np.log(min(usual, 0.999)) > -21 or length >= STUCK * len(values):
        return None
    return Map("stuck", f"was stuck at {short(value)} for {length} rows in a row")


def find_spike(
    column: pd.Series, values: np.ndarray, known: Mapping[str, Any], then: np.ndarray, chance: float
) -> Map | None:
    """Return that one value holds many more rows than it did: stuck, a cap, a floor, a default."""
    shares = pd.Series(values).value_counts(normalize=True).head(3)
    excess = {value: share - share_then(value, known, then) for value, share in zip(shares.index, shares, strict=True)}
    value = max(excess, key=lambda each: excess[each])
    if excess[value] < SPIKE:
        return None
    now, before = float(shares[value]), share_then(value, known, then)
    if now >= STUCK and before < 0.8:
        return Map("stuck", f"says {short(value)} in {now:.0%} of the rows")
    capped = find_cap(values, then, chance)
    if capped:
        return capped
    rest, rest_then = values[values != value], then[then != value]
    kept = distance(rest, rest_then) < chance_distance(len(rest), 10_000) + 0.01
    where = f"{short(value)} in {now:.0%} of the rows ({before:.0%} in training)"
    filled = known["missing"] - float(column.isna().mean())
    if filled > 0.04 and filled > 0.5 * known["missing"] and (kept or before < UNUSUAL):
        return Map("filled", f"says {where} and is missing less often, as when gaps are filled")
    inside = values.min() < value < values.max() and known.get("distinct", 0) >= MANY
    unlikely = (before < UNUSUAL and (kept or now > 10 * before)) or (inside and kept)
    if unlikely and stands_alone(value, values, known, then):
        return Map("default", f"says {where}, as a default does")
    return Map("default", f"says {where}, as a default does", hard=False) if kept else None


def stands_alone(value: float, values: np.ndarray, known: Mapping[str, Any], then: np.ndarray) -> bool:
    """Return whether no other value grew like *value*: people who are alike would bring the neighbours as well."""
    shares = pd.Series(values[values != value]).value_counts(normalize=True).head(1)
    if shares.empty:
        return True
    second = float(shares.iloc[0]) / share_then(float(shares.index[0]), known, then)
    return second < 0.6 * float((values == value).mean()) / share_then(value, known, then)


def find_cap(values: np.ndarray, then: np.ndarray, chance: float) -> Map | None:
    """Return that values are cut off above, below, or on both sides."""
    low, high = float(values.min()), float(values.max())
    above, below = float((then > high).mean()), float((then < low).mean())
    piled_up, piled_down = float((values == high).mean()), float((values == low).mean())
    for kind, map_of, gone, piled, words in (
        ("cap", np.minimum(then, high), above, piled_up, f"never goes above {short(high)} now"),
        ("floor", np.maximum(then, low), below, piled_down, f"never goes below {short(low)} now"),
        ("cut", np.clip(then, low, high), min(above, below), min(piled_up, piled_down),
         f"stays between {short(low)} and {short(high)} now"),
    ):  # fmt: skip
        if gone > 0.02 and piled > 0.5 * gone and distance(values, map_of) < chance:
            share = above + below if kind == "cut" else gone
            return Map(kind, f"{words} ({share:.0%} of the values did)")
    return None


# --- values that training never had ---------------------------------------------------------------------------------


def find_outside(values: np.ndarray, known: Mapping[str, Any], then: np.ndarray, chance: float) -> Map | None:
    """Return that values lie where none lay in training, and the map that brought them there, if one is found."""
    width = known["high"] - known["low"]
    clearly = (values < known["low"] - BEYOND * width) | (values > known["high"] + BEYOND * width)
    outside = (values < known["low"]) | (values > known["high"])
    if clearly.mean() < OUTSIDE and outside.mean() < JUST_OUTSIDE:
        return None
    found = whole_map(values, then, chance, sure=True)
    if found:
        return found
    usual, odd = float(np.median(then)), float(np.median(values[outside]))
    share = f"in {outside.mean():.0%} of the rows"
    factor = odd / usual if usual else 0.0
    if clearly.mean() > 0.6 * outside.mean() and factor > 1.5 and distance(values[outside] / factor, then) < 0.2:
        return Map("part", f"is about {about(factor)} times what it was {share}, as when a part has another unit")
    return Map("range", f"lies outside anything seen in training {share}")


def whole_map(values: np.ndarray, then: np.ndarray, chance: float, sure: bool = False) -> Map | None:
    """Return the map of all values that gives the spread of now.

    Unless it is *sure* for another reason that the values are not those of other people, only a large factor counts.
    """
    positions = np.quantile(values, (np.arange(len(then)) + 0.5) / len(then), method="inverted_cdf")
    return find_factor(values, positions, then, chance, sure) or (
        other_map(values, positions, then, chance) if sure else None
    )


def find_factor(values: np.ndarray, positions: np.ndarray, then: np.ndarray, chance: float, sure: bool) -> Map | None:
    """Return the factor by which all quantiles of training must be multiplied to give *positions*, those of now."""
    inner = np.zeros(len(then), dtype=bool)
    inner[len(then) // 10 : -len(then) // 10] = True
    inner &= then != 0
    factor = float(np.median(positions[inner] / then[inner])) if inner.any() else 0.0
    if factor <= 0 or 0.8 < factor < 1.25 or distance(values, then * factor) >= chance:
        return None
    times = f"{about(factor)} times" if factor > 1 else f"1/{about(1 / factor)} of"
    hard = sure or factor >= CERTAIN_FACTOR or factor <= 1 / CERTAIN_FACTOR
    return Map("unit", f"is everywhere about {times} what it was, as when a unit changes", hard)


def other_map(values: np.ndarray, positions: np.ndarray, then: np.ndarray, chance: float) -> Map | None:
    """Return another map than a factor that gives the spread of now: first the simple ones."""
    more = float(np.median(values)) - float(np.median(then))
    slope, start = np.polyfit(then, positions, 1)
    maps: list[tuple[np.ndarray, str, str]] = [
        (-then, "sign", "comes with the other sign"),
        (then + more, "offset", f"is everywhere about {about(abs(more))} {'more' if more > 0 else 'less'}"),
        (slope * then + start, "unit", f"is everywhere about {about(slope)} times what it was, {about(start)} added"),
        (np.square(then), "curve", "looks like the square of what it was"),
        (np.sqrt(np.maximum(then, 0)), "curve", "looks like the square root of what it was"),
        (np.log1p(np.maximum(then, 0)), "curve", "looks like the logarithm of what it was"),
    ]
    return next((Map(kind, words) for mapped, kind, words in maps if distance(values, mapped) < chance), None)


# --- other digits ---------------------------------------------------------------------------------------------------


def find_grain(
    values: np.ndarray, known: Mapping[str, Any], then: np.ndarray, apart: float, chance: float
) -> Map | None:
    """Return that values come with digits they never had, or with far fewer different values than there were."""
    step = known.get("step", 0.0)
    off = 0.0 if not step else 1.0 - float(on_step(values, step).mean())
    if off >= OUTSIDE and off * len(values) >= FEWEST / 2:
        sure = whole_map(values, then, chance, sure=True)
        if sure and apart > chance:
            return sure
        return Map("digits", f"is no multiple of {short(step)} any more in {off:.0%} of the rows, as it was")
    low, high = np.quantile(values, [0.1, 0.9])
    inside = len(np.unique(values[(values >= low) & (values <= high)]))
    expected = len(np.unique(then[(then >= low) & (then <= high)]))
    commonest = float(pd.Series(values).value_counts(normalize=True).iloc[0])
    if expected >= 6 and inside <= 0.6 * expected and apart < commonest + chance:
        different = len(np.unique(values))
        return Map("rounded", f"has only {different} different values, as when it is rounded")
    return None


def about(factor: float) -> str:
    """Return a measured factor with the two digits it is worth.

    >>> about(11.8), about(1.609), about(1004.2)
    ('12', '1.6', '1,000')
    """
    return short(float(f"{factor:.2g}"))
