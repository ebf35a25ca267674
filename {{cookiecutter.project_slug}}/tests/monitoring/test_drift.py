"""A feature that moved is seen, chance alone is not, and every value finds a bin."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from player.config import Settings
from player.monitoring.bins import make_bins, short
from player.monitoring.drift import compare, drift_of, psi_by_chance, read_schema, seen_by_model
from player.monitoring.evidence.traces import Trace, find_traces
from player.profile import describe_column

AGES = np.random.default_rng(1).normal(45, 12, 20_000)
NUMBER = describe_column(pd.Series(AGES), "number")
HOSTILE = "own\x1b[31m\nALL WELL\ud800"
CATEGORY = {"kind": "category", "shares": {"rent": 0.5, "owner": 0.3, "family": 0.2}, "missing": 0.0}


def trace(settings: Settings, column: pd.Series, known: dict[str, Any]) -> Trace | None:
    """Return the trace in a table of that one *column*."""
    profile = {"features": {"age": known}, "rows": 20_000}
    drift = drift_of("age", column, known, 20_000, settings.monitoring)
    return find_traces(pd.DataFrame({"age": column}), [drift], profile).get("age")


def homes(rent: int = 0, **others: int) -> pd.Series:
    """Return a column with that many of each category."""
    names = ["rent"] * rent + [name for name, count in others.items() for _ in range(count)]
    return pd.Series(names, dtype="object")


def test_the_same_population_is_stable_in_nearly_every_sample(settings: Settings) -> None:
    """Of 200 samples of the training data itself, also small ones, none is called drift."""
    rng = np.random.default_rng(2)
    verdicts = {
        drift_of("age", pd.Series(rng.choice(AGES, 250)), NUMBER, 20_000, settings.monitoring).verdict
        for _ in range(200)
    }

    assert verdicts == {"stable"}


@pytest.mark.parametrize(("moved", "verdict"), [(0, "stable"), (5, "warn"), (12, "alarm"), (-500, "alarm")])
def test_the_verdict_grows_with_the_distance(settings: Settings, moved: float, verdict: str) -> None:
    """A population a little older is worth a look, one much older an alarm."""
    column = pd.Series(np.random.default_rng(3).choice(AGES, 2000) + moved)

    assert drift_of("age", column, NUMBER, 20_000, settings.monitoring).verdict == verdict


def test_few_rows_get_no_verdict(settings: Settings) -> None:
    """With fewer rows than the setting asks for nothing is said, however far they are."""
    drift = drift_of("age", pd.Series([999.0] * 199), NUMBER, 20_000, settings.monitoring)

    assert drift.verdict == "too few rows"
    assert drift.outside == 1.0


def test_missing_and_unseen_have_bins_of_their_own(settings: Settings) -> None:
    """What training never saw is counted apart, and adds to the PSI without making it infinite."""
    column = pd.concat([homes(rent=250, owner=150, family=100, castle=100), pd.Series([None] * 100)])
    drift = drift_of("home", column, CATEGORY, 20_000, settings.monitoring)

    assert (drift.missing_now, drift.unseen) == pytest.approx((1 / 7, 1 / 7))
    assert drift.verdict == "alarm"
    assert 0.5 < drift.psi_gaps < 2
    assert sum(each.now for each in drift.bins) == pytest.approx(1)


@pytest.mark.parametrize(
    ("column", "known"),
    [
        (pd.Series([], dtype="float64"), NUMBER),
        (pd.Series([np.nan] * 300), NUMBER),
        (pd.Series([1.0] * 300), {**NUMBER, "edges": [], "shares": [1.0], "low": 0.0, "high": 0.0}),
        (pd.Series([1.0] * 300), {**NUMBER, "missing": 1.0}),
        (pd.Series([], dtype="object"), CATEGORY),
        (homes(rent=300), {"kind": "category", "shares": {}, "missing": 1.0}),
        (pd.Series(["(missing)", "(unseen)"] * 150), {**CATEGORY, "shares": {"(missing)": 0.5, "(unseen)": 0.5}}),
    ],
)
def test_an_odd_column_is_compared_without_an_error(settings: Settings, column: pd.Series, known: Any) -> None:
    """Columns that are empty, constant or always missing, then or now, get a finite PSI and bins that add up."""
    drift = drift_of("odd", column, known, 20_000, settings.monitoring)

    assert np.isfinite(drift.psi)
    assert sum(each.then for each in drift.bins) == pytest.approx(1) or not known["shares"]
    assert len({each.name for each in drift.bins}) == len(drift.bins)


def test_close_edges_keep_their_own_bins() -> None:
    """Bins whose edges look the same in short are not thrown together."""
    known = {"kind": "number", "edges": [0.98712, 0.98713], "shares": [0.2, 0.3, 0.5], "missing": 0.0}

    assert [each.then for each in make_bins(pd.Series([0.5]), known)] == [0.2, 0.3, 0.5, 0.0]


def test_the_worst_feature_comes_first(settings: Settings) -> None:
    """Features are sorted by PSI."""
    profile = {"features": {"age": NUMBER, "home": CATEGORY}, "rows": 20_000}
    table = pd.DataFrame({"age": AGES[:500], "home": ["castle"] * 500})

    assert [each.name for each in compare(table, profile, settings.monitoring)] == ["home", "age"]


def test_rows_are_compared_as_the_model_saw_them() -> None:
    """Text in a number, missing keys and things that are no object are repaired first, as for a prediction."""
    rows = pd.DataFrame({"features": [{"age": "42", "home": " RENT "}, {}, None, ["x"], {"age": {"a": 1}}]})

    table = seen_by_model(rows, {"features": {"age": NUMBER, "home": CATEGORY}})

    assert table["age"].iloc[0] == 42
    assert table["home"].iloc[0] == "rent"
    assert table.iloc[1:].isna().all().all()
    assert read_schema({}).names == []


def test_chance_allows_more_in_a_small_sample() -> None:
    """The limit of chance shrinks with the rows; with one bin there is no chance."""
    assert psi_by_chance(10, 20_000, 200) > psi_by_chance(10, 20_000, 2000) > psi_by_chance(1, 20_000, 200) == 0.0


@pytest.mark.parametrize(
    ("column", "known", "said"),
    [
        (pd.Series(AGES[:500] * 12), NUMBER, "age is everywhere about 12 times what it was"),
        (pd.Series(AGES[:500] / 1000), NUMBER, "age is everywhere about 1/1,000 of what it was"),
        (pd.Series(2026 - AGES[:500]), NUMBER, "age is everywhere about 1,900 more"),
        (pd.Series(AGES[:500] ** 3 + 1e6), NUMBER, "age lies outside anything seen in training in 100% of the rows"),
        (pd.Series(np.minimum(AGES[:500], 50)), NUMBER, "age never goes above 50 now"),
        (pd.Series(np.where(np.arange(500) % 3, AGES[:500], -1.0)), NUMBER, "age says -1 in 33% of the rows"),
        (pd.Series(np.where(np.arange(500) % 3, AGES[:500], AGES[:500] * 1000)), NUMBER, "age is about 1,000 times"),
        (
            pd.Series(np.where(np.arange(500) < 300, np.nan, AGES[:500])),
            NUMBER,
            "age comes empty in 60%",
        ),
        (homes(rent=250, own=150, family=100), CATEGORY, "age says 'own' where it said 'owner'"),
        (homes(rent=400, family=100), CATEGORY, "age says 'rent' also where it said 'owner'"),
        (homes(rent=250, own=80, mine=70, family=100), CATEGORY, "age says 'own' or 'mine' where it said 'owner'"),
        (homes(rent=200, owner=110, family=70, boat=120), CATEGORY, "age says names that training never saw in 24%"),
    ],
)
def test_another_way_of_gathering_leaves_a_trace(
    settings: Settings, column: pd.Series, known: dict[str, Any], said: str
) -> None:
    """A unit, a meaning, a name or a field that comes empty is recognised."""
    found = trace(settings, column, known)

    assert found
    assert found.hard
    assert found.sentence.startswith(said)


@pytest.mark.parametrize(
    ("column", "known"),
    [
        (pd.Series(AGES[:500] + 20), NUMBER),
        (pd.Series(AGES[:500] * 1.3), NUMBER),
        (homes(rent=50, owner=350, family=100), CATEGORY),
        (homes(rent=400, owner=60, family=40), CATEGORY),
    ],
)
def test_other_people_leave_no_trace(settings: Settings, column: pd.Series, known: dict[str, Any]) -> None:
    """A population that is older, richer or lives elsewhere is not mistaken for another way of gathering."""
    found = trace(settings, column, known)

    assert found is None or not found.hard


def test_a_hostile_name_stays_on_one_line(settings: Settings) -> None:
    """A category with control characters cannot break out of the sentence."""
    rows = pd.DataFrame({"features": [{"home": "rent"}] * 250 + [{"home": HOSTILE}] * 150 + [{"home": "family"}] * 100})
    found = trace(settings, seen_by_model(rows, {"features": {"home": CATEGORY}})["home"], CATEGORY)

    assert found
    assert found.sentence.isprintable()


def test_numbers_are_short() -> None:
    """Zero and negative numbers have names too."""
    assert [short(number) for number in (0.0, -1234.5, 1e-9)] == ["0", "-1,234", "1e-09"]
