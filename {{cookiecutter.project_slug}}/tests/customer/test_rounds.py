"""What holds for the rounds of a game, on the world of applicants and on any labelled CSV."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import PROJECT

from customer import oddities, rounds, table, world
from customer.errors import CustomerError
from customer.rounds import Round, draw_cases, from_csv, standard_game, the_world


@pytest.fixture(name="csv")
def _csv(tmp_path: Path) -> Path:
    """A table of 100 rows with text labels, a missing label and a missing value."""
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"size": rng.normal(100, 20, 100), "colour": ["red", "blue"] * 50, "code": range(100)})
    table["kind"] = np.where(table["size"] > 100, "big", "small")
    table.loc[4, "colour"], table.loc[3, "kind"] = None, None
    table.to_csv(tmp_path / "things.csv", index=False)
    return tmp_path / "things.csv"


def play(name: str, requests: int = 200) -> Round:
    return next(part for part in standard_game(the_world(), requests) if part.name == name)


def test_standard_game_has_every_cause_of_degradation() -> None:
    """A game begins with what the player was trained for and ends with a burst."""
    names = [part.name for part in standard_game(the_world(), 10)]

    assert [
        "as trained",
        "odd values",
        "another population",
        "data gathered differently",
        "another nature",
        "rush hour",
    ] == names
    assert play("rush hour").parallel > play("as trained").parallel


def test_same_seed_same_cases() -> None:
    """A round depends on the seed and its own name, on nothing else."""
    assert draw_cases(play("odd values"), 5) != draw_cases(play("odd values"), 6)
    assert json.dumps([case.features for case in draw_cases(play("odd values"), 5)]) == json.dumps(
        [case.features for case in draw_cases(play("odd values"), 5)]
    )


def test_request_holds_features_only() -> None:
    """Nothing that tells the label, and no id or date, is in a request; missing values are null."""
    played = world.chosen()
    known = set(played.training_table(10, seed=1)) - {played.label, played.id, played.time, played.afterwards}
    cases = draw_cases(play("as trained"), 1)
    features = pd.DataFrame([case.features for case in cases])

    assert known == set(features)
    assert {int, float, str, type(None)} == {type(value) for case in cases for value in case.features.values()}
    assert {int} == {type(case.label) for case in cases}


def test_best_is_what_the_truth_allows() -> None:
    """A player who knows the truth is right about three or four cases of five, and never about all."""
    cases = draw_cases(play("as trained", 2000), 1)

    assert 0.7 < np.mean([case.best for case in cases]) < 0.85


def test_odd_values_are_of_every_kind_and_can_be_sent() -> None:
    """Each kind of odd value occurs, and every odd request can be written as JSON."""
    texts = [json.dumps(case.features) for case in draw_cases(play("odd values", 1500), 1)]
    everything = "\n".join(texts)
    telling = ("NaN", "Infinity", "9" * 400, "null", "EUR", "something new", "__proto__", "[1, 2, 3]", "\\ud800", "N/A")

    assert [] == [mark for mark in telling if mark not in everything]
    assert "{}" in texts
    column = next(iter(draw_cases(play("as trained", 1), 1)[0].features))
    assert any(f'"{column}"' not in text for text in texts if text != "{}")


def test_odd_values_leave_the_original_alone() -> None:
    """Making a request odd does not change the applicant."""
    applicant = {"age": 42, "income": 31000.5, "housing": "rent"}
    for seed in range(50):
        oddities.make_odd(np.random.default_rng(seed), applicant)

    assert {"age": 42, "income": 31000.5, "housing": "rent"} == applicant


def test_csv_rounds(csv: Path) -> None:
    """Every fifth labelled row of a CSV is played, with the labels' own values; the truth is not known."""
    population = from_csv(csv, "kind", ("code",))
    game = standard_game(population, 500)
    cases = draw_cases(game[0], 1)

    assert ("big", "small") == population.labels
    assert 19 == len(cases)
    assert {"size", "colour"} == set(cases[0].features)
    assert all(case.best for case in cases)
    assert not population.truth_known


def test_csv_shifts(csv: Path) -> None:
    """Another population of a CSV are its large rows; gathered differently means another unit."""
    parts = {part.name: part for part in standard_game(from_csv(csv, "kind", ("code",)), 10)}
    sizes = {
        name: [case.features["size"] for case in draw_cases(part, 1)] for name, part in parts.items() if not part.odd
    }

    assert min(sizes["another population"]) > np.mean(sizes["as trained"])
    assert max(sizes["data gathered differently"]) < 1
    assert "another nature" not in parts


def test_csv_without_numbers_has_fewer_rounds(tmp_path: Path) -> None:
    """A CSV without a numeric column is played as it is, odd, and in a hurry."""
    path = tmp_path / "words.csv"
    pd.DataFrame({"word": ["a", "b"] * 20, "yes": [True, False] * 20}).to_csv(path, index=False)
    population = from_csv(path, "yes")

    assert ["as trained", "odd values", "rush hour"] == [part.name for part in standard_game(population, 5)]
    assert (False, True) == population.labels


@pytest.mark.parametrize(
    ("text", "label", "message"),
    [
        ("", "kind", "cannot be read"),
        ("a,b\n1,2\n", "kind", "no column 'kind'"),
        ("a,kind\n" + "1,x\n" * 30, "kind", "two different values"),
        ("a,kind\n1,x\n2,y\n", "kind", "at least 10 rows"),
    ],
)
def test_unusable_csv_is_refused(tmp_path: Path, text: str, label: str, message: str) -> None:
    """A CSV that cannot be played is refused with the reason."""
    path = tmp_path / "bad.csv"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(CustomerError, match=message):
        from_csv(path, label)


def test_labels_come_late() -> None:
    """In every round a label is known only when more applicants have been asked."""
    delays = [part.label_delay for part in standard_game(the_world(), 10)]

    assert [rounds.LABEL_DELAY] * 6 == delays
    assert rounds.LABEL_DELAY > 0


def test_no_row_comes_twice_while_there_are_others(csv: Path) -> None:
    """Each round has rows of its own; where the table is too small for that, the remark says so."""
    game = standard_game(from_csv(csv, "kind"), requests=4)
    calm = [part for part in game if part.name in ("as trained", "rush hour")]
    codes = [case.features["code"] for part in calm for case in draw_cases(part, 3)]

    assert len(set(codes)) == len(codes)
    rows = game[0].population.rows
    assert rows is not None
    assert "more than once" not in table.remark(rows, 4, 4)
    assert "more than once" in table.remark(rows, 40, 4)
    assert "in-sample" in table.remark(rows, 4, 4)


@pytest.mark.parametrize(
    ("name", "labels"),
    [("labels-01-02", ("01", "02")), ("none-is-a-class", ("None", "paid")), ("bool-label-with-gap", (False, True))],
)
def test_cells_are_sent_as_they_are_written(name: str, labels: tuple[object, ...]) -> None:
    """`01`, `None` and `NA` stay what they are, true and false are truth values."""
    population = from_csv(PROJECT / "tests" / "cases" / f"{name}.csv", "repaid")
    assert population.rows is not None

    assert labels == population.labels
    assert "NA" in set(population.rows["country"])
