"""What a command that cannot go on tells the shell."""

from player.errors import ConfigError, DataError, ModelMissing, NotDurable, PlayerError


def test_a_wrong_configuration_has_an_exit_code_of_its_own() -> None:
    """2, as for a wrong option; everything else that a person can mend is 1."""
    assert 2 == ConfigError.exit_code
    assert {1} == {error.exit_code for error in (PlayerError, DataError, ModelMissing, NotDurable)}
