"""How settings are read: file upon file, then variables; each value remembers where it came from."""

import os
import tomllib
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from player.errors import ConfigError
from player.settings.sections import ENVIRONMENTS, KEY_LISTS, SECRETS, Settings, Table

OTHER_VARIABLES = ("PLAYER_ENV", "PLAYER_HOME")
LISTS = ("libraries", "not_at_request_time", "missing", "keep")  # in a variable their parts are separated by commas


def project_home() -> Path:
    """Return the project folder: `PLAYER_HOME`, or the folder above this package."""
    return Path(os.environ.get("PLAYER_HOME") or Path(__file__).parents[2]).resolve()


def load_settings(environment: str | None = None) -> Settings:
    """Return the settings of *environment* (default: `PLAYER_ENV`, else development).

    Raises ConfigError, naming the variable or file and the allowed values.
    """
    layers = read_layers(environment)
    merged: dict[str, Any] = {}
    for layer in layers.values():
        merged = merge(merged, layer)
    try:
        settings = Settings(**merged)
    except ValidationError as error:
        raise ConfigError(explain(error, layers)) from None
    return settings.model_copy(update={"database_url": SecretStr(full_database_url(settings))})


def read_layers(environment: str | None = None) -> dict[str, dict[str, Any]]:
    """Return what each source says, lowest first, keyed by the source's name."""
    chosen = environment or os.environ.get("PLAYER_ENV") or "development"
    if chosen not in ENVIRONMENTS:
        raise ConfigError(f"PLAYER_ENV is {chosen!r}; allowed: {', '.join(ENVIRONMENTS)}.")
    folder = project_home() / "config"
    base = read_toml(folder / "base.toml")
    variables = read_variables(chosen)
    own = read_toml(folder / f"{chosen}.toml")
    rating: dict[str, Any] = {}
    for layer in (base, own, variables):
        rating = merge(rating, layer.get("rating", {}))
    described = folder / "data.toml"
    layers = {"config/data.toml": read_toml(described) if described.exists() else {}, "config/base.toml": base}
    for concern, levels in read_toml(folder / "rating.toml").items():
        level = rating.get(concern)
        layers[f"config/rating.toml ({concern} {level})"] = levels.get(level, {}) if isinstance(level, str) else {}
    layers[f"config/{chosen}.toml"] = own
    layers["variable"] = variables
    layers["start"] = {"environment": chosen, "home": project_home()}
    return layers


def read_toml(path: Path) -> dict[str, Any]:
    """Return the tables in the file *path*; raises ConfigError when it is missing, broken or holds a secret."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path} is missing; PLAYER_HOME must name the project folder.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from None
    for name in SECRETS:
        if name in content:
            raise ConfigError(
                f"{path} holds the secret {name!r}; set PLAYER_{name.upper()} instead and remove it there."
            )
    return content


def read_variables(environment: str) -> dict[str, Any]:
    """Return the `PLAYER_…` variables as nested tables; raises ConfigError for one that means nothing."""
    tables: dict[str, Any] = {}
    for variable, value in sorted(os.environ.items()):
        if not variable.startswith("PLAYER_") or variable in OTHER_VARIABLES or variable.startswith("PLAYER_TEST_"):
            continue
        keys = variable.removeprefix("PLAYER_").lower().split("__")
        secret = keys[0].removesuffix("_file")
        if secret in SECRETS + KEY_LISTS and secret != keys[0]:
            path = value.replace("{environment}", environment)
            if path == value or Path(path).exists():  # who promotes has not the keys of every environment
                tables[secret] = read_secret(variable, path)
                if secret in SECRETS and not tables[secret]:
                    raise ConfigError(f"{variable} names {path!r}, which is empty: put the key there.")
            continue
        if not is_setting(keys):
            raise ConfigError(f"{variable} is not a setting; `player config` lists the names that are.")
        place = tables
        for key in keys[:-1]:
            place = place.setdefault(key, {})
        place[keys[-1]] = value.split(",") if keys[-1] in LISTS else value
    return tables


def is_setting(keys: list[str]) -> bool:
    """Tell whether *keys* lead to one setting, such as `["server", "port"]` or `["api_key"]`."""
    if len(keys) == 1:
        return keys[0] in SECRETS + KEY_LISTS
    field = Settings.model_fields.get(keys[0])
    table = field.annotation if field else None
    return len(keys) == 2 and isinstance(table, type) and issubclass(table, Table) and keys[1] in table.model_fields


def read_secret(variable: str, path: str) -> str:
    """Return the secret in the file *path*, which *variable* names; never puts its content into an error."""
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{variable} names {path!r}, which cannot be read ({type(error).__name__}).") from None


def merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Return *below* with *above* laid over it, table by table.

    >>> merge({"server": {"host": "a", "port": 1}}, {"server": {"port": 2}})
    {'server': {'host': 'a', 'port': 2}}
    """
    both = dict(below)
    for key, value in above.items():
        old = both.get(key)
        both[key] = merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return both


def explain(error: ValidationError, layers: dict[str, dict[str, Any]]) -> str:
    """Return one line for all that is wrong: the setting, what is allowed, and where the value stands."""
    parts = []
    for problem in error.errors(include_url=False, include_input=False):
        keys = [str(key) for key in problem["loc"]]
        parts.append(f"{'.'.join(keys)} ({origin(keys, layers)}): {problem['msg']}")
    return "; ".join(parts)


def origin(keys: list[str], layers: dict[str, dict[str, Any]]) -> str:
    """Return the name of the highest layer that sets the setting *keys*."""
    for name, layer in reversed(layers.items()):
        value: Any = layer
        for key in keys[:2]:
            value = value.get(key) if isinstance(value, dict) else None
        if value is not None:
            return f"PLAYER_{'__'.join(keys[:2]).upper()}" if name == "variable" else name
    return "not set"


def full_database_url(settings: Settings) -> str:
    """Return the database URL with the environment filled in and a SQLite file placed in the project folder."""
    text = settings.database_url.get_secret_value() or settings.storage.database_url
    text = text.replace("{environment}", settings.environment)
    text = text.replace("postgres://", "postgresql://", 1)
    try:
        url = make_url(text)
    except ArgumentError:
        raise ConfigError(
            "PLAYER_DATABASE_URL is not a database URL such as postgresql://user:password@host/name."
        ) from None
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise ConfigError(f"PLAYER_DATABASE_URL asks for {url.drivername!r}; sqlite and postgresql are supported.")
    if url.get_backend_name() == "sqlite":
        url = URL.create("sqlite", database=str(settings.home / (url.database or "")))
    return url.render_as_string(hide_password=False)
