"""Compares production with its shadow, acceptance: the same requests, two models; answers, latency and points."""

from player.config import load_settings
from player.errors import DataError
from player.model import store
from player.model.answering import Answer
from player.promotion.replay import Replay, compare_answers
from player.reading.labels import known_labels
from player.storage import queries

ANSWER = ("pred", "proba", "model", "degraded", "warnings")


def compare_with_shadow(limit: int) -> Replay:
    """Return the newest *limit* requests of production beside acceptance's answers to the same ones.

    Points are counted with production's labels. Raises DataError when acceptance has none of these requests.
    """
    production = load_settings("production")
    here, there = (queries.read_recent(each, limit) for each in (production, load_settings("acceptance")))
    here, _ = known_labels(here, store.current_manifest(production).classes)
    both = here.merge(there, on="request_id", suffixes=("", "_shadow"))
    if both.empty:
        raise DataError("Acceptance has none of production's newest requests; set [shadow].url in production.")
    answers = [Answer(*row) for row in both[[f"{name}_shadow" for name in ANSWER]].itertuples(index=False)]
    models = both["model_shadow"].unique()
    version = str(models[0]) if len(models) == 1 else f"{len(models)} models"
    took = both["latency_ms_shadow"][both["latency_ms_shadow"] > 0].tolist()  # rows that were filled in took no time
    return compare_answers(both, answers, version, took)
