"""Retraining: what is learned from, when a challenger wins, and what is refused."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from conftest import training_data
from filelock import FileLock

from player.cli import main
from player.config import Settings
from player.errors import ConfigError, ModelMissing
from player.features import clean_table
from player.model import loading, records, saving, store
from player.model.champion_challenger import compare
from player.retraining import report, retrain, schedule
from player.retraining.dataset import Past, find_leaks, of_this_table, unseen, usable
from player.retraining.label_quality import never_labelled, odd_senders
from player.retraining.recipes import Recipe, boosted_trees, recipes
from player.retraining.report import BUSY, KEPT, NEW_MODEL, Outcome
from player.storage.migrations import upgrade
from player.storage.writer import LabelRow, PredictionRow, Writer
from player.training import EXAMPLES, Trained, as_classes, build_pipeline, in_time_order

START = datetime(2026, 1, 1, tzinfo=UTC)
Fill = Callable[..., None]


@pytest.fixture(name="fill")
def _fill(model_settings: Settings, trained: Trained) -> Fill:
    """Put *rows* answered and labelled requests into the database; *flip_every*: each so manieth label is the other."""
    everybody = training_data()

    def fill(rows: int, flip_every: int = 0, only: int | None = None) -> None:
        asked = everybody.iloc[5000 : 5000 + rows]  # applicants the small model has not learned from
        version = store.current_manifest(model_settings).version
        cleaned = clean_table(asked, trained.schema)
        answers = trained.pipeline.predict(cleaned).tolist()
        proba = trained.pipeline.predict_proba(cleaned)[:, 1].tolist()
        requests = json.loads(asked[trained.schema.names].to_json(orient="records"))
        flipped = [flip_every > 0 and i % flip_every == 0 for i in range(rows)]
        truths = [1 - truth if flip else truth for truth, flip in zip(asked["repaid"].tolist(), flipped, strict=True)]
        upgrade(model_settings)
        writer = Writer(model_settings)
        writer.start()
        predictions, labels = [], []
        for i, (features, answer, truth) in enumerate(zip(requests, answers, truths, strict=True)):
            at = START + timedelta(seconds=i)
            predictions.append(
                PredictionRow(f"r{i}", at, version, answer, proba[i], False, features, [], 5.0, "customer")
            )
            if only is None or answer == only:
                labels.append(LabelRow(f"l{i}", f"r{i}", truth, at + timedelta(minutes=1), "customer"))
        writer.put_predictions(predictions)
        writer.put_labels(labels)
        writer.stop()

    return fill


def run(*arguments: str) -> Any:
    """Run `player -e testing` with *arguments*."""
    return CliRunner().invoke(main, ["-e", "testing", *arguments], catch_exceptions=False)


def test_a_better_challenger_takes_over(model_settings: Settings, fill: Fill) -> None:
    """When the relation has changed, a model that learned the new one becomes current, its parent the old one."""
    fill(400, flip_every=1)
    champion = store.current_manifest(model_settings).version

    outcome = retrain.retrain(model_settings)

    manifest = store.current_manifest(model_settings)
    assert NEW_MODEL == outcome.decision
    assert (outcome.version, champion) == (manifest.version, manifest.parent)
    assert manifest.note.startswith("player retrain: ")
    assert outcome.contests[-1].comparison.low > 0
    record = records.read(model_settings)[-1]
    assert (outcome.version, champion, records.APPROVED) == (record["version"], record["replaces"], record["outcome"])
    assert ("player retrain", outcome.contests[-1].comparison.sentence) == (record["who"], record["why"])
    assert [("champion and challenger", True)] == [(gate["gate"], gate["passed"]) for gate in record["gates"]]


def test_a_model_keeps_no_row_of_a_user(
    model_settings: Settings, fill: Fill, table: pd.DataFrame, trained: Trained
) -> None:
    """What was collected must be forgotten one day, so the examples in the manifest are values of the training data."""
    fill(400, flip_every=1)

    retrain.retrain(model_settings)

    oldest = in_time_order(table, model_settings.data).head(EXAMPLES)
    examples = store.current_manifest(model_settings).examples
    first = trained.schema.names[0]
    assert sorted(oldest[first].tolist()) == sorted(row[first] for row in examples)


def test_a_challenger_that_is_not_better_leaves_the_champion(model_settings: Settings, fill: Fill) -> None:
    """Rows like those of training teach nothing new; the old model stays and the page says why."""
    fill(300)
    before = store.pointer(model_settings)

    outcome = retrain.retrain(model_settings)

    assert (KEPT, before) == (outcome.decision, store.pointer(model_settings))
    assert "not better beyond doubt" in Path(outcome.page).read_text(encoding="utf-8")


def test_the_pages_of_a_schedule_do_not_pile_up(
    model_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of retrainings that changed nothing the newest pages stay; those of models all do."""
    monkeypatch.setattr(report, "MOST_KEPT", 3)
    output = tmp_path / "output"
    output.mkdir()
    names = [f"retrain-kept-2020010{day}-120000.html" for day in range(1, 6)]
    for name in [*names, "retrain-20200101-120000-ab.html"]:
        (output / name).touch()

    page = report.write_page(Outcome(KEPT, "Kept."), model_settings.model_copy(update={"home": tmp_path})).page

    assert {*names[-2:], Path(page).name, "retrain-20200101-120000-ab.html"} == {each.name for each in output.iterdir()}


