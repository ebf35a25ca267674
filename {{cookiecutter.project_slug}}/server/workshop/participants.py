"""Reads the list of participants for the playbook, and refuses what cannot be an account, in one sentence.

    python3 server/workshop/participants.py server/workshop/participants.example.csv

shows what would be made, as JSON. The playbook hands over, on standard input, what the server knows: the participants
it has with their ports, and the names that are taken by others. Nothing is imported that Python does not bring.
"""

import base64
import binascii
import csv
import io
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

COLUMNS = ("user", "name", "key")
USER = re.compile(r"[a-z][a-z0-9_-]{0,30}")  # of what Linux takes the part that PostgreSQL, SSH and web pages take too
OURS = ("root", "postgres", "public", "none", "workshop", "player")  # an account, a role or a group everywhere
KEY_KINDS = ("ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp", "sk-ssh-ed25519@", "sk-ecdsa-sha2-nistp256@")
NOT_IN_A_NAME = set('<>{}"\\:%')  # markup; the others mean something in a template, in passwd or to sshd
LONGEST_NAME = 60
FIRST_PORT, PORTS_EACH = 5100, 10


class BadList(Exception):
    """The list cannot be used; the message says what is wrong, where, and what would be right."""


@dataclass(frozen=True)
class Participant:
    """One line of the list. *port* is the first of ten that belong to this participant."""

    user: str
    name: str
    key: str
    port: int = 0


@dataclass(frozen=True)
class Server:
    """What the server knows: the first port of each participant it has, and which names others have taken."""

    ports: Mapping[str, int] = field(default_factory=dict)
    taken: Mapping[str, str] = field(default_factory=dict)  # name -> what has it: "an account", "a database"
    first_port: int = FIRST_PORT


def read_list(path: Path) -> list[Participant]:
    """Return the participants in the file at *path*, in its order; raises BadList."""
    found: list[Participant] = []
    for number, row in read_rows(path):
        where = f"{path.name}, line {number}"
        user, name, key = (" ".join((row[column] or "").split()) for column in COLUMNS)
        check_user(user, where)
        check_name(name, where)
        check_key(key, where)
        for other in found:
            for what, one, two in (
                ("user", other.user, user), ("name", other.name.casefold(), name.casefold()),
                ("key", kind_and_key(other.key), kind_and_key(key)),
            ):  # fmt: skip
                if one and one == two:
                    raise BadList(f"{where}: {other.user} has this {what} already; everybody needs one of their own.")
        found.append(Participant(user, name, key))
    if not found:
        raise BadList(f"{path.name} names nobody: below its first line stands one participant in each line.")
    return found


def read_rows(path: Path) -> list[tuple[int, dict[str, Any]]]:
    """Return the rows with their line numbers; a spreadsheet's byte order mark and semicolons are understood."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BadList(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise BadList(f"{path.name} is not UTF-8: save it as CSV UTF-8.") from None
    first = text.partition("\n")[0]
    delimiter = ";" if ";" in first and "," not in first else ","
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or ()]
        missing = [column for column in COLUMNS if column not in reader.fieldnames]
        if missing:
            raise BadList(f"{path.name} has no column {missing[0]!r}; its first line is {','.join(COLUMNS)}.")
        rows = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise BadList(f"{path.name}, after line {reader.line_num}: {error}.") from None
    for number, row in rows:
        if None in row or None in row.values():
            raise BadList(f"{path.name}, line {number} has not as many fields as the first line names.")
    return rows


def check_user(user: str, where: str) -> None:
    """Raise BadList for what cannot name an account, a role and a folder alike."""
    if user in OURS or user.startswith("pg_"):
        raise BadList(f"{where}: {user!r} is a name of the system's own; choose another, such as {user}1.")
    if not USER.fullmatch(user):
        raise BadList(
            f"{where}: {user!r} cannot be a Unix name; that is 1 to 31 of the characters a-z, 0-9, - and _, and begins "
            "with a letter."
        )


def check_name(name: str, where: str) -> None:
    """Raise BadList for a name that is none, or holds what is markup somewhere."""
    wrong = sorted(NOT_IN_A_NAME & set(name)) + [each for each in name if not each.isprintable()]
    if wrong:
        raise BadList(f"{where}: the name holds {wrong[0]!r}, which is markup; a name is plain text.")
    if not 0 < len(name) <= LONGEST_NAME:
        raise BadList(f"{where}: the name has {len(name)} characters; it needs 1 to {LONGEST_NAME}.")


def check_key(key: str, where: str) -> None:
    """Raise BadList for what is no public key on one line; none at all means: make a pair."""
    if not key:
        return
    if "PRIVATE KEY" in key:
        raise BadList(f"{where}: this is a private key, which nobody else may see; the public one is in the file .pub.")
    kind, text = (*key.split(), "")[:2]
    try:
        blob = base64.b64decode(text, validate=True)
    except binascii.Error:
        blob = b""
    size = int.from_bytes(blob[:4], "big")
    if not kind.startswith(KEY_KINDS) or not key.isprintable() or blob[4 : 4 + size] != kind.encode():
        raise BadList(f"{where}: the key is no public SSH key; it looks like ssh-ed25519 AAAA… and is on one line.")


def kind_and_key(key: str) -> str:
    """Return a key without its comment."""
    return " ".join(key.split()[:2])


def assign(participants: list[Participant], server: Server) -> list[Participant]:
    """Return the *participants* with ports: those the server has keep theirs, others get the lowest free ones.

    Raises BadList when a name belongs to somebody else there, somebody is missing in the list, or no port is left.
    """
    for each in participants:
        if each.user in server.taken and each.user not in server.ports:
            what = server.taken[each.user]
            raise BadList(f"{each.user} is {what} of this server already, and not made by this playbook.")
    for user in sorted(server.ports.keys() - {each.user for each in participants}):
        how = f"`remove.yml -e user={user}` takes everything of theirs away"
        raise BadList(f"{user} is on the server, but not in the list: {how}, or put the line back.")
    used, found = set(server.ports.values()), []
    free = (port for port in range(server.first_port, 65_536 - PORTS_EACH, PORTS_EACH) if port not in used)
    for each in participants:
        port = server.ports.get(each.user) or next(free, 0)
        if not port:
            raise BadList(f"No port is left for {each.user}: the first one is {server.first_port}.")
        found.append(Participant(each.user, each.name, each.key, port))
    return found


def main() -> None:
    """Print the list with ports, and what the server is to remember."""
    try:
        server = Server(**json.loads(("" if sys.stdin.isatty() else sys.stdin.read()) or "{}"))
        found = assign(read_list(Path(sys.argv[1])), server)
    except BadList as error:
        sys.exit(str(error))
    except IndexError:
        sys.exit("Which list? python3 participants.py participants.csv")
    ports = {each.user: each.port for each in found}
    print(json.dumps({"participants": [asdict(each) for each in found], "ports": ports}, indent=1))


if __name__ == "__main__":
    main()
