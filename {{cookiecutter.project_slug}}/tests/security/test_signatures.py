"""What a signature says, what it does not, and how keys change."""

import json
import secrets
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from conftest import KEYS
from pydantic import SecretStr

from player.cli import main
from player.config import Settings, load_settings
from player.errors import ModelRefused, PromotionRefused
from player.model import loading, pointers, records, saving, store
from player.promotion import approvals
from player.promotion.approvals import Asked
from player.promotion.keys import APPROVERS, make_approver
from player.serving.commands import put_signing_key_away
from player.settings.public_keys import public_key_of
from player.training import Trained
from player.trust import signatures


def run(*arguments: str) -> Result:
    """Call `player` with *arguments*."""
    return CliRunner().invoke(main, list(arguments))


@pytest.fixture(name="keyed")
def _keyed(keys: Path, saved: Path) -> Settings:
    """Production with keys in files, and one signed current model."""
    settings = load_settings("production")
    shutil.copytree(saved / "testing", keys / "models" / "production")
    version = next((keys / "models" / "production").glob("2*.json")).stem
    manifest = store.Manifest(**json.loads((store.folder(settings) / f"{version}.json").read_text(encoding="utf-8")))
    store.put(manifest, (store.folder(settings) / f"{version}.pkl").read_bytes(), settings)
    store.activate(version, settings)
    return settings


def current(settings: Settings) -> str:
    """Return the current version."""
    found = store.pointer(settings)
    assert found is not None
    return found.current


def only_public(settings: Settings) -> Settings:
    """Return *settings* as a service has them."""
    return settings.model_copy(update={"signing_key": None})


def test_a_service_checks_with_the_public_key_and_cannot_sign(keyed: Settings) -> None:
    """The private key is not needed to run a model, and what a service could write is signed by nobody."""
    service = only_public(keyed)

    assert store.verify(current(keyed), service)
    assert signatures.sign(b"a model", "manifest", service) == ""
    store.point_to(store.Pointer(2**40, current(keyed), None), service)
    with pytest.raises(ModelRefused, match="is not signed"):
        store.pointer(service)


