"""What a setting may be: the last value that makes sense is taken, the next one is not."""

import tomllib
from typing import Any

import pytest
from conftest import PROJECT
from pydantic import ValidationError

from player.config import Settings, load_settings
from player.settings import sections

BASE = tomllib.loads((PROJECT / "config" / "base.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("name", "taken", "refused"),
    [
        ("server.port", 1, 0),
        ("server.port", 65535, 65536),
        ("server.workers", 1, 0),
        ("server.workers", 64, 65),
        ("server.threads", 1, 0),
        ("server.threads", 256, 257),
        ("server.max_waiting", 1, 0),
        ("server.header_timeout_seconds", 1, 0),
        ("server.header_timeout_seconds", 60, 61),
        ("server.body_timeout_seconds", 1, 0),
        ("server.body_timeout_seconds", 60, 61),
        ("server.keep_alive_seconds", 1, 0),
        ("server.drain_seconds", 0, -0.1),
        ("server.stop_timeout_seconds", 1, 0),
        ("model.max_bytes", 1, 0),
        ("model.time_budget_seconds", 0.01, 0),
        ("model.reload_seconds", 0.01, 0),
        ("model.trial_seconds", 0.01, 0),
        ("model.trial_memory_mb", 1, 0),
        ("storage.ship_seconds", 0.01, 0),
        ("storage.keep_days", 0, -1),
        ("storage.backup_hours", 0, -1),
        ("storage.backup_folder", "b", ""),
        ("access.labels_per_minute", 0, -1),
        ("contract.request_id", "i", ""),
        ("contract.probability", "p", ""),
        ("contract.label", "l", ""),
    ],
)
def test_a_setting_has_an_end(name: str, taken: Any, refused: Any) -> None:
    """No service without a process, no request that waits for nothing, no folder without a name."""
    table, key = name.split(".")
    kind: Any = Settings.model_fields[table].annotation
    assert issubclass(kind, sections.Table)
    values = {field: BASE[table].get(field, 1) for field in kind.model_fields}

    assert taken == getattr(kind(**{**values, key: taken}), key)
    with pytest.raises(ValidationError, match=key):
        kind(**{**values, key: refused})


@pytest.mark.parametrize(
    ("environment", "four_eyes", "needed"),
    [("testing", True, False), ("acceptance", True, True), ("acceptance", False, False), ("production", True, True)],
)
def test_two_people_agree_where_users_are(home: object, environment: str, four_eyes: bool, needed: bool) -> None:
    """And only where four eyes are wanted."""
    settings = load_settings(environment)
    promotion = settings.promotion.model_copy(update={"four_eyes": four_eyes})

    assert needed == settings.model_copy(update={"promotion": promotion}).two_people
    assert (environment in ("acceptance", "production")) == settings.strict
