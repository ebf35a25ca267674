"""What is counted while the service runs, in Prometheus' terms; all worker processes together."""

from collections.abc import Mapping, Sequence
from typing import Any

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, multiprocess

from player.storage.writer import PredictionRow

CONTENT_TYPE = prometheus_client.CONTENT_TYPE_LATEST
BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2)

PREDICTIONS = Counter("player_predictions", "Answers given", ["model", "degraded"])
WARNED = Counter("player_repaired", "Answers whose features had to be repaired")
LATENCY = Histogram("player_latency_seconds", "Time from request to answer", buckets=BUCKETS)
LABELS = Counter("player_labels", "Labels received", ["status"])


def count_prediction(row: PredictionRow, seconds: float) -> None:
    """Count one answer that took *seconds*."""
    PREDICTIONS.labels(row.model, str(row.degraded).lower()).inc()
    LATENCY.observe(seconds)
    if row.warnings:
        WARNED.inc()


def count_labels(statuses: Sequence[str]) -> None:
    """Count labels by what became of them."""
    for status in statuses:
        LABELS.labels(status).inc()


def render(storage: Mapping[str, Any]) -> bytes:
    """Return all counters, and how many rows wait for the database, as Prometheus text."""
    registry: CollectorRegistry = prometheus_client.REGISTRY
    try:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    except ValueError:  # one process only: no folder for several was set up
        registry = prometheus_client.REGISTRY
    waiting = CollectorRegistry()
    Gauge("player_spooled_rows", "Rows waiting for the database", registry=waiting).set(storage["spooled"])
    up = Gauge("player_database_up", "1 when the database takes rows", registry=waiting)
    up.set(storage["database"] == "ok")
    text: bytes = prometheus_client.generate_latest(registry) + prometheus_client.generate_latest(waiting)
    return text
