"""What holds for every world, and for the loan applicants and subscribers as they are."""

import ast
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from conftest import PROJECT

from customer import rounds, world
from customer.cli import main
from customer.errors import CustomerError
from customer.world import World
from player.config import load_settings
from player.features import read_schema
from player.training import train

NAMES = world.names()
every_world = pytest.mark.parametrize("played", [world.load(name) for name in NAMES], ids=NAMES)


def draw(played: World, shift: str = world.AS_TRAINED, seed: int = 1, n: int = 20_000) -> pd.DataFrame:
    return played.sample(np.random.default_rng(seed), n, shift)


def changed(played: World, shift: str) -> list[str]:
    """Return the columns in which a shift differs from what is usual, for the same random numbers."""
    usual, other = draw(played, n=500), draw(played, shift, n=500)
    assert list(usual) == list(other)
    return [name for name in usual if not usual[name].equals(other[name])]


def best_share(played: World, people: pd.DataFrame) -> float:
    return float(((people[world.PROBABILITY] > 0.5) == people[played.label]).mean())


def choose(home: Path, name: str) -> None:
    """Set in a scratch project which world is played."""
    base = home / "config" / "base.toml"
    text = base.read_text(encoding="utf-8")
    now = tomllib.loads(text)["customer"]["world"]
    base.write_text(text.replace(f'world = "{now}"', f'world = "{name}"'), encoding="utf-8")


