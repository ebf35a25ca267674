"""Whether it is time to retrain: the diagnosis, the accuracy, or a young model that could know much more by now."""

import pandas as pd

from player.model.store import Manifest
from player.monitoring.reports import Report, report
from player.retraining.choosing import FEWEST_TO_JUDGE
from player.settings.sections import Monitoring

COLLECTED = "collected_rows"  # in the metrics of a retrained model: how many collected rows it learned from


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
