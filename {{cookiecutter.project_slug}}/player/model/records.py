"""Who moved which model, when, why, and what the gates said: one signed line each, in `promotions.jsonl`."""

import json
import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from player.config import Settings
from player.errors import ModelRefused
from player.model.manifests import Manifest, fingerprint, folder
from player.trust import signatures

FILE = "promotions.jsonl"
KIND = "record"
APPROVED, REFUSED, WAITS = "approved", "refused", "waits for a second person"
ROLLED_BACK, REVOKED = "rolled back", "revoked"


def path_of(settings: Settings) -> Path:
    """Return where the records of an environment are."""
    return folder(settings) / FILE


def append(settings: Settings, record: dict[str, Any]) -> None:
    """Write one signed line and wait until it is on the disk."""
    path_of(settings).parent.mkdir(parents=True, exist_ok=True)
    line = {"record": record, "signature": signatures.sign(content_of(record), KIND, settings)}
    with path_of(settings).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
        file.flush()
        os.fsync(file.fileno())


def content_of(record: dict[str, Any]) -> bytes:
    """Return what of a record is signed."""
    return json.dumps(record, sort_keys=True).encode()


def read(settings: Settings) -> list[dict[str, Any]]:
    """Return the records of an environment, the oldest first; raises ModelRefused when one was changed."""
    return [checked(line, name, settings) for name, line in named_lines(settings)]


def named_lines(settings: Settings) -> list[tuple[str, str]]:
    """Return each line of the records and what to call it."""
    if not path_of(settings).exists():
        return []
    lines = path_of(settings).read_text(encoding="utf-8").splitlines()
    return [(f"line {number} of {FILE}", line) for number, line in enumerate(lines, 1)]


def checked(line: str, name: str, settings: Settings) -> dict[str, Any]:
    """Return the record in *line*; raises ModelRefused when it is none, or its signature is not to be trusted here."""
    try:
        signed = json.loads(line)
        record: dict[str, Any] = signed["record"]
        signature = str(signed["signature"])
    except (ValueError, KeyError, TypeError):
        raise ModelRefused(f"{name} in {settings.environment} is no record.") from None
    signatures.check_signature(content_of(record), KIND, signature, settings, name)
    return record


def passed(gate: str, manifest: Manifest, settings: Settings) -> bool:
    """Tell whether *gate* let exactly these bytes in here once; a record that was changed says nothing."""
    for name, line in named_lines(settings):
        with suppress(ModelRefused):
            record = checked(line, name, settings)
            same = record["outcome"] == APPROVED and record.get("manifest_sha256") == fingerprint(manifest)
            if same and any(said["gate"] == gate and said["passed"] for said in record.get("gates", ())):
                return True
    return False


def describe(manifest: Manifest, settings: Settings, who: str, why: str, outcome: str, **more: Any) -> dict[str, Any]:
    """Return a record of what became of a model in an environment: when, which bytes, who, why, and *more*."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": manifest.version,
        "sha256": manifest.sha256,
        "manifest_sha256": fingerprint(manifest),
        "to": settings.environment,
        "who": who,
        "why": why,
        "outcome": outcome,
        **more,
    }
