"""The playbooks are run on this machine, against a real sshd and a real PostgreSQL: `tox -e workshop`.

It makes accounts, databases and firewall rules, and takes them away again: for a machine to spare, as root. Where
something is missing it fails and says what. WORKSHOP_SSH_PORT is where sshd listens, or is started (2222).
"""

import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
SSH_PORT = int(os.environ.get("WORKSHOP_SSH_PORT", "2222"))
ANSIBLE = os.environ.get("ANSIBLE_PLAYBOOK", "ansible-playbook")
NEEDED = (ANSIBLE, "sshd", "ssh", "ssh-keygen", "psql", "nft", "make", "runuser", "tmux")
USERS = ("wt-ada", "wt-blaise", "wt-zoe")
NAMES = ("Ada Lovelace", "Blaise Pascal", "Zoë O'Brien & Co")
NOTED = Path("/etc/workshop")


@dataclass
class Workshop:
    """The playbooks of a copy of the project, a list, and the keys of its participants."""

    home: Path
    project: Path
    people: dict[str, str] = field(default_factory=dict)  # user -> name, in the order of the list

    def write(self, text: str = "") -> None:
        """Write the list: *text*, or those who come."""
        lines = [f"{user},{name},{self.public_key(user)}" for user, name in self.people.items()]
        self.table.write_text(text or "\n".join(["user,name,key", *lines, ""]), encoding="utf-8")

    @property
    def table(self) -> Path:
        """Where the list stands."""
        return self.home / "participants.csv"

    @property
    def made(self) -> Path:
        """Where sheets and keys are."""
        return self.home / "made"

    def key(self, user: str) -> Path:
        """Return a participant's key; the second one gets theirs from the host."""
        if user == USERS[1]:
            return self.made / "keys" / user
        path = self.home / user
        if not path.exists():
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path))
        return path

    def public_key(self, user: str) -> str:
        """Return what stands in the list."""
        return "" if user == USERS[1] else self.key(user).with_suffix(".pub").read_text(encoding="utf-8").strip()

    def play(self, playbook: str, *more: str) -> tuple[int, str]:
        """Run a playbook; return how many tasks have changed something (-1: it failed), and what it printed."""
        settings = {
            "ansible_become": False, "ansible_python_interpreter": "/usr/bin/python3",
            "workshop_python": "/usr/bin/python3", "workshop_list": str(self.table), "workshop_output": str(self.made),
            "workshop_address": "127.0.0.1", "workshop_ssh_port": SSH_PORT, "workshop_project": "player-project",
        }  # fmt: skip
        path = self.project / "server" / "workshop" / playbook
        words = [ANSIBLE, "-i", "localhost,", "-c", "local", "-e", json.dumps(settings), *more, str(path)]
        done = subprocess.run(words, capture_output=True, text=True, encoding="utf-8", check=False, timeout=1800)
        said = done.stdout + done.stderr
        changed = re.search(r"changed=(\d+).*failed=0 ", said)
        return (int(changed[1]) if changed and done.returncode == 0 else -1), said

    def ssh_words(self, user: str, *more: str, key: Path | None = None) -> list[str]:
        """Return the command by which a participant enters."""
        options = ("StrictHostKeyChecking=no", f"UserKnownHostsFile={self.home / 'known'}", "IdentitiesOnly=yes",
                   "BatchMode=yes", "LogLevel=ERROR", "ExitOnForwardFailure=yes")  # fmt: skip
        settings = [word for option in options for word in ("-o", option)]
        return ["ssh", "-p", str(SSH_PORT), *settings, "-i", str(key or self.key(user)), *more, f"{user}@127.0.0.1"]

    def ssh(self, user: str, command: str, key: Path | None = None) -> tuple[int, str]:
        """Run a command as a participant; return its exit code and what it printed."""
        words = [*self.ssh_words(user, key=key), command]
        done = subprocess.run(words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=900)
        return done.returncode, done.stdout + done.stderr

    @contextmanager
    def tunnel(self, user: str, port: int) -> Iterator[str]:
        """Open a participant's tunnel to a port of the server; give its address here."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            mine = probe.getsockname()[1]
        way = subprocess.Popen(self.ssh_words(user, "-N", "-L", f"{mine}:127.0.0.1:{port}"))
        try:
            wait_until(lambda: listens(mine), "the tunnel is open")
            yield f"http://127.0.0.1:{mine}"
        finally:
            way.terminate()
            way.wait(10)


def run(*words: str) -> str:
    """Run a program, fail when it fails, and return what it printed."""
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def sql(statement: str) -> list[str]:
    """Return what PostgreSQL answers to its administrator."""
    return run("runuser", "-u", "postgres", "--", "psql", "-XAtc", statement).splitlines()


def listens(port: int) -> bool:
    """Tell whether somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(fact: object, what: str, seconds: float = 60.0) -> None:
    """Wait until *fact* is true; fail when it does not become so in time."""
    end = time.monotonic() + seconds
    while not fact():  # type: ignore[operator]
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.3)


