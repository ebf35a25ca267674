"""Makes the secrets of each environment: two random keys, in files that only their owner can read."""

import os
import secrets
from pathlib import Path

from player.config import ENVIRONMENTS

FOLDER = "keys"
FILES = {
    "PLAYER_SIGNING_KEY_FILE": f"{FOLDER}/{{environment}}-signing.key",
    "PLAYER_API_KEY_FILE": f"{FOLDER}/{{environment}}-api.key",
}


def make_keys(home: Path) -> list[Path]:
    """Write the keys that are not there yet below *home*, and return their paths; a key that is there stays."""
    (home / FOLDER).mkdir(mode=0o700, exist_ok=True)
    names = [name.replace("{environment}", environment) for environment in ENVIRONMENTS for name in FILES.values()]
    missing = [home / name for name in names if not (home / name).exists()]
    for path in missing:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(secrets.token_hex(32))
    return missing


def use_keys(home: Path) -> None:
    """Make this process and those it starts use these keys, unless the environment names others."""
    for variable, name in FILES.items():
        if not os.environ.get(variable.removesuffix("_FILE")):
            os.environ.setdefault(variable, str(home / name))