def test_flipped_labels_of_every_tenth_row_do_not_replace_the_champion(model_settings: Settings, fill: Fill) -> None:
    """A model that learned from poisoned labels is no better on the newest rows, so it does not win."""
    fill(400, flip_every=10)

    assert KEPT == retrain.retrain(model_settings).decision


def test_without_drift_nothing_is_trained(model_settings: Settings, fill: Fill) -> None:
    """`--if-drifted` ends with one line and exit code 0 when the newest rows look as in training."""
    fill(300)

    result = run("retrain", "--if-drifted")

    assert 0 == result.exit_code
    assert 1 == len(result.output.strip().splitlines())
    assert "No need to retrain" in result.output


def test_drift_starts_a_retraining(model_settings: Settings, fill: Fill) -> None:
    """`--if-drifted` retrains when the newest labels contradict the answers; `--json` says why."""
    fill(400, flip_every=1)

    result = run("retrain", "--if-drifted", "--json")

    found = json.loads(result.stdout)
    assert (0, NEW_MODEL) == (result.exit_code, found["decision"])
    assert "another nature" in found["reason"]


def test_too_few_labels_are_said(model_settings: Settings, fill: Fill) -> None:
    """A handful of labels cannot judge a model."""
    fill(20)

    outcome = retrain.retrain(model_settings)

    assert KEPT == outcome.decision
    assert "20 labels" in outcome.sentence


def test_an_empty_database_is_no_error(model_settings: Settings) -> None:
    """Before the first label there is nothing to do, which a timer must not report as a failure."""
    assert 0 == run("retrain", "--if-drifted").exit_code
    assert KEPT == retrain.retrain(model_settings).decision


def test_without_a_model_there_is_no_champion(settings: Settings) -> None:
    """Retraining needs a model to be better than."""
    with pytest.raises(ModelMissing, match="player train"):
        retrain.retrain(settings)


def test_two_retrainings_do_not_overlap(model_settings: Settings) -> None:
    """The second one sees the lock and ends."""
    with FileLock(store.folder(model_settings) / ".retrain.lock"):
        assert BUSY == retrain.retrain(model_settings).decision


def test_without_activation_the_model_is_only_saved(model_settings: Settings, fill: Fill) -> None:
    """`--no-activate` leaves the decision to a person."""
    fill(400, flip_every=1)
    before = store.pointer(model_settings)

    outcome = retrain.retrain(model_settings, activate=False)

    assert before == store.pointer(model_settings)
    assert outcome.version in [manifest.version for manifest in store.versions(model_settings)]


def test_selective_labels_are_marked(model_settings: Settings, fill: Fill) -> None:
    """When only approved applicants get labels, the outcome says so and the training data stays in every recipe."""
    fill(600, only=1)

    outcome = retrain.retrain(model_settings)

    assert any("Selective labels: applicants answered 0" in warning for warning in outcome.warnings)
    assert not any(name.endswith("only") for name, _ in outcome.contests[0].scores)
    assert "only where labels come" in outcome.sentence


def test_a_column_no_request_has_is_refused_by_name(settings: Settings, table: pd.DataFrame, trained: Trained) -> None:
    """What was never asked is only known afterwards, whatever [data] says."""
    data = settings.data.model_copy(update={"not_at_request_time": ()})
    unasked = trained.schema.names[-1]
    requests = [{name: 1 for name in table.columns if name not in ("months_in_arrears", unasked)}] * 50

    refused = find_leaks(table, as_classes(table["repaid"]), requests, data)

    assert {"months_in_arrears", unasked} == set(refused)
    assert "none of 50 requests had it" == refused[unasked]


def test_a_column_that_knows_the_answer_is_refused(settings: Settings, table: pd.DataFrame) -> None:
    """Also before any request was seen."""
    data = settings.data.model_copy(update={"not_at_request_time": ()})

    refused = find_leaks(table, as_classes(table["repaid"]), [], data)

    assert ["months_in_arrears"] == list(refused)


@pytest.mark.parametrize(
    ("won", "lost", "same", "better"),
    [
        (0, 0, 100, False),
        (5, 5, 90, False),
        (12, 8, 80, False),
        (25, 5, 70, True),
        (5, 25, 70, False),
        (1, 0, 0, False),
    ],
)
def test_only_a_difference_beyond_doubt_is_better(won: int, lost: int, same: int, better: bool) -> None:
    """Rows on which both agree say nothing; a small lead may be luck."""
    champion = np.array([False] * won + [True] * lost + [True] * same)
    challenger = np.array([True] * won + [False] * lost + [True] * same)

    assert better == compare(champion, challenger).better