def test_training_data_is_what_the_command_writes() -> None:
    """The training data of the project and its description are byte for byte what `customer data` writes."""
    played = world.chosen(PROJECT / "config" / "base.toml")
    text = played.training_table(rows=20_000, seed=2026).to_csv(index=False, lineterminator="\n")

    assert text.encode() == (PROJECT / "data" / "train_data.csv").read_bytes()
    assert played.describe().encode() == (PROJECT / "config" / "data.toml").read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_one_setting_and_one_command_change_the_world(home: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Then the player learns from its table, beats the most frequent class, and knows every column that is asked."""
    monkeypatch.chdir(home)
    choose(home, name)
    written = CliRunner().invoke(main, ["data", "--rows", "3000"])
    settings = load_settings("testing")
    trained = train(pd.read_csv(home / settings.data.train), settings)
    asked = rounds.draw_cases(rounds.standard_game(rounds.the_world(), 10)[0], seed=1)[0].features

    assert written.exit_code == 0, written.output
    assert list(asked) == trained.schema.names
    assert trained.metrics["accuracy"] > trained.metrics["baseline_accuracy"] + 0.03


@every_world
def test_same_seed_same_rows(played: World) -> None:
    """The same seed gives the same rows, another seed others."""
    pd.testing.assert_frame_equal(draw(played, seed=7, n=50), draw(played, seed=7, n=50))

    assert not draw(played, seed=7, n=50).equals(draw(played, seed=8, n=50))


@pytest.mark.parametrize("shift", world.SHIFTS)
@every_world
def test_the_truth_decides_and_leaves_something_open(played: World, shift: str) -> None:
    """Both labels are common, the best player is clearly better than a constant answer, and is not always right."""
    people = draw(played, shift)
    common = people[played.label].mean()

    assert {0, 1} == set(people[played.label])
    assert 0.25 < common < 0.75
    assert max(common, 1 - common) + 0.05 < best_share(played, people) < 0.9
    assert people[world.PROBABILITY].mean() == pytest.approx(common, abs=0.02)


@every_world
def test_each_shift_changes_its_own_side(played: World) -> None:
    """A new form changes what is sent, another nature what comes true, another population both."""
    outcome = {world.PROBABILITY, played.label}

    assert changed(played, world.GATHERED_DIFFERENTLY)
    assert not outcome & set(changed(played, world.GATHERED_DIFFERENTLY))
    assert outcome == set(changed(played, world.ANOTHER_NATURE))
    assert set(changed(played, world.ANOTHER_POPULATION)) - outcome


@every_world
def test_a_new_form_changes_a_unit_and_a_word(played: World) -> None:
    """A number comes in another unit, and a category is called something that it never was."""
    usual, other = draw(played), draw(played, world.GATHERED_DIFFERENTLY)
    names = changed(played, world.GATHERED_DIFFERENTLY)
    numbers = [name for name in names if pd.api.types.is_numeric_dtype(usual[name])]
    words = [name for name in names if name not in numbers]

    assert numbers
    assert words
    assert all(not 0.5 < other[name].median() / usual[name].median() < 2 for name in numbers)
    assert all(set(other[name]) - set(usual[name]) for name in words)


@every_world
def test_some_values_are_missing_and_some_never(played: World) -> None:
    """As it is in a table that people have filled in."""
    missing = draw(played).drop(columns=[world.PROBABILITY, played.label]).isna().mean()

    assert 0.01 < missing.max() < 0.3
    assert missing.min() == 0


@every_world
def test_training_data_has_a_leak_and_an_order(played: World, home: Path) -> None:
    """It is in time order, an id names each row, and one column nearly tells the label: no feature is one of these."""
    table = played.training_table(2_000, seed=1)
    data = load_settings("testing").data.model_copy(update=tomllib.loads(played.describe())["data"])
    told = table.groupby(played.afterwards)[played.label].mean().round()

    assert table[played.time].is_monotonic_increasing
    assert table[played.id].is_unique
    assert (table[played.afterwards].map(told) == table[played.label]).mean() > 0.98
    assert not {played.id, played.time, played.label, played.afterwards} & set(read_schema(table, data).names)


@every_world
def test_an_unknown_shift_is_refused(played: World) -> None:
    """With the names of those that there are."""
    with pytest.raises(ValueError, match="another nature"):
        draw(played, "bad weather")


@pytest.mark.parametrize("named", ['"narnia"', "7", '"../world"', '"__init__"'])
def test_an_unknown_world_is_refused(tmp_path: Path, named: str) -> None:
    """In one sentence with the names of those that there are."""
    path = tmp_path / "base.toml"
    path.write_text(f"[customer]\nworld = {named}\n", encoding="utf-8")

    with pytest.raises(CustomerError, match=r"There is no world .*; there are churn, loans"):
        world.chosen(path)


def test_no_column_of_a_world_is_known_elsewhere() -> None:
    """Neither the player nor the rest of the customer names a column of any world, but in examples and comments."""
    columns = {str(name) for each in NAMES for name in world.load(each).training_table(10, seed=1)}
    code = [path for room in ("player", "customer") for path in (PROJECT / room).rglob("*.py")]
    texts = {
        (path.relative_to(PROJECT).as_posix(), node.value)
        for path in code
        if path.parent.name != "worlds"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }

    assert [] == sorted((path, text) for path, text in texts if text in columns)


LOANS, CHURN = world.load("loans"), world.load("churn")


@pytest.mark.parametrize(
    ("played", "shift", "share"),
    [
        (LOANS, world.AS_TRAINED, 0.71),
        (LOANS, world.ANOTHER_POPULATION, 0.49),
        (CHURN, world.AS_TRAINED, 0.30),
        (CHURN, world.ANOTHER_POPULATION, 0.45),
    ],
)
def test_base_rate(played: World, shift: str, share: float) -> None:
    """Most usual applicants repay, of another population only half do; more students leave than subscribers do."""
    assert draw(played, shift)[played.label].mean() == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize(
    ("played", "names", "renamed"),
    [(LOANS, ["income", "housing"], "home loan"), (CHURN, ["data_gb", "tariff"], "household")],
)
def test_gathered_differently_changes_only_what_is_sent(played: World, names: list[str], renamed: str) -> None:
    """A new form changes two columns as sent, and nothing about what comes true."""
    assert names == changed(played, world.GATHERED_DIFFERENTLY)
    assert renamed in set(draw(played, world.GATHERED_DIFFERENTLY)[names[1]])
