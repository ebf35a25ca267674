"""Fills an environment's database with the data of its stage: from development to production there is more of it."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pandas as pd
from sqlalchemy.exc import SQLAlchemyError

from player import training
from player.config import Settings, load_settings
from player.errors import DataError, ModelMissing
from player.features import clean_table, read_schema
from player.learning import fitting
from player.model.predictor import Answer, Predictor
from player.reading.files import read_own_table
from player.storage import queries
from player.storage.migrations import check, upgrade
from player.storage.retention import forget_written_by
from player.storage.tables import create_engine_for
from player.storage.writer import LabelRow, PredictionRow, Writer

SAMPLE_ROWS, TEST_ROWS, COPY_ROWS = 500, 200, 10_000
SEED = 2026
FILLED_BY = "player fill"


@dataclass(frozen=True)
class Filled:
    """What was filled in: rows, how many of them with a label, and where they came from."""

    rows: int
    labels: int
    source: str


def fill(settings: Settings) -> Filled:
    """Ask this environment's model the requests of its stage, and store answers and labels as if they had come.

    Development gets a sample, testing the same few rows each time, acceptance a copy of production. Raises DataError
    for production, whose data come from its users, and when there is nothing to copy; ModelMissing without a model.
    """
    check(settings) if settings.strict else upgrade(settings)
    rows, source = stage_rows(settings)
    predictor = Predictor(settings)
    predictor.reload()
    if predictor.schema is None:
        raise ModelMissing(f"{settings.environment} has no model to ask: {predictor.status()['reason']}")
    labels = store_rows(rows, predictor, settings)
    return Filled(len(rows), labels, source)


def stage_rows(settings: Settings) -> tuple[pd.DataFrame, str]:
    """Return the rows of a stage (request_id, received_at, features, label or None) and where they come from."""
    if settings.environment == "production":
        raise DataError("Production gets its data from its users, nothing is filled in.")
    if settings.environment == "testing":
        return training_rows(settings).tail(TEST_ROWS), f"the last rows of {settings.data.train}"
    if settings.environment == "acceptance":
        copy = production_rows()
        if copy.empty:
            raise DataError("Production has no requests yet that could be copied.")
        return copy, "production"
    copy = production_rows() if settings.access.copy_to_development else pd.DataFrame()
    rows, source = (copy, "production") if len(copy) else (training_rows(settings), settings.data.train)
    return rows.sample(min(SAMPLE_ROWS, len(rows)), random_state=SEED), f"a sample of {source}"


def training_rows(settings: Settings) -> pd.DataFrame:
    """Return the training table as requests, each under an id that is the same each time."""
    table = read_own_table(settings)
    with fitting.told_in_a_sentence():
        table = training.in_time_order(table, settings.data)
        schema = read_schema(table, settings.data)
        labels = training.read_labels(table, settings.data)
    return pd.DataFrame(
        {
            "request_id": [f"{settings.environment}-{number}" for number in range(len(table))],
            "received_at": datetime.now(UTC),
            "features": training.as_rows(clean_table(table, schema)),
            "label": [None if pd.isna(label) else training.plain(label) for label in labels],
        }
    )


def production_rows() -> pd.DataFrame:
    """Return the newest requests of production with their labels, the oldest first; none when they cannot be read."""
    engine = create_engine_for(load_settings("production"))
    try:
        return queries.recent(engine, COPY_ROWS)[::-1]
    except SQLAlchemyError:
        return pd.DataFrame()
    finally:
        engine.dispose()


def store_rows(rows: pd.DataFrame, predictor: Predictor, settings: Settings) -> int:
    """Store an answer for each of *rows*, and the labels of those that have one; return how many labels."""
    answers = predictor.answer_many(rows["features"].tolist())
    predictions = [as_prediction(row, answer) for row, answer in zip(rows.to_dict("records"), answers, strict=True)]
    labels = [as_label(row) for row in rows.to_dict("records") if row["label"] is not None]
    writer = Writer(settings)
    writer.start()
    try:
        if settings.environment == "testing":  # the same content after each call
            clear(settings, writer)
        writer.put_predictions(predictions)
        writer.put_labels(labels)
    finally:
        writer.stop(timeout=60.0)
    return len(labels)


def as_prediction(row: dict[Any, Any], answer: Answer) -> PredictionRow:
    """Return *row* with the *answer* to it as it is stored."""
    return PredictionRow(
        request_id=row["request_id"],
        received_at=row["received_at"],
        model=answer.model,
        pred=answer.pred,
        proba=answer.proba,
        degraded=answer.degraded,
        features=row["features"],
        warnings=answer.warnings,
        latency_ms=0.0,
        client=FILLED_BY,
    )


def as_label(row: dict[Any, Any]) -> LabelRow:
    """Return the label of *row* as it is stored."""
    return LabelRow(str(uuid.uuid4()), row["request_id"], row["label"], datetime.now(UTC), FILLED_BY)


def clear(settings: Settings, writer: Writer) -> None:
    """Delete what an earlier call filled in, and nothing else."""
    engine = create_engine_for(settings)
    forget_written_by(FILLED_BY, engine, writer.spool)
    engine.dispose()
