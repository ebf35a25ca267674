"""What opens something is read from lists of lines, and of an address it is what nobody is shown."""

import pytest

from player.errors import ConfigError
from player.settings.addresses import masked_url, secrets_in, shown_url
from player.settings.api_keys import fingerprint, read_api_keys
from player.settings.public_keys import public_key_of, read_public_keys

ADDRESS = "postgresql://me:first@host/name?sslpassword=second&connect_timeout=3&TOKEN=third"


def test_every_secret_of_an_address_is_found_and_hidden() -> None:
    """Its password and each argument that may be one; what anybody may know stays."""
    shown = shown_url(ADDRESS)

    assert ["first", "second", "third"] == sorted(secrets_in(ADDRESS))
    assert not [secret for secret in secrets_in(ADDRESS) if secret in shown]
    assert {"me:***@host/name", "connect_timeout=3", "sslpassword=***"} <= {
        *shown.split("//")[1].replace("?", "&").split("&")
    }
    assert [] == secrets_in("sqlite:///a/file.db")
    assert "***" == shown_url("word at host")


def test_only_an_address_is_masked() -> None:
    """A pattern of addresses holds no secret, and a number is a number."""
    for value in (3, "word", "sqlite:///{environment}.db", None, ("a://b",)):
        assert value == masked_url(value)
    assert "postgresql://me:***@host/name" == masked_url("postgresql://me:word@host/name")


def test_a_list_of_keys_has_empty_lines_and_remarks() -> None:
    """Each other line is a hash and a name, whatever stands around it."""
    hashed = fingerprint("key")

    assert {hashed: "ann"} == read_api_keys(f"\n  \n# who may ask\n  {hashed} ann  \n")
    assert {} == read_api_keys("")


@pytest.mark.parametrize("line", ["ann", "a" * 63 + " ann", "a" * 64, "a" * 64 + " two names", "  # a remark"])
def test_what_is_no_line_of_a_key_is_refused(line: str) -> None:
    """And not shown whole: it may be the key itself."""
    with pytest.raises(ConfigError, match="is no line of `player keys add NAME`") as refusal:
        read_api_keys(line)

    assert "a" * 40 not in str(refusal.value)


def test_a_public_key_stands_before_its_owner() -> None:
    """Behind a # stands a remark, and a line may hold nothing else."""
    key = public_key_of("a text of at least thirty-two letters")

    assert {key: "Ann de Vries"} == read_public_keys(f"\n# approvers\n {key}  Ann de Vries # since May\n", "LIST")
    assert {key: ""} == read_public_keys(key, "LIST")
    with pytest.raises(ConfigError, match="LIST: 'Ann ") as refusal:
        read_public_keys(f"Ann {key}", "LIST")
    assert key not in str(refusal.value)
