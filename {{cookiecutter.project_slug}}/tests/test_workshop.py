"""The workshop server: which lists are taken, what is packed, and that the playbooks hold together.

What they do to a machine is tested by `tox -e workshop`.
"""

import json
import re
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml

from server.workshop.pack import pack
from server.workshop.participants import BadList, Participant, Server, assign, read_list

PROJECT = Path(__file__).parents[1]
WORKSHOP = PROJECT / "server" / "workshop"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g"
OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIP/+/fz7+vn49/b19PPy8fDv7u3s6+rp6Ofm5eTj4uHg"
PLAYBOOKS = ("site.yml", "remove.yml")


def listed(folder: Path, text: str | bytes) -> list[Participant]:
    """Return what is read from a list with this content."""
    path = folder / "participants.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_list(path)


def rows(*lines: str) -> str:
    """Write a list with these lines below its first one."""
    return "\n".join(["user,name,key", *lines, ""])


def test_the_example_is_a_list() -> None:
    """It can be copied, and shows a key and none."""
    found = read_list(WORKSHOP / "participants.example.csv")

    assert ["ada", "blaise"] == [each.user for each in found]
    assert [True, False] == [bool(each.key) for each in found]


@pytest.mark.parametrize(
    "text",
    [
        rows(f"zoe,Zoë O'Brien & Co,{KEY} zoe@laptop"),
        "\ufeff" + rows(f"zoe,Zoë O'Brien & Co,{KEY} zoe@laptop"),
        f"User;Name;Key\r\nzoe;Zoë O'Brien & Co;{KEY} zoe@laptop\r\n",
        f"key,team,name,user\n{KEY} zoe@laptop,red,Zoë   O'Brien & Co, zoe\n\n",
        f'user,name,key\nzoe,"Zoë O\'Brien & Co",{KEY} zoe@laptop',
    ],
)
def test_what_spreadsheets_write_is_read(tmp_path: Path, text: str) -> None:
    """A byte order mark, semicolons, other columns, another order, quotes, blanks and empty lines change nothing."""
    assert [Participant("zoe", "Zoë O'Brien & Co", f"{KEY} zoe@laptop")] == listed(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("user,name\nada,Ada\n", "has no column 'key'; its first line is user,name,key"),
        ("", "has no column 'user'"),
        (rows(), "names nobody"),
        (rows("ada,Ada,", "ada,Eda,"), "line 3: ada has this user already"),
        (rows("ada,Ada Lovelace,", "eda,ada  LOVELACE,"), "line 3: ada has this name already"),
        (rows(f"ada,Ada,{KEY} a", f"eda,Eda,{KEY} b"), "line 3: ada has this key already"),
        (rows("ada,Ada"), "line 2 has not as many fields"),
        (rows("ada,Ada,,more"), "line 2 has not as many fields"),
        (rows('ada,"Ada,'), "after line 1: unexpected end of data"),
        (rows("ada,<b>Ada</b>,"), "the name holds '<', which is markup"),
        (rows("ada,{{ lookup('env') }},"), "the name holds '{'"),
        (rows("ada,A\x1bda,"), "the name holds '\\x1b'"),
        (rows('ada,"Ada ""A"" L",'), "the name holds '\"'"),
        (rows("ada,,"), "the name has 0 characters"),
        (rows(f"ada,{'A' * 61},"), "the name has 61 characters"),
        (rows("root,Root,"), "'root' is a name of the system's own"),
        (rows("postgres,Post Gres,"), "'postgres' is a name of the system's own"),
        (rows("pg_ada,Ada,"), "'pg_ada' is a name of the system's own"),
        (rows("ada lovelace,Ada,"), "'ada lovelace' cannot be a Unix name"),
        (rows("zoë,Zoe,"), "'zoë' cannot be a Unix name"),
        (rows("Ada,Ada,"), "'Ada' cannot be a Unix name"),
        (rows(f"{'a' * 40},Ada,"), "cannot be a Unix name; that is 1 to 31"),
        (rows("1ada,Ada,"), "cannot be a Unix name"),
        (rows("../ada,Ada,"), "cannot be a Unix name"),
        (rows(",Ada,"), "'' cannot be a Unix name"),
        (rows("ada,Ada,ssh-ed25519"), "the key is no public SSH key"),
        (rows(f"ada,Ada,{KEY[:-9]}!"), "the key is no public SSH key"),
        (rows(f"ada,Ada,{KEY.replace('ssh-ed25519', 'ssh-rsa')}"), "the key is no public SSH key"),
        (rows(f"ada,Ada,\"command='id' {KEY}\""), "the key is no public SSH key"),
        (rows("ada,Ada,-----BEGIN OPENSSH PRIVATE KEY-----"), "this is a private key"),
        ("user,name,key\nada,Zo\xeb,\n".encode("cp1252"), "is not UTF-8: save it as CSV UTF-8"),
    ],
)
def test_a_list_that_cannot_be_used_is_refused(tmp_path: Path, text: str | bytes, sentence: str) -> None:
    """One sentence with the line, what is wrong, and what would be right."""
    with pytest.raises(BadList) as refused:
        listed(tmp_path, text)

    assert sentence in str(refused.value)
    assert str(refused.value).startswith("participants.csv")
    assert "\n" not in str(refused.value)


