"""Figures say what answered requests show, and None where nobody can know."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from player.config import Settings
from player.monitoring.figures import COLUMNS, measure, since_current_model, tidy
from player.monitoring.periods import MOST, periods
from player.monitoring.quality import wilson
from player.monitoring.reports import chapters, report

START = datetime(2026, 11, 23, 7, 22, 40, tzinfo=UTC)


def make_rows(answers: list[tuple[Any, float, Any]], **columns: Any) -> pd.DataFrame:
    """Return a row a second for each (pred, proba, label); *columns* replace the ordinary values."""
    rows = [
        {
            "request_id": f"r{i}", "received_at": START + timedelta(seconds=i), "model": "m1", "pred": pred,
            "proba": proba, "degraded": False, "features": {}, "warnings": [], "latency_ms": 5.0, "label": label,
            "label_at": None if label is None else START + timedelta(seconds=i + 30),
        }
        for i, (pred, proba, label) in enumerate(answers)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS).astype({"label": "object"}).assign(**columns)


def test_right_answers_are_counted_and_late_labels_left_out() -> None:
    """Accuracy, points and coverage count labelled rows only; the expected accuracy needs no label."""
    figures = measure(make_rows([(1, 0.9, 1), (1, 0.8, 0), (0, 0.3, 0), (0, 0.2, None)]), ["0", "1"])

    assert figures.points == 2
    assert figures.accuracy == wilson(2, 3)
    assert figures.coverage == 0.75
    assert figures.expected_accuracy == pytest.approx((0.9 + 0.8 + 0.7 + 0.8) / 4)
    assert figures.label_delay_seconds == 30
    assert figures.confusion == {"0": {"0": 1, "1": 1}, "1": {"0": 0, "1": 1}}


def test_nothing_is_claimed_about_no_rows() -> None:
    """Without rows every figure is zero or None; without labels everything that needs them is None."""
    figures = measure(make_rows([]), ["0", "1"])
    unlabelled = measure(make_rows([(1, 0.9, None)]), ["0", "1"])

    assert (figures.rows, figures.accuracy, figures.expected_accuracy, figures.latency_ms) == (0, None, None, {})
    assert (unlabelled.accuracy, unlabelled.auc, unlabelled.precision, unlabelled.calibration_error) == (None,) * 4
    assert unlabelled.label_delay_seconds is None


def test_one_class_alone_has_no_auc() -> None:
    """Ranking needs both classes; with one of them among the labels it is not known."""
    assert measure(make_rows([(1, 0.9, 1), (0, 0.4, 1)]), ["0", "1"]).auc is None


def test_three_classes_have_accuracy_but_no_positive_class() -> None:
    """With more than two classes `proba` belongs to the answer, and what needs a positive class is None."""
    figures = measure(make_rows([("a", 0.5, "a"), ("b", 0.7, "c")]), ["a", "b", "c"])

    assert figures.expected_accuracy == pytest.approx(0.6)
    assert (figures.positive, figures.auc, figures.precision, figures.calibration_error) == ("", None, None, None)


@pytest.mark.parametrize("label", [1, 1.0, "1"])
def test_a_label_is_the_same_class_however_it_was_written(label: Any) -> None:
    """A whole float and a text of digits are the class that the integer is."""
    assert measure(make_rows([(1, 0.9, label)]), ["0", "1"]).points == 1


@pytest.mark.parametrize("label", [[1], {"label": 1}, "castle", 7, False, 10**400])
def test_a_label_of_no_class_is_a_wrong_answer_not_an_error(label: Any) -> None:
    """Whatever JSON a label was, counting goes on."""
    figures = measure(make_rows([(1, 0.9, label)]), ["0", "1"])

    assert (figures.labelled, figures.points) == (1, 0)


def test_labels_for_some_answers_only_are_seen() -> None:
    """Where only approved applicants get a label, the coverage by answer shows it."""
    assert measure(make_rows([(1, 0.9, 1), (0, 0.2, None)]), ["0", "1"]).coverage_by_answer == {"0": 0.0, "1": 1.0}


def test_a_new_model_is_not_blamed_for_the_old_one() -> None:
    """Figures begin where the current model took over; fallback answers in between belong to it."""
    rows = make_rows([(1, 0.9, 0)] * 6, model=["m1", "m1", "m2", "prior", "m2", "m2"])
    rows["degraded"] = rows["model"] == "prior"

    assert since_current_model(rows)["model"].tolist() == ["m2", "prior", "m2", "m2"]


def test_the_newest_row_may_come_first() -> None:
    """The order of the rows makes no difference."""
    rows = make_rows([(1, 0.9, 1), (1, 0.8, 0), (0, 0.3, 0)])

    pd.testing.assert_frame_equal(tidy(rows), tidy(rows.iloc[::-1]))


def test_a_long_time_has_no_more_periods_than_fit_a_chart() -> None:
    """Periods grow with the time they cover; one row a year ago does not make thousands of them."""
    rows = make_rows([(1, 0.9, 1)] * 3)
    rows.loc[0, "received_at"] = START - timedelta(days=400)

    found = periods(rows)

    assert len(found) <= MOST
    assert sum(each.rows for each in found) == 3


def test_a_report_becomes_json_and_text(settings: Settings) -> None:
    """A report without rows, without a profile and with odd values can still be printed and sent."""
    for rows in (make_rows([]), make_rows([(1, float("nan"), 1), ("\ud800", 0.5, "\x1b[31m")])):
        found = report(rows, None, settings.monitoring)

        assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["diagnosis"]["cause"] == "too few rows"
        assert found.to_text().startswith("TOO FEW ROWS: ")


def test_chapters_are_whole_windows_oldest_first(settings: Settings) -> None:
    """Each chapter is about as many rows as "now" is, counted from the first row."""
    limits = settings.monitoring.model_copy(update={"window_rows": 4})

    found = chapters(make_rows([(1, 0.9, 1)] * 10), None, limits)

    assert [each.figures.rows for each in found] == [4, 4]
    assert found[-1].figures.last == START + timedelta(seconds=7)


def test_a_closed_chapter_never_changes(settings: Settings) -> None:
    """More rows, or fewer old ones, leave the chapters that were there as they were."""
    limits = settings.monitoring.model_copy(update={"window_rows": 4})
    rows = make_rows([(1, 0.9, 1)] * 14)

    early = chapters(rows.head(10), None, limits)
    late = chapters(rows.tail(9), None, limits, before=5)

    assert [each.figures.first for each in late] == [START + timedelta(seconds=8)]
    assert early == chapters(rows, None, limits)[:2]
