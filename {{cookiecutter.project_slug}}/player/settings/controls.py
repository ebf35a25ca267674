"""What an environment must have before it may run: each control with its reason and its fix.

`player serve` refuses to start while a control that is required here is not met; `player doctor` shows them all.
"""

import ipaddress
import math
import os
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from player.errors import ConfigError
from player.settings.addresses import secrets_in
from player.settings.public_keys import approvers, own_key, public_key_of, trusted_keys
from player.settings.sections import SECRETS, Settings

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
    at_start: bool = True  # `player serve` refuses without it; else only `player doctor` complains


WORKERS = {"low": 1, "medium": 2, "high": 4}  # by availability


def strong(key: SecretStr | None) -> bool:
    """Tell whether *key* is set, long enough, not a sample and not one letter repeated."""
    text = key.get_secret_value() if key else ""
    sample = any(word in text.lower() for word in SAMPLE_KEYS)
    return len(text) >= SHORTEST_KEY and len(set(text)) >= 8 and not sample


def different_keys(settings: Settings) -> bool:
    """Tell whether the two keys differ: who may send labels must not be able to sign models."""
    keys = [key.get_secret_value() for key in (settings.signing_key, settings.api_key) if key]
    return len(set(keys)) == len(keys)


def has_signing_key(settings: Settings) -> bool:
    """Tell whether signatures can be checked here, and by good keys: the own one is strong, and one that counts."""
    try:
        keys = trusted_keys(settings)
    except ConfigError:
        return False
    own = own_key(settings)
    return bool(keys) and (not own or (strong(settings.signing_key) and public_key_of(own) in keys))


def enough_people(settings: Settings) -> bool:
    """Tell whether two people are asked for, and a person is a key: at least two are listed."""
    try:
        return settings.promotion.four_eyes and len(set(approvers(settings).values())) >= 2
    except ConfigError:
        return False


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
    names = [os.environ.get(f"PLAYER_{name.upper()}_FILE") for name in SECRETS]
    paths = [Path(name.replace("{environment}", settings.environment)) for name in names if name]
    return all(not path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO) for path in paths if path.exists())


def is_postgresql(settings: Settings) -> bool:
    """Tell whether the database is a server of its own."""
    return settings.database_url.get_secret_value().startswith("postgresql")


def password_not_in_file(settings: Settings) -> bool:
    """Tell whether the database address in the configuration files is free of a password."""
    return "@" not in settings.storage.database_url and not secrets_in(settings.storage.database_url)


def has_fresh_backup(settings: Settings) -> bool:
    """Tell whether the newest backup is young enough; where none is asked for, none is needed."""
    ages = [time.time() - path.stat().st_mtime for path in settings.path(settings.storage.backup_folder).glob("*")]
    return not settings.storage.backup_hours or min(ages, default=math.inf) < 3600 * settings.storage.backup_hours