def test_everybody_keeps_their_ports() -> None:
    """Who is new gets the lowest free ten, wherever they stand in the list."""
    people = [Participant(user, user.title(), "") for user in ("new", "ada", "newer", "zoe")]

    found = assign(people, Server(ports={"zoe": 5120, "ada": 5100}))

    assert {"new": 5110, "ada": 5100, "newer": 5130, "zoe": 5120} == {each.user: each.port for each in found}


@pytest.mark.parametrize(
    ("server", "sentence"),
    [
        (Server(taken={"ada": "an account"}), "ada is an account of this server already"),
        (Server(ports={"bob": 5100}), "bob is on the server, but not in the list: `remove.yml -e user=bob`"),
        (Server(first_port=65_530), "No port is left for ada"),
    ],
)
def test_what_does_not_fit_the_server_is_refused(server: Server, sentence: str) -> None:
    """Nobody else's account is touched, and nobody is forgotten."""
    with pytest.raises(BadList, match=re.escape(sentence)):
        assign([Participant("ada", "Ada", "")], server)


def test_the_playbook_gets_its_own_back() -> None:
    """Who is noted on the server is no stranger there."""
    (ada,) = assign([Participant("ada", "Ada", "")], Server(ports={"ada": 5150}, taken={"ada": "an account"}))

    assert 5150 == ada.port


def read_by_command(path: Path, known: str) -> subprocess.CompletedProcess[str]:
    """Run the reader as the playbook does."""
    command = [sys.executable, str(WORKSHOP / "participants.py"), str(path)]
    return subprocess.run(command, input=known, capture_output=True, text=True, encoding="utf-8", check=False)


def test_the_command_says_what_the_playbook_needs(tmp_path: Path) -> None:
    """JSON with ports, or one line and the exit code 1."""
    done = read_by_command(WORKSHOP / "participants.example.csv", '{"ports": {"ada": 7000}, "first_port": 6000}')
    refused = read_by_command(tmp_path / "nowhere.csv", "{}")

    assert {"ada": 7000, "blaise": 6000} == json.loads(done.stdout)["ports"]
    assert (1, 1) == (refused.returncode, len(refused.stderr.splitlines()))
    assert "nowhere.csv cannot be read" in refused.stderr


