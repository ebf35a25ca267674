"""What `server/` has for operators, in a real Prometheus: the alerts are loaded, and every question has an answer.

For `tox -e programs`, with Debian's package `prometheus`.
"""

import json
import re
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.postgres import free_port
from tests.service import Service, wait_until

SERVER = Path(__file__).parents[2] / "server"
ALERTS = SERVER / "prometheus-alerts.yml"
CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: ["{alerts}"]
scrape_configs:
  - job_name: player
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""

Ask = Callable[..., Any]


def program(name: str) -> str:
    """Return where the program *name* is."""
    found = shutil.which(name)
    assert found, f"needs {name}: apt install prometheus"
    return found


@pytest.fixture(name="ask", scope="module")
def _ask(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """A function that asks a Prometheus, which has looked at the service some times, for what is at a path."""
    folder, port = tmp_path_factory.mktemp("prometheus"), free_port()
    (folder / "prometheus.yml").write_text(CONFIG.format(alerts=ALERTS, port=service.port), encoding="utf-8")
    words = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
             f"--web.listen-address=127.0.0.1:{port}"]  # fmt: skip

    def ask(path: str, **query: str) -> Any:
        address = f"http://127.0.0.1:{port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(address, timeout=10) as answer:
            return json.load(answer)["data"]

    def has_looked() -> bool:
        try:
            return bool(ask("query", query="count_over_time(player_predictions_total[1m]) > 4")["result"])
        except OSError:
            return False

    with (folder / "log").open("wb") as log, subprocess.Popen([program("prometheus"), *words], stderr=log) as process:
        wait_until(has_looked, what="Prometheus has looked at the service")
        yield ask
        process.terminate()


def test_the_alerts_are_rules() -> None:
    """Prometheus's own tool reads them."""
    done = subprocess.run(
        [program("promtool"), "check", "rules", str(ALERTS)], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert f"{ALERTS.read_text(encoding='utf-8').count('- alert:')} rules found" in done.stdout


def test_no_alert_fails_or_fires_after_a_game(ask: Ask) -> None:
    """Each was evaluated without an error, and all is well."""
    rules = ask("rules")["groups"][0]["rules"]
    wait_until(lambda: all(rule["health"] == "ok" for rule in ask("rules")["groups"][0]["rules"]), 30)

    assert len(rules) == ALERTS.read_text(encoding="utf-8").count("- alert:")
    assert [] == [each["labels"]["alertname"] for each in ask("alerts")["alerts"] if each["state"] == "firing"]


def test_every_panel_of_grafana_has_something_to_show(ask: Ask) -> None:
    """Its queries, as Grafana would ask them; the rates of errors alone may be empty."""
    panels = json.loads((SERVER / "grafana-dashboard.json").read_text(encoding="utf-8"))["panels"]
    for panel in panels:
        for target in panel["targets"]:
            query = re.sub(r"\$\w+", "1m", target["expr"])
            assert ask("query", query=query)["result"], f"{panel['title']}: {query}"


def test_a_service_that_is_gone_raises_the_alarm(ask: Ask, service: Service) -> None:
    """Within seconds the alert waits for its minute."""
    service.stop()

    def waits() -> bool:
        return "PlayerDown" in [each["labels"]["alertname"] for each in ask("alerts")["alerts"]]

    wait_until(waits, 30, "PlayerDown")
