"""What an environment must have before it may run: each control with its reason and its fix.

`player serve` refuses to start while a control that is required here is not met; `player doctor` shows them all.
"""

import ipaddress
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from player.config import Settings
from player.errors import ConfigError

SHORTEST_KEY = 32
SAMPLE_KEYS = ("change-me", "changeme", "secret", "example", "test-key", "sample")


@dataclass(frozen=True)
class Control:
    """One thing that must be true, why, and what to do when it is not."""

    name: str
    met: Callable[[Settings], bool]
    reason: str
    fix: str
    required: Callable[[Settings], bool] = lambda settings: settings.strict


def strong(key: SecretStr | None) -> bool:
    """Tell whether *key* is set, long enough, not a sample and not one letter repeated."""
    text = key.get_secret_value() if key else ""
    sample = any(word in text.lower() for word in SAMPLE_KEYS)
    return len(text) >= SHORTEST_KEY and len(set(text)) >= 8 and not sample


def different_keys(settings: Settings) -> bool:
    """Tell whether the two keys differ: who may send labels must not be able to sign models."""
    keys = [key.get_secret_value() for key in (settings.signing_key, settings.api_key) if key]
    return len(set(keys)) == len(keys)


def only_this_machine(host: str) -> bool:
    """Tell whether *host* can be reached from this machine alone."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def key_files_private(settings: Settings) -> bool:
    """Tell whether no key file named by a PLAYER_…_FILE variable can be read by other users."""
    if os.name != "posix":
        return True
    names = [os.environ.get(f"PLAYER_{name}_FILE") for name in ("SIGNING_KEY", "API_KEY", "DATABASE_URL")]
    paths = [Path(name.replace("{environment}", settings.environment)) for name in names if name]
    return all(not path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO) for path in paths)


def is_postgresql(settings: Settings) -> bool:
    """Tell whether the database is a server of its own."""
    return settings.database_url.get_secret_value().startswith("postgresql")


def password_not_in_file(settings: Settings) -> bool:
    """Tell whether the database address in the configuration files is free of a password."""
    return "@" not in settings.storage.database_url


CONTROLS = (
    Control("debug off", lambda s: not s.server.debug,
            "debug pages let a visitor run code", "set [server].debug = false",
            required=lambda s: s.environment != "development"),
    Control("signing key", lambda s: strong(s.signing_key),
            "without it nobody can tell an approved model from a foreign one",
            f"set PLAYER_SIGNING_KEY (or _FILE) to at least {SHORTEST_KEY} random characters"),
    Control("API key", lambda s: strong(s.api_key),
            "labels, metrics and the dashboard would be open to everybody",
            f"set PLAYER_API_KEY (or _FILE) to at least {SHORTEST_KEY} random characters"),
    Control("different keys", different_keys,
            "who may send labels must not be able to sign models", "set two different keys"),
    Control("key required", lambda s: s.access.key_required,
            "labels decide what the next model learns", "set [access].key_required = true"),
    Control("signed models only", lambda s: not s.model.allow_unsigned,
            "a pickle is a program; an unsigned one may be anybody's", "set [model].allow_unsigned = false"),
    Control("key files private", key_files_private,
            "other users of this machine could read the key", "chmod 600 the file that PLAYER_…_FILE names"),
    Control("password not in a file", password_not_in_file,
            "configuration files end up in git", "move the address into PLAYER_DATABASE_URL"),
    Control("reachable only with a key", lambda s: only_this_machine(s.server.host) or strong(s.api_key),
            "it listens beyond this machine", "listen on 127.0.0.1 behind a proxy, or set PLAYER_API_KEY"),
    Control("values not in the log", lambda s: not s.logging.show_values,
            "log files travel further than the database", "set [logging].show_values = false"),
    Control("no debug log", lambda s: s.logging.level != "DEBUG",
            "debug lines hold more than users agreed to", "set [logging].level = \"INFO\"",
            required=lambda s: s.environment == "production"),
    Control("model folder apart", lambda s: s.model.folder.strip("/. ") not in ("", "data", "output"),
            "what trains or reports must not be able to put a model there", "set [model].folder = \"models\""),
    Control("labels limited", lambda s: s.access.labels_per_minute > 0,
            "one key could flood the next training set", "set [access].labels_per_minute"),
    Control("rows survive a power cut", lambda s: s.storage.durability == "power",
            "integrity is high", "set [storage].durability = \"power\"",
            required=lambda s: s.strict and s.rating.integrity == "high"),
    Control("retention", lambda s: s.storage.keep_days > 0,
            "confidentiality is high: what is gone cannot leak", "set [storage].keep_days",
            required=lambda s: s.strict and s.rating.confidentiality == "high"),
    Control("database server", is_postgresql,
            "availability is high: a file cannot be moved while it is written", "set PLAYER_DATABASE_URL",
            required=lambda s: s.environment == "production" and s.rating.availability == "high"),
    Control("two workers", lambda s: s.server.workers >= 2,
            "one may die or reload while the other answers", "set [server].workers to 2 or more",
            required=lambda s: s.strict and s.rating.availability != "low"),
)  # fmt: skip


def unmet(settings: Settings) -> list[Control]:
    """Return the controls that this environment needs and does not have."""
    return [control for control in CONTROLS if control.required(settings) and not control.met(settings)]


def refuse_unsafe(settings: Settings) -> None:
    """Raise ConfigError, one line with all reasons and fixes, when a required control is not met."""
    missing = unmet(settings)
    if missing:
        reasons = "; ".join(f"{control.name}: {control.reason} ({control.fix})" for control in missing)
        raise ConfigError(f"{settings.environment} refuses to start. {reasons}.")
