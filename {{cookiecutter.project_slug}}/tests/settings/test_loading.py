"""Settings come from files and variables in a fixed order, and nothing wrong gets in."""

from pathlib import Path

import pytest

from player.config import ENVIRONMENTS, load_settings
from player.errors import ConfigError
from player.settings.loading import is_setting, origin, read_layers


def test_a_variable_wins_over_the_files(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A PLAYER_ variable wins over the environment's file, which wins over base.toml."""
    monkeypatch.setenv("PLAYER_SERVER__PORT", "7000")

    assert load_settings("acceptance").server.port == 7000
    assert origin(["server", "port"], read_layers("acceptance")) == "PLAYER_SERVER__PORT"
    assert origin(["server", "host"], read_layers("acceptance")) == "config/base.toml"


def test_the_rating_switches_its_controls_on(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """High integrity makes rows survive a power cut, without another line of configuration."""
    monkeypatch.setenv("PLAYER_RATING__INTEGRITY", "high")

    assert load_settings("production").storage.durability == "power"


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_each_environment_has_its_own_database(home: Path, environment: str) -> None:
    """No two environments write to the same database."""
    settings = load_settings(environment)

    assert settings.database_url.get_secret_value().endswith(f"{environment}.db")
    assert settings.environment == environment


def test_a_secret_can_stand_in_a_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PLAYER_API_KEY_FILE names a file that holds the key."""
    (home / "key").write_text("from-a-file\n", encoding="utf-8")
    monkeypatch.setenv("PLAYER_API_KEY_FILE", str(home / "key"))
    key = load_settings().api_key

    assert key is not None
    assert key.get_secret_value() == "from-a-file"


def test_secrets_are_masked_when_printed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The text of the settings holds no secret."""
    monkeypatch.setenv("PLAYER_SIGNING_KEY", "very-hidden-words")
    monkeypatch.setenv("PLAYER_DATABASE_URL", "postgresql://me:very-hidden-words@localhost/player")

    assert "very-hidden-words" not in repr(load_settings())


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("PLAYER_ENV", "prod", "allowed: development, testing, acceptance, production"),
        ("PLAYER_TRESHOLD", "1", "PLAYER_TRESHOLD is not a setting"),
        ("PLAYER_SERVER__PROT", "1", "PLAYER_SERVER__PROT is not a setting"),
        ("PLAYER_SERVER", "1", "PLAYER_SERVER is not a setting"),
        ("PLAYER_SERVER__PORT", "many", "PLAYER_SERVER__PORT"),
        ("PLAYER_SERVER__PORT", "99999", "less than or equal to 65535"),
        ("PLAYER_LOGGING__LEVEL", "LOUD", "'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
        ("PLAYER_DATABASE_URL", "nonsense", "PLAYER_DATABASE_URL is not a database URL"),
        ("PLAYER_DATABASE_URL", "mysql://localhost/x", "sqlite and postgresql are supported"),
        ("PLAYER_API_KEY_FILE", "no-such-file", "PLAYER_API_KEY_FILE names 'no-such-file'"),
    ],
)
def test_a_wrong_variable_is_refused(
    home: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    """A wrong variable is refused in one line that names it and what is allowed."""
    monkeypatch.setenv(variable, value)

    with pytest.raises(ConfigError) as refusal:
        load_settings()

    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_wrong_value_of_a_secret_is_not_repeated(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal of a broken database URL does not show its password."""
    monkeypatch.setenv("PLAYER_DATABASE_URL", "postgresql:/me:hidden-words@localhost")

    with pytest.raises(ConfigError) as refusal:
        load_settings()

    assert "hidden-words" not in str(refusal.value)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("[server]\nprot = 1", "server.prot"),
        ("[server\nport = 1", "not valid TOML"),
        ('api_key = "x"', "holds the secret 'api_key'"),
    ],
)
def test_a_wrong_file_is_refused(home: Path, line: str, said: str) -> None:
    """A misspelt key, broken TOML or a secret in a file is refused, naming file or key."""
    (home / "config" / "testing.toml").write_text(line, encoding="utf-8")

    with pytest.raises(ConfigError, match=said):
        load_settings("testing")


def test_variables_of_others_are_left_alone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the tests, those that are read elsewhere, and whatever does not begin with PLAYER_."""
    for name in ("PLAYER_TEST_URL", "PLAYERS", "SERVER__PORT"):
        monkeypatch.setenv(name, "7000")

    assert ["rating"] == list(read_layers("testing")["variable"])


def test_a_list_is_written_with_commas(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the setting is a list, and only there."""
    monkeypatch.setenv("PLAYER_DATA__NOT_AT_REQUEST_TIME", "a,b")
    monkeypatch.setenv("PLAYER_DATA__LABEL", "a,b")
    data = load_settings("testing").data

    assert (("a", "b"), "a,b") == (tuple(data.not_at_request_time), data.label)


@pytest.mark.parametrize(
    ("keys", "setting"),
    [(["api_key"], True), (["server"], False), (["server", "port"], True), (["server", "ports"], False),
     (["home", "port"], False), (["server", "port", "x"], False), (["api_key", "x"], False), (["nothing"], False)],
)  # fmt: skip
def test_a_name_leads_to_one_setting_or_to_none(keys: list[str], setting: bool) -> None:
    """A secret stands alone, everything else in a table."""
    assert setting == is_setting(keys)


def test_the_highest_layer_is_where_a_value_comes_from() -> None:
    """Also for a part of a value; what is nowhere is not set."""
    layers = {"file": {"server": {"port": 1, "host": "a"}}, "variable": {"server": {"port": 2}, "api_key": "k"}}

    assert ["PLAYER_SERVER__PORT", "file", "PLAYER_API_KEY", "not set", "PLAYER_SERVER__PORT"] == [
        origin(name.split("."), layers)
        for name in ("server.port", "server.host", "api_key", "signing_key", "server.port.0")
    ]
