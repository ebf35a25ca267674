"""After a change of keys everything is signed once more; what nobody signed before is not signed now."""

import hashlib
import hmac
import json
from pathlib import Path

import pytest
from pydantic import SecretStr

from player.config import Settings
from player.errors import ConfigError, ModelRefused
from player.model import manifests, records, store
from player.model.manifests import KIND
from player.model.pointers import POINTER, Pointer, point_to, pointer
from player.promotion.resigning import resign
from player.settings.public_keys import public_key_of
from player.trust.signatures import sign, signer

OLD, NEW = "9f8e7d6c5b4a39281706f5e4d3c2b1a0", "0a1b2c3d4e5f60718293a4b5c6d7e8f9"


@pytest.fixture(name="before")
def _before(settings: Settings) -> Settings:
    """Settings with the old key, and what it signed: two manifests, a pointer, two records."""
    before = settings.model_copy(update={"signing_key": SecretStr(OLD)})
    store.folder(before).mkdir(parents=True)
    for name in ("20261123-a", "20261124-b"):
        put(before, name, f'{{"version": "{name}"}}'.encode())
    point_to(Pointer(7, "20261124-b", None), before)
    for number in range(2):
        records.append(before, {"number": number})
    return before


@pytest.fixture(name="after")
def _after(before: Settings) -> Settings:
    """Settings with the new key; both count."""
    listed = f"{public_key_of(NEW)} new\n{public_key_of(OLD)} old"
    return before.model_copy(update={"signing_key": SecretStr(NEW), "public_keys": listed})


def put(settings: Settings, name: str, content: bytes) -> Path:
    """Write a manifest and its signature."""
    path = store.folder(settings) / f"{name}.json"
    path.write_bytes(content)
    path.with_suffix(".sig").write_text(sign(content, KIND, settings), encoding="utf-8")
    return path


def who_signed(settings: Settings, name: str) -> str | None:
    """Return whose signature a manifest has."""
    path = store.folder(settings) / f"{name}.json"
    keys = {public_key_of(OLD): "old", public_key_of(NEW): "new"}
    key = signer(path.read_bytes(), KIND, manifests.read_signature(path), settings.environment, keys)
    return keys.get(key or "")


def test_everything_is_signed_by_the_new_key(before: Settings, after: Settings) -> None:
    """Then the old one can go."""
    assert (5, []) == resign(after)
    alone = after.model_copy(update={"public_keys": public_key_of(NEW)})

    assert ["new", "new"] == [who_signed(alone, name) for name in ("20261123-a", "20261124-b")]
    assert "20261124-b" == getattr(pointer(alone), "current", None)
    assert [{"number": 0}, {"number": 1}] == records.read(alone)
    with pytest.raises(ModelRefused):
        pointer(before)


def test_what_nobody_signed_stays_as_it_is_and_is_named(before: Settings, after: Settings) -> None:
    """A manifest that was changed, a pointer that somebody wrote, a record that was added: each by its name."""
    place = store.folder(after)
    (place / "20261123-a.json").write_bytes(b'{"version": "evil"}')
    forged = {"serial": 9, "current": "evil", "previous": None, "revoked": [], "signature": "0" * 128}
    (place / POINTER).write_text(json.dumps(forged), encoding="utf-8")
    with records.path_of(after).open("a", encoding="utf-8") as file:
        file.write('{"record": {"number": 2}, "signature": ""}\nno record\n[1]\n')
    lines = records.path_of(after).read_text(encoding="utf-8").splitlines()
    done, refused = resign(after)

    assert 3 == done
    assert ["20261123-a.json", POINTER, *(f"line {number} of promotions.jsonl" for number in (3, 4, 5))] == refused
    assert who_signed(after, "20261123-a") is None
    assert forged == json.loads((place / POINTER).read_text(encoding="utf-8"))
    assert lines[2:] == records.path_of(after).read_text(encoding="utf-8").splitlines()[2:]
    assert lines[:2] != records.path_of(after).read_text(encoding="utf-8").splitlines()[:2]


@pytest.mark.parametrize("content", ["", "[1]", "null", "{}", "[" * 9_000])
def test_a_pointer_that_is_none_is_not_signed(after: Settings, content: str) -> None:
    """Whatever stands in its file."""
    (store.folder(after) / POINTER).write_text(content, encoding="utf-8")

    assert (4, [POINTER]) == resign(after)
    assert content == (store.folder(after) / POINTER).read_text(encoding="utf-8")


def test_what_an_older_project_signed_counts_once_more(settings: Settings) -> None:
    """By the same key, in the way of that time (HMAC)."""
    one = settings.model_copy(update={"signing_key": SecretStr(OLD)})
    store.folder(one).mkdir(parents=True)
    path = put(one, "20261123-a", b"{}")
    before = hmac.new(OLD.encode(), b"testing\n{}", hashlib.sha256).hexdigest()
    path.with_suffix(".sig").write_text(before, encoding="utf-8")

    assert (1, []) == resign(one)
    assert "old" == who_signed(one, "20261123-a")
    assert not (store.folder(one) / POINTER).exists()
    assert not records.path_of(one).exists()


def test_only_who_has_the_key_signs(before: Settings) -> None:
    """A service has public keys alone."""
    with pytest.raises(ConfigError, match="The signing key is needed to sign"):
        resign(before.model_copy(update={"signing_key": None, "public_keys": public_key_of(OLD)}))
