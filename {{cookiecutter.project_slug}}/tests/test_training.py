"""Training gives a model that is better than guessing, the same each time, and refuses what it cannot learn from."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from player.config import Settings
from player.errors import DataError
from player.features import clean_table, read_schema
from player.training import Trained, answer_unseen, build_pipeline, read_table, train


def test_the_model_is_better_than_the_most_frequent_label(trained: Trained) -> None:
    """On rows it has not seen, the model beats the simplest answer, and its probabilities are honest."""
    assert trained.metrics["accuracy"] > trained.metrics["baseline_accuracy"]
    assert trained.metrics["calibration_error"] < 0.1


def test_what_is_only_known_afterwards_is_no_feature(trained: Trained) -> None:
    """Label, id, time and the column of later days are not in the schema."""
    assert not {"repaid", "applicant_id", "applied_on", "months_in_arrears"} & set(trained.schema.names)


def test_the_same_table_gives_the_same_model(settings: Settings, table: pd.DataFrame, trained: Trained) -> None:
    """Training twice gives bit-equal probabilities."""
    again = train(table, settings)
    rows = clean_table(table.head(200), trained.schema)

    assert np.array_equal(trained.pipeline.predict_proba(rows), again.pipeline.predict_proba(rows))


def test_the_profile_describes_the_training_data(trained: Trained) -> None:
    """Shares add up to one for each feature, so monitoring has something to compare with."""
    for feature in trained.profile["features"].values():
        shares = feature["shares"]
        total = sum(shares.values() if isinstance(shares, dict) else shares)
        assert total == pytest.approx(1)
        assert 0 <= feature["missing"] < 1
    assert trained.rows == trained.profile["rows"]


def test_a_feature_that_knows_the_answer_is_noticed(
    settings: Settings, table: pd.DataFrame, caplog: pytest.LogCaptureFixture
) -> None:
    """A column of later days that was not declared is named in a warning."""
    data = settings.data.model_copy(update={"not_at_request_time": ()})
    with caplog.at_level(logging.WARNING):
        train(table, settings.model_copy(update={"data": data}))

    assert "months_in_arrears alone predicts the label" in caplog.text


@pytest.mark.parametrize("labels", [["no", "yes"], [False, True], [1.0, 2.0], ["a", "b", "c"]])
def test_labels_may_be_texts_truths_or_more_than_two(settings: Settings, labels: list[object]) -> None:
    """Any kind of class is learned, and its own plain value comes back."""
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"x": rng.normal(size=300)})
    table["repaid"] = [labels[i] for i in np.digitize(table["x"], [-0.3, 0.4][: len(labels) - 1])]

    classes = train(table, settings).classes

    assert labels == classes
    assert {type(label) for label in classes} <= {str, bool, int}


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (pd.DataFrame({"x": [1, 2]}), "no column 'repaid'"),
        (pd.DataFrame({"x": range(20), "repaid": [1] * 20}), "only the value"),
        (pd.DataFrame({"x": range(20), "repaid": [None] * 20}), "no value"),
        (pd.DataFrame({"x": range(20), "repaid": [1] * 18 + [0] * 2}), "has 2 rows"),
        (pd.DataFrame({"x": range(500), "repaid": range(500)}), "must be a class"),
        (pd.DataFrame({"repaid": [0, 1] * 20}), "no feature columns"),
    ],
)
def test_a_table_that_cannot_be_learned_from_is_refused(settings: Settings, table: pd.DataFrame, said: str) -> None:
    """The refusal says what is missing, in one line."""
    with pytest.raises(DataError, match=said):
        train(table, settings)


@pytest.mark.parametrize(
    ("content", "said"), [("", "cannot be read"), ("a,b\n", "has no rows"), (None, "does not exist")]
)
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, content: str | None, said: str) -> None:
    """An empty, missing or headless file is refused, naming the file."""
    path = tmp_path / "table.csv"
    if content is not None:
        path.write_text(content, encoding="utf-8")

    with pytest.raises(DataError, match=said):
        read_table(path)


@pytest.mark.parametrize("classes", [2, 3])
def test_calibration_leaves_the_answers_as_they_are(settings: Settings, classes: int) -> None:
    """The pipeline names the class that its classifier names, also when the table is sorted and a text comes twice."""
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"x": np.sort(rng.normal(size=300)), "place": [f"p{row // 2}" for row in range(300)]})
    table["repaid"] = np.digitize(table["x"] + rng.normal(size=300), [0, 0.5][: classes - 1])
    data = settings.data.model_copy(update={"keep": ("place",)})
    schema = read_schema(table, data)
    features = clean_table(table, schema)
    pipeline = build_pipeline(schema).fit(features, table["repaid"])
    prepared, (calibrated,) = pipeline[:-1].transform(features), pipeline[-1].calibrated_classifiers_

    assert np.array_equal(calibrated.estimator.predict(prepared), pipeline.predict(features))
    assert prepared.shape[1] == 1 + 150


def by_days(labels: np.ndarray, x: np.ndarray) -> pd.DataFrame:
    """Return a table of one row a day from 2024-01-01 on, its rows in no order."""
    days = pd.date_range("2024-01-01", periods=len(x)).strftime("%Y-%m-%d")
    return pd.DataFrame({"applied_on": days, "x": x, "repaid": labels}).sample(frac=1, random_state=1)


def test_the_newest_fifth_tests_what_the_others_taught(settings: Settings) -> None:
    """In production only newer rows will come."""
    x = np.random.default_rng(1).normal(size=100)

    assert (
        "learned from 2024-01-01 to 2024-03-20, tested on 2024-03-21 to 2024-04-09"
        == train(by_days((x > 0).astype(int), x), settings).period
    )


def test_when_the_newest_rows_have_one_label_chance_chooses(settings: Settings) -> None:
    """Where all have the same answer, nothing can be tested."""
    x = np.random.default_rng(1).normal(size=100)
    x[80:] = abs(x[80:])

    assert "tested on 20 rows chosen by chance" == train(by_days((x > 0).astype(int), x), settings).period


def test_a_model_that_is_worse_than_the_most_frequent_label_is_named(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """In the newest fifth the world has turned round."""
    x = np.random.default_rng(1).normal(size=100)
    labels = x > 0
    labels[80:] = x[80:] < 0
    with caplog.at_level(logging.WARNING):
        trained = train(by_days(labels.astype(int), x), settings)

    assert trained.metrics["accuracy"] < trained.metrics["baseline_accuracy"]
    assert "no better than always answering the most frequent label" in caplog.text


def test_each_row_of_a_small_table_is_answered_by_a_model_that_has_not_learned_it(settings: Settings) -> None:
    """A label that was written wrong stays a surprise: who has learned it would know it."""
    x = np.random.default_rng(1).normal(size=200)
    labels = (x > 0).astype(int)
    strange = int(abs(x).argmax())
    labels[strange] = 1 - labels[strange]
    table = pd.DataFrame({"x": x, "repaid": labels})
    schema = read_schema(table, settings.data)
    features = clean_table(table, schema)
    fitted = build_pipeline(schema).fit(features, labels)

    honest = answer_unseen(features, labels, schema, np.arange(160, 200), fitted)

    assert list(range(200)) == honest.rows.tolist()
    assert 0.95 < np.mean((honest.proba > 0.5) == labels) < 1
    assert (honest.proba[strange] > 0.5) != labels[strange]