def test_what_is_packed_is_the_project_alone(tmp_path: Path) -> None:
    """Secrets, models, databases, caches and the list stay here; the same files give the same bytes."""
    project = tmp_path / "project"
    there = ("player/app.py", "models/.gitkeep", "output/.gitkeep", "server/workshop/site.yml", "Makefile")
    here = (".venv/bin/python", "keys/production-signing.key", "models/development/m/model.pkl", "output/testing.db",
            "server/workshop/participants.csv", ".git/config", "player/__pycache__/app.pyc", "my.key", ".env",
            "my_player.egg-info/PKG-INFO")  # fmt: skip
    for name in (*there, *here):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(name, encoding="utf-8")

    pack(project, tmp_path / "one.tar")
    (project / "Makefile").touch()
    pack(project, tmp_path / "two.tar")

    with tarfile.open(tmp_path / "one.tar") as archive:
        assert sorted(there) == sorted(archive.getnames())
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()


def tasks_of(name: str) -> list[dict[str, Any]]:
    """Return the tasks and handlers of a playbook, those of the files it imports included."""
    (play,) = yaml.safe_load((WORKSHOP / name).read_text(encoding="utf-8"))
    found = [*play["tasks"], *play.get("handlers", [])]
    for task in list(found):
        if part := task.get("ansible.builtin.import_tasks"):
            found += yaml.safe_load((WORKSHOP / part).read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_a_playbook_needs_nothing_but_ansible_core(name: str) -> None:
    """Every task has a name and a module of Ansible's own; whoever is told of a change is there."""
    tasks = tasks_of(name)
    names = {task["name"] for task in tasks}

    assert all(any(key.startswith("ansible.builtin.") for key in task) for task in tasks)
    assert {task["notify"] for task in tasks if "notify" in task} <= names


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_a_command_says_when_it_changes_something(name: str) -> None:
    """Else a second run would always claim to have changed something."""
    commands = ("ansible.builtin.command", "ansible.builtin.shell", "ansible.builtin.script")
    silent = [
        task["name"]
        for task in tasks_of(name)
        for each in commands
        if each in task and "changed_when" not in task and "creates" not in task[each]
    ]

    assert [] == silent


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_the_files_of_a_playbook_are_there(name: str) -> None:
    """Each template, and each statement for the database."""
    text = (WORKSHOP / name).read_text(encoding="utf-8")
    files = [WORKSHOP / "templates" / each for each in re.findall(r"src: (\S+\.j2)", text)]
    files += [WORKSHOP / "files" / each for each in re.findall(r"lookup\('file', '([\w.-]+)'\)", text)]

    assert files
    assert [] == [path for path in files if not path.is_file()]


def test_every_setting_is_declared_and_used() -> None:
    """vars.yml has all of them, each with a value, and none that means nothing."""
    declared = set(yaml.safe_load((WORKSHOP / "vars.yml").read_text(encoding="utf-8")))
    parts = [path for path in WORKSHOP.rglob("*") if path.suffix in (".yml", ".j2") and path.name != "vars.yml"]
    used = set(re.findall(r"workshop_[a-z_]+", "\n".join(path.read_text(encoding="utf-8") for path in parts)))

    assert declared == used


@pytest.mark.parametrize(("key", "command"), [(KEY, "ssh -p 2222 zoe@play"), ("", "ssh -i zoe -p 2222 zoe@play")])
def test_a_sheet_says_how_to_get_there(key: str, command: str) -> None:
    """A name is text, whatever it holds; where the key was made by the host, the command names its file."""
    template = jinja2.Template((WORKSHOP / "templates" / "sheet.html.j2").read_text(encoding="utf-8"))
    page = template.render(
        item={"user": "zoe", "name": "Zoë & <Co>", "key": key, "port": 5120},
        workshop_address="play",
        workshop_ssh_port=2222,
        workshop_project="my-player",
        fingerprint={"stdout": "256 SHA256:abc root@play (ED25519)"},
    )

    assert f"<pre>{command}</pre>" in page
    assert "<h1>Zoë &amp; &lt;Co&gt;</h1>" in page
    assert "5120 to 5129" in page
    assert "<code>SHA256:abc</code>" in page
