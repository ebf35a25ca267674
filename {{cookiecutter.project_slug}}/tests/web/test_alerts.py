"""What an operator loads into Prometheus and Grafana asks for metrics that the service really has."""

import json
import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

SERVER = Path(__file__).parents[2] / "server"
SUFFIXES = ("_bucket", "_count", "_sum")


@pytest.mark.parametrize("name", ["prometheus-alerts.yml", "grafana-dashboard.json"])
def test_every_metric_that_is_asked_for_is_exposed(client: FlaskClient, name: str) -> None:
    """No alert and no picture is silent because its metric has another name."""
    asked = set(re.findall(r"\bplayer_\w+", (SERVER / name).read_text(encoding="utf-8")))

    exposed = set(re.findall(r"^# TYPE (\w+)", client.get("/metrics").text, re.MULTILINE))

    assert asked
    assert {re.sub(f"({'|'.join(SUFFIXES)})$", "", metric) for metric in asked} <= exposed


def test_the_grafana_dashboard_is_whole() -> None:
    """Panels have numbers and places of their own, and every one a query."""
    panels = json.loads((SERVER / "grafana-dashboard.json").read_text(encoding="utf-8"))["panels"]

    assert len(panels) == len({panel["id"] for panel in panels})
    assert len(panels) == len({(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels})
    assert all(target["expr"] for panel in panels for target in panel["targets"])
