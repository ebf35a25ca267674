"""Whether it is time to retrain: the diagnosis, the accuracy, or a young model that could know much more by now."""

from datetime import datetime

import pandas as pd
from sqlalchemy import Engine

from player.features import Schema
from player.model.store import Manifest
from player.monitoring.reports import Report, report
from player.retraining.choosing import FEWEST_TO_JUDGE
from player.retraining.dataset import MOST_ROWS, of_this_table, read_last_labelled, usable
from player.settings.sections import Monitoring
from player.storage import queries

COLLECTED = "collected_rows"  # in the metrics of a retrained model: how many collected rows it learned from
LOOKED_AT = 5  # times `min_rows` labels: some may be those of the model before, or of another table


def look(engine: Engine, manifest: Manifest, settings: Monitoring) -> tuple[int, str]:
    """Return how many labels the model of *manifest* cannot have learned from, and `reason_to_retrain`.

    Reads the newest labels only, so that a schedule may look every minute, however many rows are kept.
    """
    after = datetime.fromisoformat(manifest.created_at) if COLLECTED in manifest.metrics else None
    fresh = queries.count_labels(engine, MOST_ROWS, after)
    rows = usable(read_last_labelled(engine, LOOKED_AT * settings.min_rows), manifest.classes)
    rows, _ = of_this_table(rows, Schema.from_dict(manifest.schema))
    return fresh, reason_to_retrain(rows, fresh, manifest, settings)


def reason_to_retrain(labelled: pd.DataFrame, fresh: int, manifest: Manifest, settings: Monitoring) -> str:
    """Return why to retrain now, or "" when all is well.

    *labelled* are the labelled rows, *fresh* of them are newer than the model of *manifest*. Looks at the newest
    `min_rows`, because in a longer window the days before a change hide it.
    """
    if fresh < 2 * FEWEST_TO_JUDGE:
        return ""
    newest = labelled[labelled["model"] == manifest.version].tail(settings.min_rows)
    found = report(newest, manifest.profile, settings.model_copy(update={"min_rows": FEWEST_TO_JUDGE}),
                   manifest.metrics)  # fmt: skip
    return worse(found, manifest) or young(fresh, manifest)


def worse(found: Report, manifest: Manifest) -> str:
    """Return what the report of the newest rows complains about, or ""."""
    if found.diagnosis.state in ("warn", "alarm"):
        return f"{found.diagnosis.title}: {found.diagnosis.sentence}"
    accuracy, before = found.figures.accuracy, manifest.metrics.get("accuracy")
    if accuracy is not None and before is not None and accuracy.high < before:
        return f"accuracy is at most {accuracy.high:.0%}, it was {before:.0%} in training"
    return ""


def young(fresh: int, manifest: Manifest) -> str:
    """Return that a model of few collected rows could learn from half as many again, or ""."""
    learned = manifest.metrics.get(COLLECTED)
    if learned is None or fresh < learned / 2:
        return ""
    return f"the model learned from {learned:.0f} collected rows, {fresh} more are there"
