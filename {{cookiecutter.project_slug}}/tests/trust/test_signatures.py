"""Whose signature counts: it belongs to one environment, one purpose, one content and one key."""

import hashlib
import hmac

import pytest
from pydantic import SecretStr

from player.config import Settings
from player.errors import ModelRefused
from player.settings.public_keys import public_key_of
from player.trust.signatures import check_signature, sign, signed_before, signer

OWN, OTHER = "9f8e7d6c5b4a39281706f5e4d3c2b1a0", "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
PUBLIC = public_key_of(OWN)
CONTENT = b'{"a": 1}'


def with_keys(settings: Settings, signing: str = "", public: str = "", **more: object) -> Settings:
    """Return *settings* with a key that signs, or with keys that only check."""
    key = SecretStr(signing) if signing else None
    return settings.model_copy(update={"signing_key": key, "public_keys": public, **more})


def unsigned(settings: Settings, allowed: bool) -> Settings:
    """Return *settings* that allow models without a signature, or not."""
    return settings.model_copy(update={"model": settings.model.model_copy(update={"allow_unsigned": allowed})})


def test_a_signature_is_found_to_be_of_one_of_many_keys(settings: Settings) -> None:
    """Keys change; one that is none, or belongs to somebody else, does not hide the right one."""
    signature = sign(CONTENT, "manifest", with_keys(settings, OWN))
    keys = ["zz", "00" * 31, public_key_of(OTHER), PUBLIC]

    assert 128 == len(signature)
    assert PUBLIC == signer(CONTENT, "manifest", signature, "testing", keys)
    assert signer(CONTENT, "manifest", signature, "testing", keys[:-1]) is None


@pytest.mark.parametrize(
    ("content", "kind", "environment"),
    [(b'{"a": 2}', "manifest", "testing"), (CONTENT, "pointer", "testing"), (CONTENT, "manifest", "production")],
    ids=["another content", "another purpose", "another environment"],
)
def test_what_was_signed_for_one_thing_counts_for_no_other(
    settings: Settings, content: bytes, kind: str, environment: str
) -> None:
    """Else a signed file of one place could be carried to the next one."""
    signature = sign(CONTENT, "manifest", with_keys(settings, OWN))

    assert signer(content, kind, signature, environment, [PUBLIC]) is None


def test_a_given_key_signs_instead_of_the_own_one(settings: Settings) -> None:
    """That of a person, for one; without any key nothing is signed."""
    by_person = sign(CONTENT, "approval", with_keys(settings, OWN), OTHER)

    assert public_key_of(OTHER) == signer(CONTENT, "approval", by_person, "testing", [PUBLIC, public_key_of(OTHER)])
    assert "" == sign(CONTENT, "approval", with_keys(settings))


@pytest.mark.parametrize("made", ["", "0" * 127, "g" * 128, "0" * 129, "\N{DEVANAGARI DIGIT ONE}" * 128])
def test_what_is_no_signature_is_none(made: str) -> None:
    """Whatever stands in the file."""
    assert signer(CONTENT, "manifest", made, "testing", [PUBLIC]) is None


@pytest.mark.parametrize(
    ("signing", "environment", "allowed", "is_refused"),
    [
        ("", "testing", True, False),
        ("", "testing", False, True),
        ("", "acceptance", True, True),
        (OWN, "testing", True, True),
        (OWN, "testing", False, True),
    ],
    ids=["a beginner", "not allowed", "where users are", "where there is a key", "both"],
)
def test_a_model_without_a_signature_runs_where_nobody_could_have_signed_it(
    settings: Settings, signing: str, environment: str, allowed: bool, is_refused: bool
) -> None:
    """Where there is a key it is as bad as a wrong signature: else whoever can write a file takes it away."""
    one = with_keys(unsigned(settings, allowed), signing, environment=environment)
    if is_refused:
        with pytest.raises(ModelRefused, match="Model x is not signed"):
            check_signature(CONTENT, "manifest", "", one, "Model x")
    else:
        assert check_signature(CONTENT, "manifest", "", one, "Model x") is False


@pytest.mark.parametrize("public", ["", f"{PUBLIC} Ann"])
def test_a_good_signature_is_taken(settings: Settings, public: str) -> None:
    """By who can sign, and by who can only check."""
    signature = sign(CONTENT, "manifest", with_keys(settings, OWN))

    assert check_signature(CONTENT, "manifest", signature, with_keys(settings, "" if public else OWN, public), "x")


@pytest.mark.parametrize(
    ("signature", "signing", "environment", "said"),
    [
        ("", "", "testing", "Model x is not signed; train or promote it again."),
        ("", OWN, "testing", "Model x is not signed, although testing has a key; train or promote it again."),
        ("", OWN, "production", "train or promote it again. Production runs approved models only."),
        ("0" * 64, OWN, "testing", "HMAC), which counts no more; `player -e testing keys resign`"),
        ("0" * 128, "", "testing", "is signed, but testing has no key to check it with; `player keys` prints what"),
        ("0" * 128, OWN, "testing", "was changed after it was signed, or has a signature that is not ours"),
        ("odd", OWN, "testing", "was changed after it was signed"),
    ],
)
def test_a_refusal_says_what_is_wrong_and_what_to_do(
    settings: Settings, signature: str, signing: str, environment: str, said: str
) -> None:
    """Each cause has another remedy."""
    one = with_keys(unsigned(settings, False), signing, environment=environment)
    with pytest.raises(ModelRefused) as refusal:
        check_signature(CONTENT, "manifest", signature, one, "Model x")

    assert said in str(refusal.value)
    assert (environment == "production") == ("approved models only" in str(refusal.value))


def test_signatures_of_older_projects_are_known_by_their_key(settings: Settings) -> None:
    """So they can be made anew, and nobody else's are."""
    one = with_keys(settings, OWN)
    before = hmac.new(OWN.encode(), b"testing\n" + CONTENT, hashlib.sha256).hexdigest()

    assert signed_before(CONTENT, before, one)
    assert not signed_before(CONTENT + b" ", before, one)
    assert not signed_before(CONTENT, before, with_keys(settings, OTHER))
    assert not signed_before(CONTENT, "\ud800", one)
    nobodys = hmac.new(b"", b"testing\n" + CONTENT, hashlib.sha256).hexdigest()
    assert not signed_before(CONTENT, nobodys, with_keys(settings))