def accounts() -> set[str]:
    """Return which of the participants have an account."""
    return {each.pw_name for each in pwd.getpwall()} & set(USERS)


def state() -> dict[str, object]:
    """Return what a playbook could change on this machine."""
    return {
        "accounts": accounts(),
        "homes": sorted(path.name for path in Path("/home").iterdir()),
        "databases": sorted(sql("SELECT datname FROM pg_database UNION ALL SELECT rolname FROM pg_roles")),
        "sshd": sorted(path.name for path in Path("/etc/ssh/sshd_config.d").iterdir()),
        "noted": sorted((path.name, path.read_bytes()) for path in NOTED.rglob("*") if path.is_file()),
        "rules": "table inet workshop" in run("nft", "list", "tables"),
        "reference": Path("/srv/workshop").exists(),
    }


@pytest.fixture(name="sshd", scope="module")
def _sshd() -> Iterator[None]:
    """A real sshd, with the settings of this machine."""
    assert os.geteuid() == 0, "The playbooks make accounts: run this as root, on a machine to spare."
    missing = [name for name in NEEDED if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None]
    assert not missing, f"{', '.join(missing)} missing: apt install openssh-server postgresql nftables make tmux"
    assert not NOTED.exists(), f"{NOTED} is there: a workshop lives on this machine, and is left alone."
    assert not accounts(), f"{accounts()} are accounts of this machine."
    started = not listens(SSH_PORT)
    if started:
        Path("/run/sshd").mkdir(exist_ok=True)
        run("/usr/sbin/sshd", "-p", str(SSH_PORT), "-o", "ListenAddress=127.0.0.1")
    yield
    if started:
        os.kill(int(Path("/run/sshd.pid").read_text(encoding="ascii")), signal.SIGTERM)


@pytest.fixture(name="postgresql", scope="module")
def _postgresql(sshd: None) -> Iterator[None]:
    """The PostgreSQL of this machine, as its distribution sets it up."""
    running = subprocess.run(["runuser", "-u", "postgres", "--", "psql", "-c", "SELECT 1"], capture_output=True)
    if running.returncode:
        run("service", "postgresql", "start")
        wait_until(lambda: not subprocess.run(["runuser", "-u", "postgres", "--", "psql", "-c", "SELECT 1"],
                                              capture_output=True).returncode, "PostgreSQL answers")  # fmt: skip
    yield
    if running.returncode:
        run("service", "postgresql", "stop")


@pytest.fixture(name="before", scope="module")
def _before(postgresql: None) -> dict[str, object]:
    """What the machine was like."""
    return state()


