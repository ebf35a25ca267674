"""Keys come, change and go: the new one signs, the old ones count as long as they are wanted, and nobody reads them."""

import os
import stat
from pathlib import Path

import pytest

from player.config import ENVIRONMENTS, load_settings
from player.errors import ConfigError, PromotionRefused
from player.promotion import keys
from player.promotion.approvals import (
    Asked,
    forget_request,
    keep_request,
    names_in,
    person_of,
    read_approvals,
)
from player.promotion.keys import (
    APPROVERS,
    FILES,
    PUBLIC,
    SIGNING,
    add_api_key,
    keep_newest,
    key_files,
    make_approver,
    make_keys,
    revoke_api_key,
    rotate,
    use_approver,
    use_keys,
)
from player.settings.api_keys import fingerprint, read_api_keys
from player.settings.public_keys import public_key_of, trusted_keys
from player.trust.signatures import sign, signer

pytestmark = pytest.mark.usefixtures("keys")
ASKED = Asked("promote", "20261123-072240-1a2b3c4d", "aa", "bb")


def mode(path: Path) -> int:
    """Return who may do what with a file or folder; on Windows what it should be."""
    return stat.S_IMODE(path.stat().st_mode) if os.name == "posix" else (0o700 if path.is_dir() else 0o600)


def test_each_environment_has_its_own_keys(home: Path) -> None:
    """One that leaks opens no other one; what is there already is not touched."""
    before = {path: path.read_bytes() for path in (home / "keys").iterdir()}
    secret = [path for path in before if path.suffix == ".key"]

    assert 2 * len(ENVIRONMENTS) == len(secret)
    assert len(before) == len(set(before.values()))
    assert {0o600} == {mode(path) for path in secret}
    assert 0o700 == mode(home / "keys")
    assert [] == make_keys(home)
    assert before == {path: path.read_bytes() for path in (home / "keys").iterdir()}


def test_a_public_half_that_was_lost_is_written_again(home: Path) -> None:
    """It follows from the other one, which is then not made anew."""
    private, public = (home / FILES[name].format(environment="testing") for name in (SIGNING, PUBLIC))
    public.unlink()

    assert [] == make_keys(home)
    assert f"{public_key_of(private.read_text(encoding='utf-8'))} testing\n" == public.read_text(encoding="utf-8")


