"""Signs what an environment holds once more, with its newest key: after a change of keys, or of the way of signing."""

import json
from pathlib import Path
from typing import Any

from player.config import Settings
from player.errors import ConfigError
from player.model import manifests, pointers, records, store
from player.model.files import read_once, write_whole
from player.settings.public_keys import own_key, trusted_keys
from player.trust.signatures import sign, signed_before, signer


def resign(settings: Settings) -> tuple[int, list[str]]:
    """Sign manifests, pointer and records again; return how many, and the names of those that nobody may sign.

    Raises ConfigError without the signing key.
    """
    if not own_key(settings):
        raise ConfigError("The signing key is needed to sign: set PLAYER_SIGNING_KEY_FILE.")
    folder = store.folder(settings)
    done = [*(resign_manifest(path, settings) for path in sorted(folder.glob("2*.json")))]
    done += [resign_pointer(folder / pointers.POINTER, settings), resign_records(settings)]
    return sum(count for count, _ in done), [name for _, names in done for name in names]


def counts(content: bytes, kind: str, signature: str, settings: Settings) -> bool:
    """Tell whether a signature counts now, or did when older projects signed with the same key."""
    return bool(
        signer(content, kind, signature, settings.environment, trusted_keys(settings))
        or signed_before(content, signature, settings)
    )


def resign_manifest(path: Path, settings: Settings) -> tuple[int, list[str]]:
    """Sign one manifest again."""
    content = read_once(path, manifests.LARGEST)
    if not counts(content, manifests.KIND, manifests.read_signature(path), settings):
        return 0, [path.name]
    write_whole(path.with_suffix(".sig"), sign(content, manifests.KIND, settings).encode())
    return 1, []


def resign_pointer(path: Path, settings: Settings) -> tuple[int, list[str]]:
    """Sign the pointer again, when there is one."""
    if not path.exists():
        return 0, []
    found = read_json(read_once(path, 10_000))
    signature = str(found.pop("signature", ""))
    if not counts(pointers.as_signed(found), pointers.KIND, signature, settings):
        return 0, [path.name]
    found["signature"] = sign(pointers.as_signed(found), pointers.KIND, settings)
    write_whole(path, json.dumps(found, indent=1).encode())
    return 1, []


def resign_records(settings: Settings) -> tuple[int, list[str]]:
    """Sign each line of the records again; a line that does not count stays as it is."""
    lines, refused = [], []
    for name, line in records.named_lines(settings):
        signed = read_json(line)
        content = records.content_of(signed.get("record", {}))
        if counts(content, records.KIND, str(signed.get("signature", "")), settings):
            line = json.dumps({**signed, "signature": sign(content, records.KIND, settings)})  # noqa: PLW2901
        else:
            refused.append(name)
        lines.append(line)
    if lines:
        write_whole(records.path_of(settings), "".join(f"{line}\n" for line in lines).encode())
    return len(lines) - len(refused), refused


def read_json(text: str | bytes) -> dict[str, Any]:
    """Return the object in *text*, an empty one when there is none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
