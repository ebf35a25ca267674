"""Which answers never get a label, and whose labels contradict those of all others."""

import pandas as pd
import pytest

from player.retraining.label_quality import never_labelled, odd_senders


def asked(answers: list[int], labels: list[int | None]) -> pd.DataFrame:
    """Return rows with these answers and labels, oldest first."""
    return pd.DataFrame({"received_at": range(len(answers)), "pred": answers, "label": labels}, dtype="object")


def labelled(wrong: dict[str, tuple[int, int]]) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return rows with a label, and their senders: *wrong* says for each how many of how many contradict."""
    labels = [(name, int(row >= bad)) for name, (bad, rows) in wrong.items() for row in range(rows)]
    ids = [f"r{number}" for number in range(len(labels))]
    rows = pd.DataFrame({"request_id": ids, "pred": 1, "label": [label for _, label in labels]})
    return rows, dict(zip(ids, [name for name, _ in labels], strict=True))


@pytest.mark.parametrize(("rows", "found"), [(29, []), (30, ["0"])])
def test_thirty_answers_without_a_label_are_no_accident(rows: int, found: list[str]) -> None:
    """Fewer may have been unlucky."""
    assert found == never_labelled(asked([0] * rows + [1] * 40, [None] * rows + [1] * 40))


@pytest.mark.parametrize(("labels", "found"), [(1, ["0"]), (2, [])])
def test_hardly_ever_is_less_than_a_twentieth_of_what_other_answers_get(labels: int, found: list[str]) -> None:
    """Of forty rows with the other answer all have a label."""
    assert found == never_labelled(asked([0] * 40 + [1] * 40, [None] * (40 - labels) + [0] * labels + [1] * 40))


def test_without_any_label_nothing_is_said() -> None:
    """Labels may only be late."""
    assert [] == never_labelled(asked([0, 1] * 40, [None] * 80))


@pytest.mark.parametrize(("wrong", "found"), [(15, []), (16, ["odd"])])
def test_four_standard_deviations_are_no_accident(wrong: int, found: list[str]) -> None:
    """Of 41 labels 15 against 40 of 300 deviate by 3.8 standard deviations, 16 by 4.2, pooled as in any textbook."""
    rows, senders = labelled({"fine": (40, 300), "odd": (wrong, 41)})

    assert found == list(odd_senders(rows, senders))


def test_a_small_difference_is_none_however_many_labels_show_it() -> None:
    """25 % against 10 % of 4,000 labels is sure, and still within what one customer may differ from another."""
    rows, senders = labelled({"fine": (400, 4000), "other": (960, 4000)})

    assert {} == odd_senders(rows, senders)


def test_what_is_odd_is_said_in_numbers() -> None:
    """Also of a sender who stands between others, one of whom has too few labels to be judged."""
    rows, senders = labelled({"a": (0, 3), "b": (5, 100), "c": (30, 30), "d": (5, 100)})

    assert {"c": "100% of its 30 labels contradict, 5% of others'"} == odd_senders(rows, senders)


@pytest.mark.parametrize(("labels", "found"), [(29, []), (30, ["few"])])
def test_fewer_than_thirty_labels_prove_nothing(labels: int, found: list[str]) -> None:
    """Neither when all of them contradict."""
    rows, senders = labelled({"fine": (0, 100), "few": (labels, labels)})

    assert found == list(odd_senders(rows, senders))


def test_who_is_always_right_is_not_odd() -> None:
    """Only more contradictions than others count, not fewer."""
    rows, senders = labelled({"best": (0, 100), "others": (60, 100)})

    assert ["others"] == list(odd_senders(rows, senders))


def test_labels_of_nobody_are_one_sender() -> None:
    """Requests whose label came without a name are looked at together."""
    rows, _ = labelled({"known": (0, 50), "nobody": (50, 50)})

    assert ["unknown"] == list(odd_senders(rows, {f"r{number}": "known" for number in range(50)}))
