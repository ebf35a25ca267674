"""`player monitor` ends as a schedule needs it."""

from types import SimpleNamespace

import pandas as pd
import pytest
from click.testing import CliRunner

from player.cli import main
from player.config import Settings
from player.model import store
from player.monitoring import reports
from player.monitoring.history import reading
from player.storage import queries


@pytest.mark.parametrize(("state", "code"), [("alarm", 3), ("warn", 0), ("ok", 0), ("unknown", 0)])
def test_check_tells_an_alarm_by_its_exit_code(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, state: str, code: int
) -> None:
    """Exit code 3 is an alarm, and only with --check; the report is printed all the same."""
    found = SimpleNamespace(diagnosis=SimpleNamespace(state=state), to_text=lambda: "THE REPORT")
    monkeypatch.setattr(store, "current_manifest", lambda _: SimpleNamespace(profile={}, metrics={}))
    monkeypatch.setattr(queries, "recent", lambda *_: pd.DataFrame())
    monkeypatch.setattr(reports, "report", lambda *_: found)
    monkeypatch.setattr(reading, "catch_up", lambda *_: (reading.History(), "no history"))

    checked = CliRunner().invoke(main, ["-e", "testing", "monitor", "--check"])
    looked_at = CliRunner().invoke(main, ["-e", "testing", "monitor"])

    assert (code, "THE REPORT\n\nno history\n") == (checked.exit_code, checked.stdout)
    assert 0 == looked_at.exit_code