def test_where_no_key_is_set_the_command_that_says_how_is_named(
    keyed: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has signed models, as after `player dtap`, and a shell without keys, is told what to type."""
    for name in ("PLAYER_SIGNING_KEY_FILE", "PLAYER_PUBLIC_KEYS_FILE", "PLAYER_SIGNING_KEY", "PLAYER_PUBLIC_KEYS"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(ModelRefused, match="has no key to check it with; `player keys` prints what to set"):
        store.verify(current(keyed), load_settings("production"))


def test_serving_puts_the_signing_key_away(keyed: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The workers inherit public keys alone, also where only the private key was given."""
    monkeypatch.delenv("PLAYER_PUBLIC_KEYS_FILE")
    monkeypatch.setenv("PLAYER_PUBLIC_KEYS", "")
    alone = load_settings("production")
    assert alone.signing_key is not None

    service = put_signing_key_away(alone)

    assert service.signing_key is None
    assert [public_key_of(alone.signing_key.get_secret_value())] == service.public_keys.split()
    assert store.verify(current(keyed), service)


def test_nothing_signed_for_one_purpose_or_place_counts_in_another(keyed: Settings) -> None:
    """The signature of a receipt is none of a manifest, and production's is none of acceptance's."""
    signature = signatures.sign(b"the same bytes", "receipt", keyed)
    keys = [public_key_of(keyed.signing_key.get_secret_value())] if keyed.signing_key else []

    assert signatures.signer(b"the same bytes", "receipt", signature, "production", keys)
    assert not signatures.signer(b"the same bytes", "manifest", signature, "production", keys)
    assert not signatures.signer(b"the same bytes", "receipt", signature, "acceptance", keys)
    assert not signatures.signer(b"other bytes", "receipt", signature, "production", keys)


def test_an_old_pointer_is_not_believed_after_a_restart(keyed: Settings, trained: Trained) -> None:
    """Who puts back what was signed once brings back no old model: the newest change is known elsewhere."""
    path = store.folder(keyed) / store.POINTER
    old = path.read_bytes()
    store.point_to(store.Pointer(pointers.newest_serial(keyed) + 5, current(keyed), None), keyed)
    path.write_bytes(old)

    with pytest.raises(ModelRefused, match="an old one that somebody put back"):
        store.pointer(only_public(keyed))
    assert store.activate(next(store.folder(keyed).glob("2*.json")).stem, keyed).serial > json.loads(old)["serial"]


def test_a_serial_that_is_no_number_is_said_and_nothing_runs(keyed: Settings) -> None:
    """The file beside the keys is read with the same suspicion as everything else."""
    keyed.path(keyed.model.serial_file).write_text("not a number", encoding="utf-8")

    with pytest.raises(ModelRefused, match="holds no number"):
        store.pointer(keyed)


def test_a_revoked_model_never_runs_again(keyed: Settings, trained: Trained) -> None:
    """It stands in the signed pointer, so that nobody takes it off the list by deleting a file."""
    bad = current(keyed)
    good = saving.save(trained, keyed).version
    store.activate(good, keyed)
    store.activate(bad, keyed)

    result = run("-e", "production", "revoke", bad, "--reason", "it learned from stolen rows")

    assert result.exit_code == 0, result.output
    assert (good, None) == (current(keyed), store.pointer(keyed).previous)  # type: ignore[union-attr]
    for attempt in (lambda: loading.load(bad, keyed), lambda: store.activate(bad, keyed)):
        with pytest.raises(ModelRefused, match="was revoked in production"):
            attempt()
    assert records.REVOKED == records.read(keyed)[-1]["outcome"]


def test_keys_change_without_a_gap(keyed: Settings) -> None:
    """After `rotate` both keys count, after `resign` only the new one, and the model runs all the time."""
    old_public = keyed.public_keys
    assert run("-e", "production", "keys", "rotate").exit_code == 0
    both = load_settings("production")
    assert 2 == len(both.public_keys.split("\n")) - both.public_keys.endswith("\n")
    assert store.verify(current(both), both)

    done = run("-e", "production", "keys", "resign")

    after = load_settings("production")
    assert done.exit_code == 0, done.output
    assert old_public.split()[0] not in after.public_keys
    assert store.verify(current(after), only_public(after))
    with pytest.raises(ModelRefused, match="not ours"):
        store.verify(current(after), after.model_copy(update={"public_keys": old_public}))


def test_what_nobody_signed_is_not_signed_on_the_occasion_of_new_keys(keyed: Settings) -> None:
    """`resign` is no way to get a forgery signed."""
    folder = store.folder(keyed)
    real = json.loads(next(folder.glob("2*.json")).read_text(encoding="utf-8"))
    (folder / "20990101-000000-forged00.json").write_text(
        json.dumps({**real, "version": "20990101-000000-forged00"}), encoding="utf-8"
    )

    done = run("-e", "production", "keys", "resign")

    assert "20990101-000000-forged00.json" in done.stderr
    assert not (folder / "20990101-000000-forged00.sig").exists()


def test_the_way_older_projects_signed_is_told_and_mended_in_one_command(keyed: Settings) -> None:
    """HMAC with the same key: one sentence with the remedy, and the remedy works."""
    import hashlib
    import hmac

    key = keyed.signing_key.get_secret_value().encode() if keyed.signing_key else b""
    version, folder = current(keyed), store.folder(keyed)
    content = (folder / f"{version}.json").read_bytes()
    old = hmac.new(key, b"production\n" + content, hashlib.sha256).hexdigest()
    (folder / f"{version}.sig").write_text(old, encoding="utf-8")
    with pytest.raises(ModelRefused, match=r"older version of this project .* keys resign") as refusal:
        store.verify(version, keyed)
    assert "\n" not in str(refusal.value)

    assert run("-e", "production", "keys", "resign").exit_code == 0

    assert store.verify(version, keyed)


@pytest.fixture(name="people")
def _people(keyed: Settings, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Three approvers in a production of high integrity; call it with a name to have the settings of that person."""
    monkeypatch.setenv("PLAYER_RATING__INTEGRITY", "high")
    for person in ("ann", "bob"):
        make_approver(keyed.home, person)
    monkeypatch.setenv("PLAYER_APPROVERS_FILE", str(keyed.home / APPROVERS))

    def settings_of(person: str) -> Settings:
        monkeypatch.setenv("PLAYER_APPROVER_KEY_FILE", str(keyed.home / "keys" / f"approver-{person}.key"))
        return load_settings("production")

    return settings_of


ASKED = Asked("promote", "20260101-000000-aaaaaaaa", "1" * 64, "2" * 64)


def test_a_person_is_a_key_and_not_a_name(people: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither `--as` nor LOGNAME makes anybody another person; a second key of the same name does not either."""
    approvals.keep_request(ASKED, people("ann"), "ann", "because")
    monkeypatch.setenv("LOGNAME", "bob")
    with pytest.raises(PromotionRefused, match="ann asked for this; another person must approve"):
        approvals.read_approvals(ASKED, people("ann"))

    settings = people("bob")
    second = secrets.token_hex(32)
    twice = f"{settings.approvers}\n{public_key_of(second)} ann\n"
    as_ann = settings.model_copy(update={"approvers": twice, "approver_key": SecretStr(second)})
    with pytest.raises(PromotionRefused, match="another person must approve"):
        approvals.read_approvals(ASKED, as_ann)
    assert "ann, approved by bob" == approvals.names_in(approvals.read_approvals(ASKED, settings))


@pytest.mark.parametrize("other", [{"sha256": "3" * 64}, {"manifest_sha256": "3" * 64}, {"action": "roll back"}])
def test_what_is_approved_are_the_bytes(people: Any, other: dict[str, str]) -> None:
    """A request for one model is none for other bytes under the same name, nor for another action."""
    approvals.keep_request(ASKED, people("ann"), "ann", "because")
    swapped = Asked(**{**vars(ASKED), **other})

    with pytest.raises(PromotionRefused, match="what was asked is another model"):
        approvals.read_approvals(swapped, people("bob"))


def test_a_request_by_nobody_is_none(people: Any, keyed: Settings) -> None:
    """Who can write the file, and has no key, asks for nothing."""
    path = store.folder(keyed) / approvals.REQUEST
    path.write_text(json.dumps({"who": "ann", "why": "", "signature": "0" * 128}), encoding="utf-8")

    with pytest.raises(PromotionRefused, match="not signed by one of the approvers"):
        approvals.read_approvals(ASKED, people("bob"))


def test_without_a_listed_key_nobody_is_anybody(keyed: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence says how to become somebody."""
    monkeypatch.setenv("PLAYER_RATING__INTEGRITY", "high")
    with pytest.raises(PromotionRefused, match="player keys approver NAME"):
        approvals.person_of(load_settings("production"), "root")


def test_a_rollback_needs_a_reason_and_at_high_integrity_two_people(
    people: Any, keyed: Settings, trained: Trained
) -> None:
    """It brings another model to users: the same rules as for a promotion."""
    first = current(keyed)
    store.activate(saving.save(trained, keyed).version, keyed)
    second = current(keyed)
    people("ann")
    alone = run("-e", "production", "rollback", "--reason", "it is worse")
    again = run("-e", "production", "rollback", "--approve")
    assert "waits: another person" in alone.output
    assert "another person must approve" in again.stderr
    assert second == current(keyed)
    assert "Say why" in run("-e", "production", "rollback").stderr

    people("bob")
    assert run("-e", "production", "rollback", "--approve").exit_code == 0
    assert first == current(keyed)


@pytest.mark.parametrize("integrity", ["medium", "high"])
def test_no_command_makes_a_model_current_without_a_record(
    keyed: Settings, trained: Trained, monkeypatch: pytest.MonkeyPatch, integrity: str
) -> None:
    """One way for all: a reason, two people where they are needed, and a signed line."""
    monkeypatch.setenv("PLAYER_RATING__INTEGRITY", integrity)
    settings, before = load_settings("production"), current(keyed)
    manifest = saving.save(trained, settings)

    with pytest.raises(ModelRefused, match="Say why"):
        store.take_over(manifest, settings, "somebody", " ")
    if integrity == "high":
        with pytest.raises(ModelRefused, match="Two people"):
            store.take_over(manifest, settings, "somebody", "because")
        assert before == current(settings)
    else:
        store.take_over(manifest, settings, "somebody", "because")
        line = records.read(settings)[-1]
        assert (manifest.version, "somebody", "because") == (line["version"], line["who"], line["why"])


def test_training_where_users_are_passes_gates_and_says_why(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`player train` in production is a promotion: refused without a reason, judged, recorded."""
    monkeypatch.setenv("PLAYER_RATING__INTEGRITY", "medium")
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    assert "Say why" in run("-e", "production", "train").stderr

    done = run("-e", "production", "train", "--reason", "the first model")

    assert done.exit_code == 0, done.output
    line = records.read(load_settings("production"))[-1]
    assert ("the first model", ["controls", "schema", "metrics"]) == (line["why"], [g["gate"] for g in line["gates"]])
