"""Trains again when that helps: a challenger learns from what was collected, and replaces only a worse champion."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

import numpy as np
import pandas as pd
from filelock import FileLock, Timeout
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from player import evaluation, training
from player.config import Settings
from player.errors import StorageError
from player.features import Schema
from player.model import loading, saving, store
from player.reading.labels import same_label
from player.retraining.choosing import FEWEST_TO_JUDGE, Contest, Lessons, hold, look_sizes
from player.retraining.dataset import (
    Past,
    clean_all,
    lessons,
    of_this_table,
    read_labelled,
    read_past,
    read_senders,
    unseen,
    usable,
)
from player.retraining.label_quality import never_labelled, odd_senders
from player.retraining.recipes import Recipe, recipes
from player.retraining.report import BUSY, KEPT, NEW_MODEL, NOT_NEEDED, Outcome, write_page
from player.retraining.trigger import COLLECTED, look
from player.storage import queries
from player.storage.database import advise
from player.storage.migrations import upgrade
from player.storage.records import record_model
from player.storage.tables import create_engine_for
from player.training import Trained

log = logging.getLogger(__name__)

PROFILE_ROWS = 500  # the newest rows, which monitoring then compares with
RECENT_ANSWERS = 2000


def retrain(settings: Settings, if_drifted: bool = False, activate: bool = True) -> Outcome:
    """Train challengers on training data and collected rows, and make the best the current model if it is better.

    *if_drifted*: only when the newest rows show that it is needed. Without *activate* the new model is only saved.
    Raises ModelMissing or ModelRefused without a champion, DataError without training data, StorageError.
    """
    store.folder(settings).mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(store.folder(settings) / ".retrain.lock", timeout=0):
            return retrain_alone(settings, if_drifted, activate)
    except Timeout:
        return Outcome(BUSY, "Another retraining is at work; this one leaves it to it.")


def retrain_alone(settings: Settings, if_drifted: bool, activate: bool) -> Outcome:
    """Do the work of `retrain`; nobody else does it at this moment."""
    manifest = store.current_manifest(settings)
    with database(settings) as engine:
        fresh, reason = look(engine, manifest, settings.monitoring)
        found = Outcome(NOT_NEEDED, "", champion=manifest.version, fresh=fresh, reason=reason)
        if if_drifted and not reason:
            return replace(found, sentence=f"No need to retrain {manifest.version}: {fresh:,} new labels, all well.")
        rows, recent, senders = read_labelled(engine), queries.recent(engine, RECENT_ANSWERS), read_senders(engine)

    schema = Schema.from_dict(manifest.schema)
    rows, foreign = of_this_table(usable(rows, manifest.classes), schema)
    fresh = count_fresh(rows, manifest)
    silent = never_labelled(recent)
    rows, warnings = without_odd_senders(rows, senders, fresh, settings)
    past = read_past(settings, rows["features"].tolist(), schema)
    rows, repeated = unseen(past, usable(rows, np.unique(past.truth).tolist()))
    fresh = count_fresh(rows, manifest)
    warnings += [*describe_doubts(past, silent), *filter(None, [foreign, repeated])]
    for warning in warnings:
        log.warning("%s", warning)
    found = replace(found, history=len(past.truth), collected=len(rows), fresh=fresh, warnings=warnings)
    if not look_sizes(fresh):
        few = f"{fresh} labels are newer than model {manifest.version}; {2 * FEWEST_TO_JUDGE} are needed to judge."
        return replace(found, decision=KEPT, sentence=few)
    return decide(found, settings, past, rows, bool(silent), activate)


def decide(
    found: Outcome, settings: Settings, past: Past, rows: pd.DataFrame, selective: bool, activate: bool
) -> Outcome:
    """Let challengers and champion compete, then save and activate a winner; return the completed outcome."""
    learnable = lessons(past, rows, settings.data.fewest_rows)
    right = champion_is_right(loading.load(found.champion, settings), rows, look_sizes(found.fresh)[-1])
    candidates = recipes(learnable.schema, len(rows), selective)
    contests = compete(learnable, right, candidates, found.fresh)
    best = contests[-1]
    only = " (counted only where labels come)" if selective else ""
    if not best.comparison.better:
        sentence = f"Kept {found.champion}: {best.comparison.sentence}{only}."
        return write_page(replace(found, decision=KEPT, sentence=sentence, contests=contests), settings)
    trained = learn(best, learnable, len(rows), settings.data.fewest_rows)
    manifest = saving.save(trained, settings, note=f"player retrain: {best.recipe.name}")
    record_model(manifest, settings)
    if activate and not settings.two_people:
        gate = {"gate": "champion and challenger", "passed": True, "reason": best.comparison.sentence}
        store.take_over(manifest, settings, "player retrain", best.comparison.sentence, gates=[gate])
        verb = "replaces"
    else:
        verb = "is saved, and would replace"
    sentence = f"Model {manifest.version} {verb} {found.champion}: {best.comparison.sentence}{only}."
    if settings.two_people:
        sentence += f" {store.how_two_people_activate(manifest.version, settings)}"
    outcome = replace(found, decision=NEW_MODEL, sentence=sentence, contests=contests, version=manifest.version)
    return write_page(outcome, settings)


def compete(learnable: Lessons, right: np.ndarray, candidates: Sequence[Recipe], fresh: int) -> list[Contest]:
    """Return the contests held until one is won: on few of the newest rows first, then on more."""
    contests = []
    for judging in look_sizes(fresh):
        contests.append(hold(learnable, right, candidates, judging))
        if contests[-1].comparison.better:
            break
    return contests


@contextmanager
def database(settings: Settings) -> Iterator[Engine]:
    """Open the database; raises StorageError when it cannot be read."""
    if not settings.strict:
        upgrade(settings)
    engine = create_engine_for(settings)
    try:
        yield engine
    except SQLAlchemyError as error:
        raise StorageError(f"The database cannot be read: {advise(error, settings)}.") from None
    finally:
        engine.dispose()


def count_fresh(rows: pd.DataFrame, manifest: store.Manifest) -> int:
    """Return how many of *rows* the model of *manifest* cannot have learned from: they became known after it."""
    if COLLECTED not in manifest.metrics:  # it learned from the training table alone
        return len(rows)
    return int((rows["known_at"] > datetime.fromisoformat(manifest.created_at)).sum())


def without_odd_senders(
    rows: pd.DataFrame, senders: dict[str, str], fresh: int, settings: Settings
) -> tuple[pd.DataFrame, list[str]]:
    """Return *rows* without those of odd senders where senders are known by a key, and a warning for each."""
    odd = odd_senders(rows.tail(fresh), senders)
    verb = "left out" if settings.access.key_required else "reported only, since [access].key_required is off"
    warnings = [f"Sender {name}: {why}; {verb}." for name, why in odd.items()]
    if settings.access.key_required:
        rows = rows[~rows["request_id"].map(senders).isin(list(odd))].reset_index(drop=True)
    return rows, warnings


def describe_doubts(past: Past, silent: list[str]) -> list[str]:
    """Return a warning for each refused column, and one when some answers never get a label."""
    warnings = [
        f"Column {name} is refused: {why}; name it in [data].not_at_request_time." for name, why in past.refused.items()
    ]
    if silent:
        warnings.append(
            f"Selective labels: applicants answered {', '.join(silent)} hardly ever get one. Every figure here holds "
            "only for the others, and only recipes that keep the training data were tried."
        )
    return warnings


def champion_is_right(champion: loading.Model, rows: pd.DataFrame, newest: int) -> np.ndarray:
    """Return where *champion* answers the newest rows correctly: bool (newest,)."""
    asked = rows.tail(newest)
    said = champion.pipeline.predict(clean_all(asked["features"], champion.schema))
    return np.asarray([same_label(a, b) for a, b in zip(said, asked["label"], strict=True)])


def learn(contest: Contest, known: Lessons, collected: int, fewest_rows: int = 1) -> Trained:
    """Return the winner of *contest*, having learned from everything *known*, as `training.train` would return it.

    Metrics are those of the rows it was judged on; the profile is of the newest rows, the ones it is made for. The
    examples are values of the training data, not of users: a model outlives what `[storage].keep_days` deletes. For
    the same reason no value is kept as the end of a range that fewer than *fewest_rows* reach.
    """
    pipeline = contest.recipe.fit(known.table, known.truth, known.schema)
    table, truth = known.table.tail(PROFILE_ROWS).reset_index(drop=True), known.truth[-PROFILE_ROWS:]
    proba = training.served_proba(pipeline, table)
    profile = evaluation.describe(table, known.schema, truth, proba, fewest_rows=fewest_rows)
    classes = [training.plain(name) for name in pipeline.classes_]
    metrics = {name: round(value, 4) for name, value in contest.metrics.items()}
    return Trained(
        pipeline=pipeline,
        schema=known.schema,
        classes=classes,
        prior={str(name): float(np.mean(truth == name)) for name in classes},
        metrics={**metrics, COLLECTED: float(min(collected, contest.recipe.window or collected))},
        profile=profile,
        rows=int((contest.recipe.weights(len(known.truth)) > 0).sum()),
        examples=training.as_rows(evaluation.mixed(known.table.head(training.EXAMPLES))),
    )
