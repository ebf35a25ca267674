"""What can happen to a table of answered requests: kinds of disturbance that the customer's world does not have.

A kind says which cause of degradation it is, and disturbs any table: it picks its features by itself. Kinds of
gathering change columns of the rows that are sent; kinds of population choose other rows; kinds of nature turn labels.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

GATHERED, POPULATION, NATURE, WELL = "data gathered differently", "another population", "another nature", "all well"
TUNING, REPORTING = "tuning", "reporting"
Rng = np.random.Generator
Change = Callable[[Rng, pd.Series], pd.Series]
Gather = Callable[[Rng, pd.DataFrame], tuple[pd.DataFrame, list[str]]]
Choose = Callable[[Rng, pd.DataFrame], tuple[np.ndarray, list[str]]]
Turn = Callable[[Rng, pd.DataFrame, np.ndarray], tuple[np.ndarray, list[str]]]


@dataclass(frozen=True)
class Kind:
    """A kind of disturbance: its name, its true causes, what it is used for, and what it does."""

    name: str
    causes: tuple[str, ...]
    used_for: str
    gather: Gather | None = None
    choose: Choose | None = None
    turn: Turn | None = None
    undecidable: bool = False  # no data can tell this way of gathering from another nature


class NotHere(Exception):
    """This table has no column that the kind could disturb."""


# --- which columns -------------------------------------------------------------------------------------------------


def numbers(table: pd.DataFrame, distinct: int = 10) -> list[str]:
    """Return the columns of numbers with at least *distinct* values, none of which most rows have."""
    names = []
    for name in table.select_dtypes("number"):
        shares = table[name].value_counts(normalize=True)
        if len(shares) >= distinct and shares.iloc[0] < 0.5 and table[name].notna().mean() > 0.5:
            names.append(str(name))
    return names


def categories(table: pd.DataFrame, most: float = 0.85) -> list[str]:
    """Return the columns of text in which the commonest value has less than the share *most*, gaps aside."""
    shares = {name: table[name].value_counts(normalize=True) for name in table.select_dtypes(exclude="number")}
    return [str(name) for name, share in shares.items() if len(share) > 1 and share.iloc[0] < most]


def one(rng: Rng, names: list[str]) -> str:
    """Return one of *names*."""
    if not names:
        raise NotHere
    return str(rng.choice(names))


def two(rng: Rng, names: list[str]) -> tuple[str, str]:
    """Return two different ones of *names*."""
    if len(names) < 2:
        raise NotHere
    first, second = rng.choice(names, 2, replace=False)
    return str(first), str(second)


def z(column: pd.Series) -> np.ndarray:
    """Return the standardised ranks of a column of numbers, missing in the middle."""
    ranks = column.rank(pct=True).fillna(0.5).to_numpy()
    return np.asarray((ranks - ranks.mean()) / (ranks.std() or 1))


# --- data gathered differently ---------------------------------------------------------------------------------------


def number(change: Change, distinct: int = 10) -> Gather:
    """Return a kind of gathering that changes one column of numbers."""

    def gather(rng: Rng, table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
        name = one(rng, numbers(table, distinct))
        return table.assign(**{name: change(rng, table[name].astype("float64"))}), [name]

    return gather


def text(change: Change) -> Gather:
    """Return a kind of gathering that changes one column of categories."""

    def gather(rng: Rng, table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
        name = one(rng, categories(table))
        return table.assign(**{name: change(rng, table[name].astype("object"))}), [name]

    return gather


def some(share: float, rng: Rng, column: pd.Series) -> np.ndarray:
    """Return a mask of about *share* of the rows."""
    return rng.random(len(column)) < share


def gaps_of(change: Change) -> Gather:
    """Return a kind of gathering that changes what stands where a value is missing."""

    def gather(rng: Rng, table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
        gappy = [str(name) for name in table.select_dtypes("number") if 0.08 < table[name].isna().mean() < 0.9]
        name = one(rng, gappy)
        return table.assign(**{name: change(rng, table[name].astype("float64"))}), [name]

    return gather


def swap_columns(rng: Rng, table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Two columns of numbers are exchanged."""
    first, second = two(rng, numbers(table))
    return table.assign(**{first: table[second].to_numpy(), second: table[first].to_numpy()}), [first, second]


