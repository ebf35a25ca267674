"""Makes the keys of each environment and of each approver, in files that only their owner can read."""

import os
import re
import secrets
from pathlib import Path

from player.config import ENVIRONMENTS, Settings
from player.errors import ConfigError
from player.model.files import write_whole
from player.settings.api_keys import fingerprint, read_api_keys
from player.settings.public_keys import own_key, public_key_of

FOLDER = "keys"
SIGNING, PUBLIC = "PLAYER_SIGNING_KEY_FILE", "PLAYER_PUBLIC_KEYS_FILE"
FILES = {
    SIGNING: f"{FOLDER}/{{environment}}-signing.key",
    PUBLIC: f"{FOLDER}/{{environment}}-signing.pub",
    "PLAYER_API_KEY_FILE": f"{FOLDER}/{{environment}}-api.key",
}
API_KEYS = "PLAYER_API_KEYS_FILE"
APPROVERS = f"{FOLDER}/approvers.pub"


def make_keys(home: Path) -> list[Path]:
    """Write the keys that are not there yet below *home*, and return their paths; a key that is there stays.

    Beside each signing key its public half is written.
    """
    (home / FOLDER).mkdir(mode=0o700, exist_ok=True)
    made = []
    for environment in ENVIRONMENTS:
        paths = {name: home / file.replace("{environment}", environment) for name, file in FILES.items()}
        for name, path in paths.items():
            if name != PUBLIC and not path.exists():
                write_secret(path, secrets.token_hex(32))
                made.append(path)
        if not paths[PUBLIC].exists():
            public = public_key_of(paths[SIGNING].read_text(encoding="utf-8").strip())
            paths[PUBLIC].write_text(f"{public} {environment}\n", encoding="utf-8")
    return made


def write_secret(path: Path, text: str) -> None:
    """Write a new file that only its owner can read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def use_keys(home: Path) -> None:
    """Make this process and those it starts use these keys, unless the environment names others."""
    for variable, name in FILES.items():
        if not os.environ.get(variable.removesuffix("_FILE")):
            os.environ.setdefault(variable, str(home / name))


def make_approver(home: Path, person: str) -> Path:
    """Write the private key of a person, list its public half, and return the path; raises ConfigError."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", person):
        raise ConfigError(f"{person!a} must be a short name of letters, digits, dots and dashes: it names a file.")
    (home / FOLDER).mkdir(mode=0o700, exist_ok=True)
    path = home / FOLDER / f"approver-{person}.key"
    if path.exists():
        raise ConfigError(f"{path} is there already; delete it and its line in {APPROVERS} to make a new one.")
    text = secrets.token_hex(32)
    write_secret(path, text)
    with (home / APPROVERS).open("a", encoding="utf-8") as file:
        file.write(f"{public_key_of(text)} {person}\n")
    return path


def use_approver(home: Path, person: str) -> list[Path]:
    """Give *person* a key for asking and approving, unless the environment names one; return what was made."""
    if os.environ.get("PLAYER_APPROVER_KEY") or os.environ.get("PLAYER_APPROVER_KEY_FILE"):
        return []
    name = re.sub(r"[^A-Za-z0-9_.-]", "-", person).lstrip("_.-") or "me"
    path = home / FOLDER / f"approver-{name}.key"
    made = [] if path.exists() else [make_approver(home, name)]
    os.environ["PLAYER_APPROVER_KEY_FILE"] = str(path)
    os.environ.setdefault("PLAYER_APPROVERS_FILE", str(home / APPROVERS))
    return made


def key_files(environment: str) -> tuple[Path, Path]:
    """Return the files with the signing key and the public keys of an environment; raises ConfigError."""
    names = [os.environ.get(variable, "").replace("{environment}", environment) for variable in (SIGNING, PUBLIC)]
    if not all(names) or not Path(names[0]).exists():
        raise ConfigError(f"{SIGNING} and {PUBLIC} must name the two files; `player keys` makes them and says how.")
    return Path(names[0]), Path(names[1])


def rotate(environment: str) -> tuple[Path, Path]:
    """Put a new signing key in the place of the old one, and its public half before the others; return both files."""
    private, public = key_files(environment)
    old = private.read_text(encoding="utf-8").strip()
    lines = public.read_text(encoding="utf-8") if public.exists() else f"{public_key_of(old)} {environment}\n"
    text = secrets.token_hex(32)
    new = private.with_name(f"{private.name}.new")
    new.unlink(missing_ok=True)
    write_secret(new, text)
    public.write_text(f"{public_key_of(text)} {environment}\n{lines}", encoding="utf-8")
    new.replace(private)
    return private, public


def keep_newest(settings: Settings) -> None:
    """Let the key that signs now be the only one that counts."""
    _, public = key_files(settings.environment)
    public.write_text(f"{public_key_of(own_key(settings))} {settings.environment}\n", encoding="utf-8")


def api_keys_file(settings: Settings) -> Path:
    """Return the file with the hashes of the named keys: what PLAYER_API_KEYS_FILE names, else one in keys/."""
    named = os.environ.get(API_KEYS) or str(settings.home / FOLDER / "{environment}-api.keys")
    return Path(named.replace("{environment}", settings.environment))


def add_api_key(settings: Settings, name: str) -> str:
    """Make a key for *name*, keep its hash, and return it: nobody can read it again. Raises ConfigError."""
    key = secrets.token_urlsafe(32)
    line = f"{fingerprint(key)} {name}"
    path = api_keys_file(settings)
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    if name in read_api_keys(f"{old}\n{line}").values() and name in read_api_keys(old).values():
        raise ConfigError(f"{name} has a key already; `player keys revoke {name}` takes it away.")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_api_keys(path, f"{old.rstrip()}\n{line}\n".lstrip())
    return key


def revoke_api_key(settings: Settings, name: str) -> None:
    """Take the key of *name* away; raises ConfigError when there is none."""
    path = api_keys_file(settings)
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    left = [line for line in lines if line.partition(" ")[2] != name]
    if len(left) == len(lines):
        raise ConfigError(f"{name} has no key in {path}.")
    write_api_keys(path, "".join(f"{line}\n" for line in left))


def write_api_keys(path: Path, text: str) -> None:
    """Write the list whole; the service's group may read it."""
    write_whole(path, text.encode())