CONTROLS = (
    Control("debug off", lambda s: not s.server.debug,
            "debug pages let a visitor run code", "set [server].debug = false",
            required=lambda s: s.environment != "development"),
    Control("signing key", has_signing_key,
            "without it nobody can tell an approved model from a foreign one",
            "set PLAYER_SIGNING_KEY_FILE where models are made, PLAYER_PUBLIC_KEYS_FILE where they only run; "
            f"`player keys` makes both (a key has at least {SHORTEST_KEY} random characters)"),
    Control("API key", lambda s: strong(s.api_key),
            "labels, metrics and the dashboard would be open to everybody",
            f"set PLAYER_API_KEY (or _FILE) to at least {SHORTEST_KEY} random characters"),
    Control("different keys", different_keys,
            "who may send labels must not be able to sign models", "set two different keys"),
    Control("key required", lambda s: s.access.key_required,
            "labels decide what the next model learns", "set [access].key_required = true"),
    Control("key for predictions", lambda s: s.predict_needs_key,
            "confidentiality is medium or high: whoever may ask learns what the model knows",
            "set [access].key_required and predict_key_required = true",
            required=lambda s: s.strict and s.rating.confidentiality != "low"),
    Control("signed models only", lambda s: not s.model.allow_unsigned,
            "a pickle is a program; an unsigned one may be anybody's", "set [model].allow_unsigned = false"),
    Control("key files private", key_files_private,
            "other users of this machine could read the key", "chmod 600 the file that PLAYER_…_FILE names"),
    Control("password not in a file", password_not_in_file,
            "configuration files end up in git", "move the address into PLAYER_DATABASE_URL"),
    Control("reachable only with a key", lambda s: only_this_machine(s.server.host) or strong(s.api_key),
            "it listens beyond this machine", "listen on 127.0.0.1 behind a proxy, or set PLAYER_API_KEY"),
    Control("values not in the log", lambda s: not s.logging.show_values,
            "log files travel further than the database", "set [logging].show_values = false",
            required=lambda s: s.strict or s.rating.confidentiality != "low"),
    Control("no debug log", lambda s: s.logging.level != "DEBUG",
            "debug lines hold more than users agreed to", "set [logging].level = \"INFO\"",
            required=lambda s: s.environment == "production"),
    Control("model folder apart", lambda s: s.model.folder.strip("/. ") not in ("", "data", "output"),
            "what trains or reports must not be able to put a model there", "set [model].folder = \"models\""),
    Control("labels limited", lambda s: s.access.labels_per_minute > 0,
            "one key could flood the next training set", "set [access].labels_per_minute"),
    Control("retention", lambda s: s.storage.keep_days > 0,
            "confidentiality is high: what is gone cannot leak", "set [storage].keep_days",
            required=lambda s: s.strict and s.rating.confidentiality == "high"),
    Control("no copies for development", lambda s: not s.access.copy_to_development,
            "confidentiality is high: a laptop is lost more easily", "set [access].copy_to_development = false",
            required=lambda s: s.rating.confidentiality == "high"),
    Control("promotion says why", lambda s: s.promotion.reason_required,
            "a record without a reason answers no question", "set [promotion].reason_required = true",
            required=lambda s: s.strict and s.rating.integrity != "low"),
    Control("two people", lambda s: s.promotion.four_eyes,
            "integrity is high: nobody promotes alone", "set [promotion].four_eyes = true",
            required=lambda s: s.strict and s.rating.integrity == "high"),
    Control("two approvers", enough_people,
            "two people are two keys: without both nobody can bring in or take back a model",
            "`player keys approver NAME` for each; PLAYER_APPROVERS_FILE names the list",
            required=lambda s: s.strict and s.rating.integrity == "high", at_start=False),
    Control("rows survive a power cut", lambda s: s.storage.durability == "power",
            "integrity is high", "set [storage].durability = \"power\"",
            required=lambda s: s.strict and s.rating.integrity == "high"),
    Control("no early labels", lambda s: not s.access.early_labels,
            "integrity is high: a label needs its prediction", "set [access].early_labels = false",
            required=lambda s: s.strict and s.rating.integrity == "high"),
    Control("enough workers", lambda s: s.server.workers >= WORKERS[s.rating.availability],
            "one may die or reload while others answer", "set [server].workers to 2 (availability high: 4) or more"),
    Control("database server", is_postgresql,
            "availability is high: a file cannot be moved while it is written", "set PLAYER_DATABASE_URL",
            required=lambda s: s.environment == "production" and s.rating.availability == "high"),
    Control("backups", lambda s: s.storage.backup_hours > 0,
            "availability is high: a disk can be lost", "set [storage].backup_hours",
            required=lambda s: s.strict and s.rating.availability == "high"),
    Control("fresh backup", has_fresh_backup,
            "the newest backup is older than [storage].backup_hours, or there is none", "run `player db backup`",
            required=lambda s: s.strict and s.rating.availability == "high", at_start=False),
)  # fmt: skip


def unmet(settings: Settings) -> list[Control]:
    """Return the controls that this environment needs and does not have."""
    return [control for control in CONTROLS if control.required(settings) and not control.met(settings)]


def blocking(settings: Settings) -> list[Control]:
    """Return the unmet controls without which nothing may start here."""
    return [control for control in unmet(settings) if control.at_start]


def refuse_unsafe(settings: Settings) -> None:
    """Raise ConfigError, one line with all reasons and fixes, when a required control is not met."""
    missing = blocking(settings)
    if missing:
        reasons = "; ".join(f"{control.name}: {control.reason} ({control.fix})" for control in missing)
        raise ConfigError(f"{settings.environment} refuses to start. {reasons}.")
