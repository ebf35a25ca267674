"""Two people: each is a key of their own, and what they agree to are the bytes of one model."""

import json
from dataclasses import asdict, dataclass

from player.config import Settings
from player.errors import PromotionRefused
from player.model import store
from player.model.files import write_whole
from player.settings.public_keys import approvers, public_key_of
from player.trust import signatures

REQUEST = "promotion-request.json"
KIND = "request"


@dataclass(frozen=True)
class Asked:
    """What is asked for: an action, and the SHA-256 of the pickle and of the manifest it is about."""

    action: str
    version: str
    sha256: str
    manifest_sha256: str


def own_approver_key(settings: Settings) -> str:
    """Return the private key of whoever runs this command, "" when there is none."""
    return settings.approver_key.get_secret_value() if settings.approver_key else ""


def person_of(settings: Settings, named: str) -> str:
    """Return who runs this command: where two people are needed the owner of the key, elsewhere the name *named*.

    Raises PromotionRefused when there is no key, or one that is not listed.
    """
    if not settings.two_people:
        return named
    key = own_approver_key(settings)
    owner = approvers(settings).get(public_key_of(key)) if key else None
    if not owner:
        raise PromotionRefused(
            f"Two people change {settings.environment}, and a person is a key: `player keys approver NAME` makes one, "
            "PLAYER_APPROVER_KEY_FILE names it, and PLAYER_APPROVERS_FILE lists the public keys of all who may."
        )
    return owner


def keep_request(asked: Asked, settings: Settings, person: str, reason: str) -> None:
    """Keep, signed by the key of *person*, what is asked for, and why."""
    path = store.folder(settings) / REQUEST
    write_whole(path, json.dumps(approval(asked, settings, person, reason)).encode())


def approval(asked: Asked, settings: Settings, person: str, reason: str) -> dict[str, str]:
    """Return the consent of one person, signed."""
    said = {"who": person, "why": reason}
    return {**said, "signature": signatures.sign(as_signed(asked, said), KIND, settings, own_approver_key(settings))}


def as_signed(asked: Asked, said: dict[str, str]) -> bytes:
    """Return what a person signs: the bytes of the model, who it is, and why."""
    return json.dumps({**asdict(asked), **said}, sort_keys=True).encode()


def read_approvals(asked: Asked, settings: Settings) -> list[dict[str, str]]:
    """Return the request for exactly this and the consent of a second person; raises PromotionRefused.

    Nobody approves an own request, also not with a second key.
    """
    try:
        content = json.loads((store.folder(settings) / REQUEST).read_bytes())
        first = {name: str(content[name]) for name in ("who", "why", "signature")}
    except (OSError, ValueError, KeyError, TypeError):
        raise PromotionRefused(
            f"Nobody asked to {asked.action} {asked.version} in {settings.environment} yet."
        ) from None
    known = approvers(settings)
    said = {name: first[name] for name in ("who", "why")}
    key = signatures.signer(as_signed(asked, said), KIND, first["signature"], settings.environment, known)
    if key is None or known[key] != first["who"]:
        raise PromotionRefused(
            f"Nobody asked to {asked.action} these bytes of {asked.version} in {settings.environment}: what was asked "
            "is another model, or the request is not signed by one of the approvers."
        )
    second = person_of(settings, "")
    if second == first["who"]:
        raise PromotionRefused(f"{second} asked for this; another person must approve it.")
    return [first, approval(asked, settings, second, "")]


def names_in(approvals: list[dict[str, str]]) -> str:
    """Return who agreed, as one text."""
    return f"{approvals[0]['who']}, approved by {approvals[1]['who']}"


def forget_request(settings: Settings) -> None:
    """Delete the request, which was granted."""
    (store.folder(settings) / REQUEST).unlink(missing_ok=True)