@pytest.fixture(name="workshop", scope="module")
def _workshop(before: dict[str, object], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """The playbook was run once, for three; whatever happens, nothing of it stays."""
    home = tmp_path_factory.mktemp("workshop")
    left_out = shutil.ignore_patterns(".venv", ".tox", ".git", ".cache", "__pycache__", "keys")
    shutil.copytree(PROJECT, home / "player-project", ignore=left_out)
    workshop = Workshop(home, home / "player-project", dict(zip(USERS, NAMES, strict=True)))
    workshop.write()
    changed, said = workshop.play("site.yml")
    try:
        assert changed > 0, said
        yield workshop
    finally:
        workshop.play("remove.yml", "-e", "everybody=true")


def test_a_second_run_changes_nothing(workshop: Workshop) -> None:
    """Accounts, keys, databases, rules, project and sheets are as they should be."""
    assert (0, set(USERS)) == (workshop.play("site.yml")[0], accounts())


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("user,name\nwt-ada,Ada\n", "has no column 'key'"),
        ("user,name,key\nroot,Root,\n", "'root' is a name of the system's own"),
        ("user,name,key\nnobody,No Body,\n", "nobody is an account of this server already"),
        ("user,name,key\naudio,Au Dio,\n", "audio is a group of this server already"),
        ("user,name,key\ntemplate1,Temp Late,\n", "template1 is a database of this server already"),
        ("user,name,key\nwt-new,New,\nwt-new,Other,\n", "wt-new has this user already"),
        ("user,name,key\nwt-new,<b>New</b>,\n", "which is markup"),
        ("user,name,key\nnew one,New,\n", "'new one' cannot be a Unix name"),
        ("user,name,key\nwt-n\u00e9w,New,\n", "cannot be a Unix name"),
        (f"user,name,key\n{'n' * 40},New,\n", "cannot be a Unix name"),
        ("user,name,key\nwt-new,New,\n", "wt-ada is on the server, but not in the list"),
    ],
)
def test_a_bad_list_changes_nothing(workshop: Workshop, text: str, sentence: str) -> None:
    """It is refused in one sentence, before anything is done."""
    was = state()
    workshop.write(text)
    try:
        changed, said = workshop.play("site.yml")
    finally:
        workshop.write()

    assert -1 == changed
    assert sentence in said
    assert "changed=0" in said
    assert was == state()


def test_everybody_enters_with_their_key_alone(workshop: Workshop) -> None:
    """Also with the one that the host has made; a key of somebody else opens nothing, root's account neither."""
    assert [(0, f"{user}\n") for user in USERS] == [workshop.ssh(user, "id -un") for user in USERS]
    for user, key in ((USERS[1], workshop.key(USERS[0])), ("root", workshop.key(USERS[0]))):
        assert "Permission denied" in workshop.ssh(user, "id -un", key)[1]


def test_everybody_finds_name_port_and_database(workshop: Workshop) -> None:
    """In the environment of every session, umlauts and all."""
    code, said = workshop.ssh(USERS[2], "cd player-project && .venv/bin/player config")

    assert 0 == code
    assert re.search(rf"project.team +{re.escape(NAMES[2])} +PLAYER_PROJECT__TEAM", said)
    assert re.search(r"server.port +5120 +PLAYER_SERVER__PORT", said)
    assert "postgresql+psycopg:///wt-zoe?options=-csearch_path%3Ddevelopment" in said


def test_a_game_is_played_and_stored(workshop: Workshop) -> None:
    """`make play` works there without an index of packages, and psql shows what was stored."""
    offline = "env PIP_INDEX_URL=http://127.0.0.1:9 PIP_NO_INDEX=1"
    code, said = workshop.ssh(USERS[0], f"cd player-project && {offline} make play")
    assert 0 == code, said
    assert "3000 requests" in said

    rows = workshop.ssh(USERS[0], "psql -XAtc 'SELECT current_user, count(*) FROM predictions'")
    assert (0, "wt-ada|3001\n") == rows


def test_nobody_opens_what_belongs_to_another(workshop: Workshop) -> None:
    """Database, role, home and the libraries that all share."""
    refused = {
        "psql -d wt-ada -c 'SELECT 1'": "permission denied for database",
        "psql -U wt-ada -d wt-ada -c 'SELECT 1'": "Peer authentication failed",
        "ls /home/wt-ada": "Permission denied",
        "cat /home/wt-ada/player-project/config/base.toml": "Permission denied",
        "touch /srv/workshop/project/new": "Permission denied",
        "cd player-project/.venv/lib/python3*/site-packages/numpy && echo x >> __init__.py": "Permission denied",
        "cd player-project/.venv/lib/python3*/site-packages/numpy && chmod 666 __init__.py": "not permitted",
    }
    for command, why in refused.items():
        code, said = workshop.ssh(USERS[1], command)
        assert code != 0, command
        assert why in said, command