def test_keys_that_the_environment_names_are_not_replaced(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a file nor the key itself; where there is none the project's own are used."""
    monkeypatch.setenv("PLAYER_API_KEY", "given")
    monkeypatch.setenv(SIGNING, "/elsewhere")
    for name in (PUBLIC, "PLAYER_API_KEY_FILE"):
        monkeypatch.delenv(name)
    use_keys(home)
    found = os.environ.get(SIGNING), os.environ.get(PUBLIC), os.environ.get("PLAYER_API_KEY_FILE")
    os.environ.pop(PUBLIC)

    assert ("/elsewhere", str(home / FILES[PUBLIC]), None) == found


def test_a_new_key_signs_and_the_old_ones_still_count(home: Path) -> None:
    """Until somebody says that they do no more; so a running service is never without a key that counts."""
    old = load_settings("testing")
    signature = sign(b"x", "manifest", old)
    private, public = rotate("testing")
    new = load_settings("testing")

    assert 2 == len(trusted_keys(new))
    assert [public_key_of(key.get_secret_value()) for key in (new.signing_key, old.signing_key) if key] == trusted_keys(
        new
    )
    assert trusted_keys(new)[1] == signer(b"x", "manifest", signature, "testing", trusted_keys(new))
    assert trusted_keys(new)[0] == signer(b"x", "manifest", sign(b"x", "manifest", new), "testing", trusted_keys(new))
    assert (0o600, []) == (mode(private), list(private.parent.glob("*.new")))
    keep_newest(new)
    assert trusted_keys(new)[:1] == trusted_keys(load_settings("testing"))
    assert (private, public) == key_files("testing")


def test_a_rotation_that_was_cut_off_can_be_done_again(home: Path) -> None:
    """What it left is no key; a public list that is gone begins with the old key."""
    private, public = key_files("testing")
    old = public_key_of(private.read_text(encoding="utf-8"))
    private.with_name(f"{private.name}.new").write_text("half", encoding="utf-8")
    public.unlink()
    rotate("testing")

    assert old == trusted_keys(load_settings("testing"))[1]


@pytest.mark.parametrize("missing", [SIGNING, PUBLIC, "file"])
def test_without_files_there_is_nothing_to_rotate(home: Path, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    """Keys that are variables are changed where they come from."""
    if missing == "file":
        key_files("testing")[0].unlink()
    else:
        monkeypatch.delenv(missing)

    with pytest.raises(ConfigError, match="must name the two files; `player keys` makes them"):
        rotate("testing")


@pytest.mark.parametrize("name", ["", "../x", ".x", "-x", "a b", "a/b", "x" * 65, "é"])
def test_a_person_has_a_short_name(home: Path, name: str) -> None:
    """It names a file."""
    with pytest.raises(ConfigError, match="must be a short name"):
        make_approver(home, name)


def test_a_person_has_one_key(home: Path) -> None:
    """In a file for the own user, and listed for all; a second one of the same name is refused."""
    paths = [make_approver(home, name) for name in ("ann", "x" * 64)]
    listed = (home / APPROVERS).read_text(encoding="utf-8").splitlines()

    assert [0o600, 0o600] == [mode(path) for path in paths]
    assert [f"{public_key_of(paths[0].read_text(encoding='utf-8'))} ann", "x" * 64] == [listed[0], listed[1].split()[1]]
    with pytest.raises(ConfigError, match="is there already"):
        make_approver(home, "ann")
    assert 2 == len((home / APPROVERS).read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize(("person", "name"), [("Ann de Vries", "Ann-de-Vries"), ("_.-", "me"), ("", "me"), ("é", "me")])
def test_whoever_plays_gets_a_key_by_the_way(
    home: Path, monkeypatch: pytest.MonkeyPatch, person: str, name: str
) -> None:
    """Once; who brings one uses that."""
    for variable in ("PLAYER_APPROVER_KEY", "PLAYER_APPROVER_KEY_FILE", "PLAYER_APPROVERS_FILE"):
        monkeypatch.setenv(variable, "")
        monkeypatch.delenv(variable)
    path = home / "keys" / f"approver-{name}.key"

    assert [path] == use_approver(home, person)
    assert (str(path), str(home / APPROVERS)) == (
        os.environ["PLAYER_APPROVER_KEY_FILE"], os.environ["PLAYER_APPROVERS_FILE"]
    )  # fmt: skip
    assert [] == use_approver(home, "Bea"), "one is named already"
    monkeypatch.delenv("PLAYER_APPROVER_KEY_FILE")
    assert [] == use_approver(home, person), "the file is there already"
    monkeypatch.delenv("PLAYER_APPROVER_KEY_FILE")
    monkeypatch.setenv("PLAYER_APPROVER_KEY", "given")
    assert [] == use_approver(home, "Bea")
    assert "PLAYER_APPROVER_KEY_FILE" not in os.environ


def test_a_named_key_is_shown_once_and_kept_as_a_hash(home: Path) -> None:
    """Each name has one; whose is taken away is known no more, and the others stay."""
    settings = load_settings("testing")
    path = keys.api_keys_file(settings)
    made = {name: add_api_key(settings, name) for name in ("ann", "bea")}
    text = path.read_text(encoding="utf-8")

    assert home / "keys" / "testing-api.keys" == path
    assert {fingerprint(key): name for name, key in made.items()} == read_api_keys(text)
    assert not [key for key in made.values() if key in text]
    with pytest.raises(ConfigError, match="ann has a key already"):
        add_api_key(settings, "ann")
    revoke_api_key(settings, "ann")
    assert {fingerprint(made["bea"]): "bea"} == read_api_keys(path.read_text(encoding="utf-8"))
    with pytest.raises(ConfigError, match="ann has no key in"):
        revoke_api_key(settings, "ann")
    add_api_key(settings, "ann")
    assert ["bea", "ann"] == list(read_api_keys(path.read_text(encoding="utf-8")).values())


def test_without_any_named_key_none_is_taken_away(home: Path) -> None:
    """The file need not be there."""
    with pytest.raises(ConfigError, match="ann has no key in"):
        revoke_api_key(load_settings("testing"), "ann")


@pytest.fixture(name="people")
def _people(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Production of high integrity, in which Ann and Bea may approve."""
    monkeypatch.setenv("PLAYER_RATING__INTEGRITY", "high")
    for name in ("ann", "bea"):
        make_approver(home, name)
    monkeypatch.setenv("PLAYER_APPROVERS_FILE", str(home / APPROVERS))
    become(home, monkeypatch, "ann")
    (home / "models" / "production").mkdir()


def become(home: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Run what comes next as this person."""
    monkeypatch.setenv("PLAYER_APPROVER_KEY_FILE", str(home / "keys" / f"approver-{name}.key"))


@pytest.mark.usefixtures("people")
def test_two_people_agree_to_the_same_bytes(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One asks and says why, another one approves; then the request is over."""
    asks = load_settings("production")
    assert "ann" == person_of(asks, "somebody else")
    keep_request(ASKED, asks, "ann", "it is better")
    become(home, monkeypatch, "bea")
    settings = load_settings("production")
    found = read_approvals(ASKED, settings)

    assert [("ann", "it is better"), ("bea", "")] == [(each["who"], each["why"]) for each in found]
    assert "ann, approved by bea" == names_in(found)
    assert found[0]["signature"] != found[1]["signature"]
    for _ in range(2):
        forget_request(settings)
    with pytest.raises(PromotionRefused, match="Nobody asked to promote 20261123-072240-1a2b3c4d in production yet"):
        read_approvals(ASKED, settings)


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize(
    ("asked", "as_whom", "said"),
    [
        (ASKED, "ann", "ann asked for this; another person must approve it"),
        (Asked("promote", ASKED.version, "other", "bb"), "bea", "what was asked is another model"),
        (Asked("promote", ASKED.version, "aa", "other"), "bea", "what was asked is another model"),
        (Asked("rollback", ASKED.version, "aa", "bb"), "bea", "Nobody asked to rollback these bytes"),
    ],
    ids=["the same person", "another pickle", "another manifest", "another action"],
)
def test_nobody_agrees_to_what_was_not_asked(
    home: Path, monkeypatch: pytest.MonkeyPatch, asked: Asked, as_whom: str, said: str
) -> None:
    """The signature of the request is about these bytes and this action."""
    keep_request(ASKED, load_settings("production"), "ann", "it is better")
    become(home, monkeypatch, as_whom)

    with pytest.raises(PromotionRefused, match=said):
        read_approvals(asked, load_settings("production"))


@pytest.mark.usefixtures("people")
def test_nobody_asks_in_the_name_of_another(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name must be the one of the key; a stranger's key is none."""
    keep_request(ASKED, load_settings("production"), "bea", "she said so")
    with pytest.raises(PromotionRefused, match="not signed by one of the approvers"):
        read_approvals(ASKED, load_settings("production"))

    monkeypatch.setenv("PLAYER_APPROVERS_FILE", str(home / "nobody"))
    (home / "nobody").write_text("# nobody yet\n", encoding="utf-8")
    with pytest.raises(PromotionRefused, match="a person is a key: `player keys approver NAME` makes one"):
        person_of(load_settings("production"), "ann")
    monkeypatch.delenv("PLAYER_APPROVER_KEY_FILE")
    with pytest.raises(PromotionRefused, match="a person is a key"):
        person_of(load_settings("production"), "ann")


def test_where_one_person_is_enough_a_name_is(home: Path) -> None:
    """As it was given, without a key."""
    assert "Ann" == person_of(load_settings("testing"), "Ann")