def test_older_rows_weigh_a_tenth_together() -> None:
    """A recipe for the recent past keeps a little of what was before."""
    weights = Recipe("", build_pipeline, 100, 0.1).weights(1100)

    assert (1.0, 100) == (weights[-1], int((weights == 1).sum()))
    assert 10.0 == pytest.approx(weights[:1000].sum())


def test_boosted_trees_may_be_loaded(model_settings: Settings, trained: Trained, table: pd.DataFrame) -> None:
    """What a recipe makes passes the checks of the model store."""
    pipeline = boosted_trees(trained.schema).fit(clean_table(table, trained.schema), table["repaid"])
    version = saving.save(Trained(**{**vars(trained), "pipeline": pipeline}), model_settings).version

    assert version == loading.load(version, model_settings).manifest.version


def test_a_window_needs_rows_to_fill_it(trained: Trained) -> None:
    """With 200 collected rows nothing learns from "the newest 1,500"."""
    windows = {recipe.window for recipe in recipes(trained.schema, 200)}

    assert {None, 150} == windows


def test_rows_whose_label_may_still_come_are_not_missing_labels() -> None:
    """Only answers given before the newest labelled one count as unlabelled."""
    rows = pd.DataFrame({"received_at": range(200), "pred": [0, 1] * 100, "label": [1] * 100 + [None] * 100})

    assert [] == never_labelled(rows)


def test_a_sender_against_all_others_is_found() -> None:
    """One key that flips its labels stands out beside the others."""
    rows = pd.DataFrame({"request_id": [f"r{i}" for i in range(200)], "pred": [1] * 200, "label": [0] * 60 + [1] * 140})
    senders = {f"r{i}": "a" if i < 60 else "b" for i in range(200)}

    assert ["a"] == list(odd_senders(rows, senders))
    assert {} == odd_senders(rows, dict.fromkeys(senders, "a"))


@pytest.mark.parametrize("text", ["", "10", "m", "-5m", "0s", "1.5h", "5 weeks"])
def test_a_period_that_is_none_is_refused(text: str) -> None:
    """The error shows how to write one."""
    with pytest.raises(ConfigError, match="10m"):
        schedule.read_period(text)


def test_a_failing_run_does_not_end_the_schedule() -> None:
    """The exit code is returned and logged; the next run comes all the same."""
    assert 3 == schedule.run_once(["python", "-c", "import sys; sys.exit(3)"])


def test_the_scheduler_starts_a_retraining_of_the_environment() -> None:
    """One job, every so many seconds, never two at a time."""
    command = schedule.retrain_command("testing")
    job = schedule.create_scheduler(command, 90).get_jobs()[0]

    assert ["--environment", "testing", "retrain", "--if-drifted"] == command[-4:]
    assert (1, 90) == (job.max_instances, job.trigger.interval.total_seconds())


def test_rows_of_another_table_are_left_out_with_a_count(trained: Trained) -> None:
    """They are told apart by the schema of the model; a row with few or with further columns is still one of it."""
    own = dict.fromkeys(trained.schema.names, 1)
    rows = pd.DataFrame(
        {"features": [own, {"age": 3}, {**own, "more": 1}, {"height": 3, "width": 4, "age": 1}, {"x": 1}]}
    )

    kept, sentence = of_this_table(rows, trained.schema)

    assert 3 == len(kept)
    assert "2 of 5 labelled rows are of another table than the model's; left out." == sentence
    assert "" == of_this_table(rows.head(3), trained.schema)[1]


def test_a_foreign_label_forces_no_replacement(trained: Trained) -> None:
    """One "yes" among 0 and 1 is no usable row, and every other row keeps the class it is."""
    rows = pd.DataFrame({"label": pd.Series([1, "yes", 0, "1.0", True], dtype="object"), "place": range(5)})

    kept = usable(rows, trained.classes)

    assert ([1, 0, 1, 1], [0, 2, 3, 4]) == (kept["label"].tolist(), kept["place"].tolist())


def test_after_training_on_another_table_one_sentence_says_so(model_settings: Settings, fill: Fill, home: Path) -> None:
    """`[data].train` names a table with none of the model's columns: nothing is learned, the model stays."""
    fill(300)
    before = store.pointer(model_settings)
    rows = "".join(f"{i % 7},{i % 2}\n" for i in range(100))
    (home / "data" / "train_data.csv").write_text(f"height,repaid\n{rows}", encoding="utf-8")

    result = run("retrain")

    assert (1, before) == (result.exit_code, store.pointer(model_settings))
    assert result.stderr.splitlines()[-1].startswith("Error: ")


def test_a_row_that_came_before_does_not_judge(settings: Settings, trained: Trained, table: pd.DataFrame) -> None:
    """A row of the training table, or one that was asked twice, is known by heart; each counts once."""
    past = Past(table[trained.schema.names], as_classes(table["repaid"]), trained.schema, {})
    rows = training_data().iloc[1990:2010][trained.schema.names]
    asked = json.loads(pd.concat([rows, rows.tail(3)]).to_json(orient="records"))

    kept, sentence = unseen(past, pd.DataFrame({"features": asked}))

    assert asked[10:20] == kept["features"].tolist()
    assert sentence.startswith("13 of 23 labelled rows came before")
