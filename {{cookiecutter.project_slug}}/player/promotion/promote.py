"""How a model moves up: the same bytes go from one environment to the next, when every gate says yes.

What every gate let pass is copied, signed with the target's key, and only then made current, in one step: a crash at any
point leaves a whole approved model.
"""

import hmac
import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from filelock import FileLock, Timeout

from player.config import ENVIRONMENTS, Settings, load_settings
from player.errors import ModelMissing, PromotionRefused
from player.model import store, trust
from player.model.files import write_whole
from player.promotion import gates
from player.promotion.gates import Move, Verdict
from player.promotion.records import APPROVED, REFUSED, ROLLED_BACK, WAITS, append
from player.storage.records import record_model

REQUEST = "promotion-request.json"


def promote(target: Settings, person: str, reason: str, approve: bool = False, version: str = "") -> dict[str, Any]:
    """Move the current model of the environment before into *target*, and return the record of it.

    With *version* that model, which *target* has already (retraining saved it there), becomes the current one.
    Where integrity is high two people are needed: the first call keeps a request, and the second one, with *approve*
    and by another person, moves. Raises PromotionRefused with all reasons when a gate says no; nothing is moved then.
    """
    store.folder(target).mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(store.folder(target) / ".promote.lock", timeout=0):
            return promote_alone(target, person, reason, approve, version)
    except Timeout:
        raise PromotionRefused(f"Another promotion to {target.environment} is at work; try again.") from None


def promote_alone(target: Settings, person: str, reason: str, approve: bool, version: str) -> dict[str, Any]:
    """Do the work of `promote`; nobody else promotes to *target* at this moment."""
    if target.strict and target.promotion.reason_required and not (reason.strip() or approve):
        raise PromotionRefused(f'Say why a model goes to {target.environment}: --reason "…".')
    source = target if version else load_settings(before(target.environment))
    if target.strict:
        source = signed_only(source)
    manifest, data = store.verify(version or store.current_manifest(source).version, source)
    move = Move(source, target, manifest, data, incumbent_of(target))
    if move.incumbent and move.incumbent.version == manifest.version:
        raise PromotionRefused(f"{manifest.version} is current in {target.environment} already.")
    verdicts = [gate(move) for gate in gates.GATES]
    refuse(move, person, reason, verdicts)
    if target.two_people:
        if not approve:
            keep_request(target, manifest.version, person, reason)
            return record(move, person, reason, verdicts, WAITS)
        asked = read_request(target, manifest.version)
        if asked["person"] == person:
            raise PromotionRefused(f"{person} asked for this promotion; another person must approve it.")
        person, reason = f"{asked['person']}, approved by {person}", reason or asked["reason"]
    store.put(manifest, data, target)  # signed only now, when every gate has said yes
    record_model(manifest, target)
    found = record(move, person, reason, verdicts, APPROVED)
    store.activate(manifest.version, target)
    (store.folder(target) / REQUEST).unlink(missing_ok=True)
    return found


def signed_only(source: Settings) -> Settings:
    """Return *source* so that nothing unsigned is believed of it: pointer, manifest, pickle or record."""
    return source.model_copy(update={"model": source.model.model_copy(update={"allow_unsigned": False})})


def before(environment: str) -> str:
    """Return the environment from which models come into *environment*."""
    place = ENVIRONMENTS.index(environment)
    if place == 0:
        raise PromotionRefused("Models come into development by `player train`.")
    return ENVIRONMENTS[place - 1]


def incumbent_of(target: Settings) -> store.Manifest | None:
    """Return the manifest of the model that is current in *target*, None before the first promotion."""
    try:
        return store.current_manifest(target)
    except ModelMissing:
        return None


def refuse(move: Move, person: str, reason: str, verdicts: list[Verdict]) -> None:
    """Record it and raise PromotionRefused, one line with all reasons, when a gate said no."""
    reasons = [f"{verdict.gate}: {verdict.reason}" for verdict in verdicts if not verdict.passed]
    if reasons:
        record(move, person, reason, verdicts, REFUSED)
        raise PromotionRefused(f"Not promoted to {move.target.environment}. {'; '.join(reasons)}.")


def keep_request(target: Settings, version: str, person: str, reason: str) -> None:
    """Keep, signed, that *person* asked to promote *version*, and why."""
    content = json.dumps({"version": version, "person": person, "reason": reason}).encode()
    write_whole(store.folder(target) / REQUEST, content + b"\n" + trust.sign(content, target).encode())


def read_request(target: Settings, version: str) -> dict[str, str]:
    """Return who asked to promote *version* (`person`) and why (`reason`); raises PromotionRefused when nobody did."""
    try:
        content, _, signature = (store.folder(target) / REQUEST).read_bytes().partition(b"\n")
        asked: dict[str, str] = json.loads(content)
    except (OSError, ValueError):
        raise PromotionRefused(f"Nobody asked to promote {version} to {target.environment} yet.") from None
    signed = hmac.compare_digest(signature, trust.sign(content, target).encode())
    if not signed or asked["version"] != version:
        raise PromotionRefused(f"Nobody asked to promote {version} to {target.environment}; what was asked is another.")
    return asked


def record(move: Move, person: str, reason: str, verdicts: list[Verdict], outcome: str) -> dict[str, Any]:
    """Append to the target's records who wanted what, when, why, what the gates said, and the *outcome*; return it."""
    found = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": move.manifest.version,
        "sha256": move.manifest.sha256,
        "from": move.source.environment,
        "to": move.target.environment,
        "replaces": move.incumbent.version if move.incumbent else None,
        "who": person,
        "why": reason,
        "gates": [asdict(verdict) for verdict in verdicts],
        "outcome": outcome,
    }
    append(move.target, found)
    return found


def roll_back(target: Settings, person: str, reason: str) -> dict[str, Any]:
    """Make the model before the current one again, and return the record of it; raises ModelMissing."""
    pointer = store.rollback(target)
    found = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": pointer.current,
        "replaces": pointer.previous,
        "to": target.environment,
        "who": person,
        "why": reason,
        "outcome": ROLLED_BACK,
    }
    append(target, found)
    return found
