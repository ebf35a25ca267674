"""How a model moves up: the same bytes go from one environment to the next, when every gate says yes.

What every gate let pass is copied, signed with the target's key, and only then made current, in one step: a crash at
any point leaves a whole approved model.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from filelock import FileLock, Timeout

from player.config import ENVIRONMENTS, Settings, load_settings
from player.errors import ModelMissing, PromotionRefused
from player.model import store
from player.model.pointers import readable_pointer
from player.model.records import APPROVED, REFUSED, REVOKED, ROLLED_BACK, WAITS, append, describe, read
from player.promotion import gates
from player.promotion.approvals import Asked, forget_request, keep_request, names_in, person_of, read_approvals
from player.promotion.gates import Move, Verdict
from player.storage.records import record_model


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
    person = person_of(target, person)
    verdicts = ask_gates(move, person, reason, gates.GATES)
    more: dict[str, Any] = {"from": source.environment, "gates": verdicts}
    if target.two_people:
        asked = Asked("promote", manifest.version, manifest.sha256, store.fingerprint(manifest))
        if not approve:
            keep_request(asked, target, person, reason)
            return record(move, person, reason, verdicts, WAITS)
        approvals = read_approvals(asked, target)
        more, person, reason = {**more, "approvals": approvals}, names_in(approvals), reason or approvals[0]["why"]
    store.put(manifest, data, target)  # signed only now, when every gate has said yes
    record_model(manifest, target)
    found = store.take_over(manifest, target, person, reason, **more)
    forget_request(target)
    return found


def make_current(manifest: store.Manifest, settings: Settings, person: str, reason: str) -> dict[str, Any]:
    """Make a model current that was trained in this environment and saved there; return the record of it.

    Where users are, gates judge it as they judge one that moves up. Raises PromotionRefused when one says no.
    """
    if not settings.strict:
        return store.take_over(manifest, settings, person, reason)
    _, data = store.verify(manifest.version, settings)
    move = Move(settings, settings, manifest, data, incumbent_of(settings))
    verdicts = ask_gates(move, person, reason, gates.MADE_HERE)
    return store.take_over(manifest, settings, person, reason, gates=verdicts)


def ask_gates(move: Move, person: str, reason: str, chosen: Sequence[Callable[[Move], Verdict]]) -> list[Any]:
    """Return what the gates said; when one says no, record it and raise PromotionRefused with all reasons."""
    verdicts = [gate(move) for gate in chosen]
    said = [asdict(verdict) for verdict in verdicts]
    reasons = [f"{verdict.gate}: {verdict.reason}" for verdict in verdicts if not verdict.passed]
    if reasons:
        record(move, person, reason, said, REFUSED)
        raise PromotionRefused(f"Not promoted to {move.target.environment}. {'; '.join(reasons)}.")
    return said


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
    """Return the manifest of the model that is current in *target*, None before the first promotion.

    Where the pointer cannot be believed, the signed records say which model became current last.
    """
    if active := readable_pointer(target):
        known = [active.current]
    else:
        known = [each["version"] for each in read(target) if each["outcome"] in (APPROVED, ROLLED_BACK)]
    try:
        return store.read_manifest(known[-1], target) if known else None
    except ModelMissing:
        return None


def record(move: Move, person: str, reason: str, verdicts: list[Any], outcome: str) -> dict[str, Any]:
    """Append to the target's records what did not make a model current, and return it."""
    replaces = move.incumbent.version if move.incumbent else None
    more = {"from": move.source.environment, "replaces": replaces, "gates": verdicts}
    found = describe(move.manifest, move.target, person, reason, outcome, **more)
    append(move.target, found)
    return found


def roll_back(target: Settings, person: str, reason: str, approve: bool = False) -> dict[str, Any]:
    """Make the model before the current one again, and return the record of it; raises ModelMissing.

    It needs what a promotion needs: a reason, and where integrity is high two people (the second one with *approve*).
    """
    active = store.pointer(target)
    if active is None or active.previous is None:
        raise ModelMissing(f"{target.environment} has no previous model to go back to; `player promote` brings one.")
    if target.strict and target.promotion.reason_required and not (reason.strip() or approve):
        raise PromotionRefused(f'Say why {target.environment} goes back: --reason "…".')
    manifest, _ = store.verify(active.previous, target)
    person = person_of(target, person)
    more: dict[str, Any] = {"replaces": active.current}
    if target.two_people:
        asked = Asked("roll back", manifest.version, manifest.sha256, store.fingerprint(manifest))
        if not approve:
            keep_request(asked, target, person, reason)
            found = describe(manifest, target, person, reason, WAITS, **more)
            append(target, found)
            return found
        approvals = read_approvals(asked, target)
        more, person, reason = {**more, "approvals": approvals}, names_in(approvals), reason or approvals[0]["why"]
    found = describe(manifest, target, person, reason, ROLLED_BACK, **more)
    append(target, found)
    store.rollback(target)
    forget_request(target)
    return found


def revoke(target: Settings, version: str, person: str, reason: str) -> dict[str, Any]:
    """Let *version* never run in *target* again, and return the record of it; raises ModelMissing or ModelRefused."""
    if target.strict and not reason.strip():
        raise PromotionRefused(f'Say why {version} must never run again: --reason "…".')
    manifest = store.read_manifest(version, target)
    found = describe(manifest, target, person_of(target, person), reason, REVOKED)
    store.revoke(version, target)
    append(target, found)
    return found