def copy_column(rng: Rng, table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """A column of numbers holds what another one says."""
    first, second = two(rng, numbers(table))
    return table.assign(**{first: table[second].to_numpy()}), [first]


def drop_column(rng: Rng, table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """A column comes under another name."""
    name = one(rng, [*numbers(table), *categories(table)])
    return table.rename(columns={name: f"new_{name}"}), [name]


def drop_three(rng: Rng, table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Three columns are empty in a third of the rows: one form of several no longer asks for them."""
    names = [str(name) for name in rng.choice([*numbers(table), *categories(table)], 3, replace=False)]
    here = rng.random(len(table)) < 0.33
    return table.assign(**{name: table[name].astype("object").mask(here, None) for name in names}), names


def one_channel(rng: Rng, table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """In the rows of one category a number has another unit."""
    channel, name = one(rng, categories(table)), one(rng, numbers(table))
    shares = table[channel].value_counts(normalize=True)
    value = shares.index[int(np.argmin(np.abs(shares.to_numpy() - 0.35)))]
    return table.assign(**{name: table[name].astype("float64").mask(table[channel] == value,
                                                                    table[name] * 40)}), [name]  # fmt: skip


def rename(rng: Rng, column: pd.Series) -> pd.Series:
    """One category that a tenth of the rows have at least gets another name."""
    shares = column.value_counts(normalize=True)
    old = one(rng, list(shares.index[shares > 0.1]))
    return column.replace({old: f"{old} (new)"})


def split_category(rng: Rng, column: pd.Series) -> pd.Series:
    """A category becomes two with new names."""
    old = column.value_counts().index[0]
    return column.mask(column == old, pd.Series(np.where(rng.random(len(column)) < 0.5, "kind a", "kind b"),
                                                index=column.index))  # fmt: skip


def merge(rng: Rng, column: pd.Series) -> pd.Series:
    """The second category is counted with the first."""
    first, second = column.value_counts().index[:2]
    return column.replace({second: first})


def merge_rare(rng: Rng, column: pd.Series) -> pd.Series:
    """All but the two commonest categories are counted with the second of them."""
    counts = column.value_counts()
    if len(counts) < 4 or counts.iloc[2:].sum() < 0.1 * len(column):
        raise NotHere
    return column.where(column.isin(counts.index[:2]) | column.isna(), counts.index[1])


def swap_codes(rng: Rng, column: pd.Series) -> pd.Series:
    """The names of the commonest category and of the rarest above one in twenty are exchanged."""
    shares = column.value_counts(normalize=True)
    big, small = shares.index[0], shares.index[shares > 0.05][-1]
    if shares[big] < shares[small] + 0.12:
        raise NotHere
    return column.replace({big: small, small: big})


def codes(rng: Rng, column: pd.Series) -> pd.Series:
    """Numbers are sent instead of names."""
    return column.map({name: f"{i:02d}" for i, name in enumerate(sorted(column.dropna().unique()))})


def lag_block(rng: Rng, column: pd.Series) -> pd.Series:
    """In half of the rows, one after the other, a sensor repeats its last value."""
    begin = len(column) // 4
    changed = column.copy()
    changed.iloc[begin : begin + len(column) // 2] = column.iloc[begin]
    return changed


def coarse(steps: int) -> Change:
    """Return a rounding to about *steps* values."""

    def change(rng: Rng, column: pd.Series) -> pd.Series:
        width = (column.quantile(0.98) - column.quantile(0.02)) / steps
        return (column / width).round() * width

    return change


def spike(value: Callable[[pd.Series], float], share: float) -> Change:
    """Return a default value that stands in *share* of the rows."""
    return lambda rng, column: column.mask(some(share, rng, column), value(column))


def in_part(share: float, factor: float) -> Change:
    """Return a factor that works in *share* of the rows."""
    return lambda rng, column: column.mask(some(share, rng, column), column * factor)


def shuffled(rng: Rng, column: pd.Series) -> pd.Series:
    """Each row gets the value of another one: a join went wrong."""
    return pd.Series(rng.permutation(column.to_numpy()), index=column.index)


# --- another population ----------------------------------------------------------------------------------------------


def tilt(strength: float, features: int = 1) -> Choose:
    """Return a choice of rows in which one number, or several, are larger (smaller when *strength* is negative)."""

    def choose(rng: Rng, table: pd.DataFrame) -> tuple[np.ndarray, list[str]]:
        names = numbers(table)
        if len(names) < features:
            raise NotHere
        chosen = [str(name) for name in rng.choice(names, features, replace=False)]
        return np.exp(strength * sum(z(table[name]) for name in chosen)), chosen

    return choose


def window_of(low: float, high: float, inside: float) -> Choose:
    """Return a choice of rows of which those between two quantiles of a number are *inside* times as frequent."""

    def choose(rng: Rng, table: pd.DataFrame) -> tuple[np.ndarray, list[str]]:
        name = one(rng, numbers(table))
        ranks = table[name].rank(pct=True)
        return np.where((ranks >= low) & (ranks <= high), inside, 1.0), [name]

    return choose


def group(times: float, smallest: float = 0.05) -> Choose:
    """Return a choice of rows in which one category is *times* as frequent."""

    def choose(rng: Rng, table: pd.DataFrame) -> tuple[np.ndarray, list[str]]:
        name = one(rng, categories(table))
        shares = table[name].value_counts(normalize=True)
        value = one(rng, list(shares.index[(shares > smallest) & (shares < 0.45)]))
        return np.where(table[name] == value, times, 1.0), [name]

    return choose


def gappy_group(rng: Rng, table: pd.DataFrame) -> tuple[np.ndarray, list[str]]:
    """A category of people for whom another value is mostly missing becomes frequent."""
    best: list[tuple[float, str, str]] = []
    for gap in table.columns[table.isna().mean().between(0.05, 0.6)]:
        for name in categories(table):
            found = table[gap].isna().groupby(table[name]).agg(["mean", "size"])
            found = found[(found["size"] > 0.03 * len(table)) & (found["mean"] > 0.6)]
            best += [(float(row["size"]), str(name), str(value)) for value, row in found.iterrows() if name != gap]
    if not best:
        raise NotHere
    _, name, value = best[int(rng.integers(len(best)))]
    return np.where(table[name] == value, 8.0, 1.0), [name]


def everything_a_little(rng: Rng, table: pd.DataFrame) -> tuple[np.ndarray, list[str]]:
    """All numbers and categories move a little together."""
    parts = [rng.choice([-1, 1]) * z(table[name]) for name in numbers(table)]
    for name in categories(table):
        steps = {value: rng.normal() for value in sorted(table[name].dropna().unique())}
        parts.append(table[name].map(steps).astype("float64").fillna(0).to_numpy())
    total = np.sum(parts, axis=0)
    return np.exp(1.3 * (total - total.mean()) / total.std()), []


def corner(rng: Rng, table: pd.DataFrame) -> tuple[np.ndarray, list[str]]:
    """Rows with two numbers both above their middle are six times as frequent."""
    first, second = two(rng, numbers(table))
    return np.where((z(table[first]) > 0) & (z(table[second]) > 0), 6.0, 1.0), [first, second]


def group_and_number(rng: Rng, table: pd.DataFrame) -> tuple[np.ndarray, list[str]]:
    """One category grows, and a number with it."""
    weights, names = group(4.0)(rng, table)
    more, others = tilt(-1.0)(rng, table)
    return weights * more, [*names, *others]


def group_gone(rng: Rng, table: pd.DataFrame) -> tuple[np.ndarray, list[str]]:
    """A frequent category hardly comes any more."""
    name = one(rng, categories(table))
    value = table[name].value_counts().index[0]
    return np.where(table[name] == value, 0.12, 1.0), [name]


# --- another nature --------------------------------------------------------------------------------------------------


def effects(table: pd.DataFrame, proba: np.ndarray) -> dict[str, np.ndarray]:
    """Return for the three features the answers depend on most how each row's logit depends on them."""
    logit = np.log(proba / (1 - proba))
    found = {}
    for name in numbers(table, 3):
        score = z(table[name])
        found[name] = score * float(np.mean(score * (logit - logit.mean())))
    for name in categories(table):
        steps = pd.Series(logit).groupby(table[name].astype("object").fillna("-").to_numpy()).transform("mean")
        found[name] = steps.to_numpy() - logit.mean()
    strongest = sorted(found, key=lambda name: -found[name].std())[:3]
    return {name: found[name] for name in strongest}


def shift_logit(change: Turn) -> Turn:
    """Return a kind of nature that adds to the logit of the chance of label 1, turning as few labels as it can."""

    def turn(rng: Rng, table: pd.DataFrame, proba: np.ndarray) -> tuple[np.ndarray, list[str]]:
        delta, names = change(rng, table, proba)
        new = 1 / (1 + np.exp(-(np.log(proba / (1 - proba)) + delta)))
        up, down = (new - proba) / (1 - proba), (proba - new) / proba
        return np.stack([np.clip(up, 0, 1), np.clip(down, 0, 1)], axis=1), names  # to turn a 0, to turn a 1

    return turn


def effect_times(factor: float) -> Turn:
    """Return a nature in which the effect of one of the strongest features is *factor* times what it was."""

    def change(rng: Rng, table: pd.DataFrame, proba: np.ndarray) -> tuple[np.ndarray, list[str]]:
        found = effects(table, proba)
        name = one(rng, list(found))
        effect = found[name] / max(found[name].std(), 1e-9) * max(found[name].std(), 0.6)
        return (factor - 1) * effect, [name]

    return shift_logit(change)


def more_of_all(logit: float) -> Turn:
    """Return a nature in which label 1 is everywhere more frequent."""
    return shift_logit(lambda rng, table, proba: (np.full(len(table), logit), []))


def above(quantile: float, logit: float) -> Turn:
    """Return a nature in which label 1 is rarer or more frequent where one number is high."""

    def change(rng: Rng, table: pd.DataFrame, proba: np.ndarray) -> tuple[np.ndarray, list[str]]:
        name = one(rng, numbers(table))
        return np.where(table[name].rank(pct=True) > quantile, logit, 0.0), [name]

    return shift_logit(change)


def in_group(logit: float) -> Turn:
    """Return a nature in which label 1 is rarer or more frequent in one category."""

    def change(rng: Rng, table: pd.DataFrame, proba: np.ndarray) -> tuple[np.ndarray, list[str]]:
        name = one(rng, categories(table))
        shares = table[name].value_counts(normalize=True)
        value = one(rng, list(shares.index[(shares > 0.12) & (shares < 0.7)]))
        return np.where(table[name] == value, logit, 0.0), [name]

    return shift_logit(change)


def random_labels(share: float) -> Turn:
    """Return a nature in which *share* of the labels have nothing to do with the features."""
    return lambda rng, table, proba: (np.full((len(table), 2), share / 2), [])


def all_turned(rng: Rng, table: pd.DataFrame, proba: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Every label is turned round."""
    return np.ones((len(table), 2)), []


def turned_where_high(rng: Rng, table: pd.DataFrame, proba: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Labels are turned round where a number lies in its upper third."""
    name = one(rng, numbers(table))
    high = (table[name].rank(pct=True) > 0.67).to_numpy().astype(float)
    return np.stack([high, high], axis=1), [name]


def in_corner(rng: Rng, table: pd.DataFrame, proba: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Labels are turned round where two numbers are both high."""
    first, second = two(rng, numbers(table))
    both = ((z(table[first]) > 0) & (z(table[second]) > 0)).astype(float)
    return np.stack([both, both], axis=1), [first, second]


def one_way(probability: float) -> Turn:
    """Return a nature in which *probability* of the labels 1 become 0, as when a rule changes."""
    return lambda rng, table, proba: (np.stack([np.zeros(len(table)), np.full(len(table), probability)], axis=1), [])


def flatter(rng: Rng, table: pd.DataFrame, proba: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Everything the model knows has a third of its effect."""
    return shift_logit(lambda rng, table, proba: (-0.67 * np.log(proba / (1 - proba)), []))(rng, table, proba)


# --- all of them -----------------------------------------------------------------------------------------------------


def gathered(name: str, gather: Gather, used_for: str = REPORTING, undecidable: bool = False) -> Kind:
    """Return a kind of gathering."""
    return Kind(name, (GATHERED,), used_for, gather=gather, undecidable=undecidable)


def population(name: str, choose: Choose, used_for: str = REPORTING) -> Kind:
    """Return a kind of population."""
    return Kind(name, (POPULATION,), used_for, choose=choose)


def nature(name: str, turn: Turn, used_for: str = REPORTING) -> Kind:
    """Return a kind of nature."""
    return Kind(name, (NATURE,), used_for, turn=turn)


def level(column: pd.Series, share: float) -> float:
    """Return the value that *share* of a column's values stay below; it is one of them."""
    return float(column.quantile(share, "nearest"))


def sd(column: pd.Series) -> float:
    """Return the standard deviation of a column."""
    return float(column.std())


KINDS = [
    Kind("nothing (tuning)", (), TUNING),
    gathered("number times 12", number(lambda r, c: c * 12), TUNING),
    gathered("number divided by 100", number(lambda r, c: c / 100), TUNING),
    gathered("number minus three standard deviations", number(lambda r, c: c - 3 * sd(c)), TUNING),
    gathered("square root", number(lambda r, c: np.sqrt(c - c.min())), TUNING),
    gathered("capped at the median", number(lambda r, c: c.clip(upper=c.median())), TUNING),
    gathered("stuck at the mean", number(lambda r, c: c * 0 + c.mean()), TUNING),
    gathered("the median in 30 % of the rows", number(spike(lambda c: c.median(), 0.3)), TUNING),
    gathered("times 12 in 30 % of the rows", number(in_part(0.3, 12)), TUNING),
    gathered("missing in 25 % of the rows", number(lambda r, c: c.mask(some(0.25, r, c))), TUNING),
    gathered("rounded to six values", number(coarse(6)), TUNING),
    gathered("category renamed (tuning)", text(lambda r, c: c.replace({c.value_counts().index[0]: "x"})), TUNING),
    gathered("two categories merged (tuning)", text(merge), TUNING),
    gathered("category missing in 25 %", text(lambda r, c: c.mask(some(0.25, r, c), None)), TUNING),
    population("one number lower", tilt(-1.6), TUNING),
    population("two numbers a little higher", tilt(0.9, 2), TUNING),
    population("one category three times as frequent", group(4.0), TUNING),
    population("only the outer thirds", window_of(0.33, 0.67, 0.12), TUNING),
    nature("label 1 rarer everywhere", more_of_all(-1.2), TUNING),
    nature("an effect is gone", effect_times(-0.2), TUNING),
    nature("labels of the upper half turned in one number", above(0.5, -2.0), TUNING),
    nature("one category with other chances (tuning)", in_group(1.8), TUNING),
    nature("half of the labels at random", random_labels(0.5), TUNING),
    Kind("times 12, and label 1 rarer", (GATHERED, NATURE), TUNING, gather=number(lambda r, c: c * 12),
         turn=more_of_all(-1.6)),
    Kind("one number lower, and label 1 rarer", (POPULATION, NATURE), TUNING, choose=tilt(-1.3),
         turn=more_of_all(-1.6)),
    # From here on: never looked at while thresholds were chosen.
    Kind("nothing", (), REPORTING),
    gathered("number times 1,000", number(lambda r, c: c * 1000)),
    gathered("number times 2.54", number(lambda r, c: c * 2.54)),
    gathered("number times 0.4536", number(lambda r, c: c * 0.4536)),
    gathered("number divided by 12", number(lambda r, c: c / 12)),
    gathered("number times 1.8 plus 32", number(lambda r, c: c * 1.8 + 32)),
    gathered("number plus four standard deviations", number(lambda r, c: c + 4 * sd(c))),
    gathered("sign turned", number(lambda r, c: -c)),
    gathered("logarithm", number(lambda r, c: np.log1p(c - c.min()))),
    gathered("square", number(lambda r, c: c**2)),
    gathered("rounded to four values", number(coarse(4), 20)),
    gathered("rounded to eight values", number(coarse(8), 20)),
    gathered("capped at the upper third", number(lambda r, c: c.clip(upper=level(c, 0.67)))),
    gathered("floor at the lower third", number(lambda r, c: c.clip(lower=level(c, 0.33)))),
    gathered("cut on both sides", number(lambda r, c: c.clip(level(c, 0.25), level(c, 0.75)))),
    gathered("stuck at the first value", number(lambda r, c: c * 0 + c.dropna().iloc[0])),
    gathered("always zero", number(lambda r, c: c * 0)),
    gathered("stuck in half of the rows, one after the other", number(lag_block)),
    gathered("999 in 40 % of the rows", number(spike(lambda c: 999.0, 0.4))),
    gathered("zero in 40 % of the rows", number(spike(lambda c: 0.0, 0.4))),
    gathered("-1 in 20 % of the rows", number(spike(lambda c: -1.0, 0.2))),
    gathered("a common value in 40 % of the rows", number(spike(lambda c: level(c, 0.3), 0.4))),
    gathered("times 1,000 in half of the rows", number(in_part(0.5, 1000))),
    gathered("times 3 in half of the rows", number(in_part(0.5, 3.0))),
    gathered("divided by 1,000 in 30 % of the rows", number(in_part(0.3, 0.001))),
    gathered("another unit in one category", one_channel),
    gathered("missing in 40 % of the rows", number(lambda r, c: c.mask(some(0.4, r, c)))),
    gathered("missing where high", number(lambda r, c: c.mask(c > c.quantile(0.7)))),
    gathered("text where a number was, in 40 %", number(lambda r, c: c.astype("object").mask(some(0.4, r, c), "n/a"))),
    gathered("column under another name", drop_column),
    gathered("three columns empty in a third of the rows", drop_three),
    gathered("gaps filled with zero", gaps_of(lambda r, c: c.fillna(0))),
    gathered("gaps filled with the mean", gaps_of(lambda r, c: c.fillna(round(c.mean(), 2)))),
    gathered("gaps filled with -999", gaps_of(lambda r, c: c.fillna(-999))),
    gathered("two columns exchanged", swap_columns),
    gathered("a column is a copy of another", copy_column),
    gathered("a noisy sensor", number(lambda r, c: c + r.normal(0, 2 * sd(c), len(c)))),
    gathered("a join went wrong in one number", number(shuffled), undecidable=True),
    gathered("a join went wrong in one category", text(shuffled), undecidable=True),
    gathered("category renamed", text(rename)),
    gathered("all categories renamed", text(lambda r, c: c.map(lambda v: f"Class {v}", na_action="ignore"))),
    gathered("codes instead of names", text(codes)),
    gathered("categories merged", text(merge)),
    gathered("rare categories merged", text(merge_rare)),
    gathered("one category split", text(split_category)),
    gathered("two codes exchanged", text(swap_codes)),
    gathered("category stuck", text(lambda r, c: c.map(lambda v: c.dropna().iloc[0], na_action=None))),
    gathered("default category in 40 % of the rows",
             text(lambda r, c: c.mask(some(0.4, r, c), c.value_counts().index[-1]))),
    gathered("unknown category in 20 % of the rows", text(lambda r, c: c.mask(some(0.2, r, c), "?"))),
    gathered("category missing in 40 % of the rows", text(lambda r, c: c.mask(some(0.4, r, c), None))),
    population("one number higher", tilt(1.6)),
    population("one number much lower", tilt(-2.2)),
    population("two numbers higher", tilt(1.2, 2)),
    population("four numbers higher", tilt(0.8, 4)),
    population("mostly the lower half of a number", window_of(0.0, 0.5, 8.0)),
    population("mostly the middle of a number", window_of(0.3, 0.7, 8.0)),
    population("mostly the upper fifth of a number", window_of(0.8, 1.0, 8.0)),
    population("one category six times as frequent", group(6.0)),
    population("the commonest category hardly comes", group_gone),
    population("a category grows and a number falls", group_and_number),
    population("a group whose values are missing grows", gappy_group),
    population("everything moves a little", everything_a_little),
    population("a corner of two numbers grows", corner),
    nature("label 1 more frequent everywhere", more_of_all(1.4)),
    nature("an effect is turned round", effect_times(-1.0)),
    nature("an effect is gone, and a bit more", effect_times(-0.4)),
    nature("an effect is four times as strong", effect_times(4.0)),
    nature("label 1 rarer where a number is high", above(0.7, -2.5)),
    nature("label 1 more frequent where a number is high", above(0.4, 2.0)),
    nature("one category with other chances", in_group(-2.2)),
    nature("labels turned where a number is high", turned_where_high),
    nature("labels turned in a corner of two numbers", in_corner),
    nature("a third of the labels at random", random_labels(0.35)),
    nature("all labels turned", all_turned),
    nature("a third of the labels 1 become 0", one_way(0.33)),
    nature("the features say little any more", flatter),
    Kind("one number higher, and an effect turned round", (POPULATION, NATURE), REPORTING, choose=tilt(1.0),
         turn=effect_times(-1.0)),
    Kind("a category grows, and labels turned at random", (POPULATION, NATURE), REPORTING, choose=group(4.0),
         turn=random_labels(0.5)),
    Kind("number times 1,000, and one number lower", (GATHERED, POPULATION), REPORTING,
         gather=number(lambda r, c: c * 1000), choose=tilt(-1.8)),
    Kind("category renamed, and label 1 rarer", (GATHERED, NATURE), REPORTING, gather=text(rename),
         turn=more_of_all(-1.8)),
    Kind("missing in 40 %, and labels turned at random", (GATHERED, NATURE), REPORTING,
         gather=number(lambda r, c: c.mask(some(0.4, r, c))), turn=random_labels(0.6)),
]  # fmt: skip