def test_libraries_are_shared_and_can_be_replaced(workshop: Workshop) -> None:
    """They take their room once; who replaces one has a file of their own, and the others keep theirs."""
    files = [next(Path(f"/home/{user}/player-project/.venv/lib").glob("python3*/site-packages/click/__init__.py"))
             for user in USERS]  # fmt: skip
    assert 1 == len({path.stat().st_ino for path in files})

    workshop.ssh(USERS[0], f"cp {files[0]} /tmp/wt-click && rm {files[0]} && mv /tmp/wt-click {files[0]}")

    assert [USERS[0], "root", "root"] == [path.owner() for path in files]


def test_a_port_answers_its_owner_and_the_host_alone(workshop: Workshop) -> None:
    """On the machine and through a tunnel, by each of its addresses."""
    serve = "cd player-project && tmux new -d -s player '.venv/bin/player serve --no-debug'"
    assert 0 == workshop.ssh(USERS[0], serve)[0]
    try:
        wait_until(lambda: reached("http://127.0.0.1:5100"), "the player is ready")  # this is root, who hosts

        assert 0 == workshop.ssh(USERS[0], "curl -sf http://127.0.0.1:5100/health/ready")[0]
        for address in ("127.0.0.1", "localhost", "[::1]"):
            code, said = workshop.ssh(USERS[1], f"curl -sS -m 5 http://{address}:5100/health/ready")
            assert code != 0, said
        with workshop.tunnel(USERS[0], 5100) as own:
            assert reached(own)
        with workshop.tunnel(USERS[1], 5100) as other:
            assert not reached(other)
    finally:
        workshop.ssh(USERS[0], "tmux kill-server")


def reached(address: str) -> bool:
    """Tell whether a player answers there."""
    with suppress(OSError, urllib.error.URLError):
        return bool(urllib.request.urlopen(f"{address}/health/ready", timeout=5).status == 200)
    return False


def test_who_comes_later_moves_nobody_and_who_leaves_is_gone(workshop: Workshop) -> None:
    """Somebody leaves, and comes again as the first of the list: the others keep their ports and their rows."""
    changed, said = workshop.play("remove.yml", "-e", f"user={USERS[1]}")
    assert changed > 0, said
    assert {USERS[0], USERS[2]} == accounts()
    assert [] == sql(f"SELECT datname FROM pg_database WHERE datname = '{USERS[1]}'")
    assert not Path(f"/home/{USERS[1]}").exists()
    assert "5110" not in run("nft", "list", "table", "inet", "workshop")

    workshop.people = {USERS[1]: NAMES[1], USERS[0]: NAMES[0], USERS[2]: NAMES[2]}
    workshop.write()
    assert workshop.play("site.yml")[0] > 0
    ports = json.loads((NOTED / "ports.json").read_text(encoding="utf-8"))

    assert dict(zip(USERS, (5100, 5110, 5120), strict=True)) == ports
    assert (0, f"{USERS[1]}\n") == workshop.ssh(USERS[1], "id -un")
    assert "Who leaves?" in workshop.play("remove.yml", "-e", "user=root")[1]


def test_the_sheets_say_how_to_get_there(workshop: Workshop) -> None:
    """One for each, which nobody else on the host's machine can read."""
    sheet = workshop.made / "sheets" / f"{USERS[2]}.html"

    assert 0o600 == sheet.stat().st_mode & 0o777
    assert f"ssh -p {SSH_PORT} {USERS[2]}@127.0.0.1" in sheet.read_text(encoding="utf-8")


def test_at_the_end_the_machine_is_as_it_was(workshop: Workshop, before: dict[str, object]) -> None:
    """The removal takes along what runs, and what was made for all; a second one changes nothing."""
    workshop.ssh(USERS[0], "tmux new -d -s left 'sleep 1000'")
    changed, said = workshop.play("remove.yml", "-e", "everybody=true")

    assert changed > 0, said
    assert before == state()
    assert 0 == workshop.play("remove.yml", "-e", "everybody=true")[0]
    assert "Permission denied" in workshop.ssh(USERS[0], "id -un")[1]
