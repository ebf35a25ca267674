"""What holds for the population of applicants."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from customer import world

TRAIN_DATA = Path(__file__).parents[2] / "data" / "train_data.csv"


def draw(shift: str = world.AS_TRAINED, seed: int = 1, n: int = 20_000) -> pd.DataFrame:
    return world.sample(np.random.default_rng(seed), n, shift)


def best_share(people: pd.DataFrame) -> float:
    return float(((people["probability"] > 0.5) == people["repaid"]).mean())


def test_training_data_is_what_the_command_writes() -> None:
    """The training data in the project is byte for byte what `customer data` writes with its defaults."""
    text = world.training_table(rows=20_000, seed=2026).to_csv(index=False, lineterminator="\n")

    assert text.encode() == TRAIN_DATA.read_bytes()


def test_same_seed_same_applicants() -> None:
    """The same seed gives the same applicants, another seed others."""
    pd.testing.assert_frame_equal(draw(seed=7, n=50), draw(seed=7, n=50))

    assert not draw(seed=7, n=50).equals(draw(seed=8, n=50))


@pytest.mark.parametrize(("shift", "repaid"), [(world.AS_TRAINED, 0.71), (world.ANOTHER_POPULATION, 0.49)])
def test_base_rate(shift: str, repaid: float) -> None:
    """Most usual applicants repay; of another population only half do."""
    assert draw(shift)["repaid"].mean() == pytest.approx(repaid, abs=0.02)


@pytest.mark.parametrize("shift", world.SHIFTS)
def test_best_possible_share(shift: str) -> None:
    """Even a player who knows the truth is wrong about one applicant in five or six."""
    assert 0.76 < best_share(draw(shift)) < 0.85


def test_gathered_differently_changes_only_what_is_sent() -> None:
    """A new form changes income and housing as sent, and nothing about who repays."""
    usual, different = draw(n=500), draw(world.GATHERED_DIFFERENTLY, n=500)
    changed = [name for name in usual.columns if not usual[name].equals(different[name])]

    assert ["income", "housing"] == changed
    assert usual["income"].median() / 12 == pytest.approx(different["income"].median(), abs=1)
    assert "home loan" in set(different["housing"]) - set(usual["housing"])


def test_another_nature_changes_only_who_repays() -> None:
    """The same applicants come, but with other chances to repay."""
    usual, other = draw(n=500), draw(world.ANOTHER_NATURE, n=500)
    changed = [name for name in usual.columns if not usual[name].equals(other[name])]

    assert ["probability", "repaid"] == changed


def test_missing_values_occur() -> None:
    """Income, savings and years employed are sometimes missing, everything else never."""
    missing = draw().isna().mean()

    assert {"income", "savings", "years_employed"} == set(missing[missing > 0].index)


def test_unknown_shift_is_refused() -> None:
    """A shift that does not exist is refused with the names of those that do."""
    with pytest.raises(ValueError, match="another nature"):
        draw("bad weather")


def test_training_data_has_a_leak_and_an_order() -> None:
    """The training data is in time order, and one column nearly tells the label."""
    table = world.training_table(2_000, seed=1)

    assert table["applied_on"].is_monotonic_increasing
    assert table["applicant_id"].is_unique
    assert ((table["months_in_arrears"] < 3) == table["repaid"]).mean() > 0.98
