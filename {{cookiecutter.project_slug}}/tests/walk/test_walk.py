"""A newcomer walks through the documents and types every block of commands as it stands: `tox -e walk`.

The walk is in a copy of the project, with the programs of this environment. WALK_REPORT names a file for the table of
times and sizes.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest

from tests.documents import PROJECT, blocks, documents, inline

FOR_OTHERS = {  # the beginning of a line that this walk does not type, and why
    "py ": "Windows", ".tox": "Windows", "tox": "downloads", "sudo": "needs a server", "PLAYER_ENV=": "a crontab",
    "export PYSPARK": "needs a cluster", "spark-submit": "needs a cluster", "pip install": "downloads",
    "pre-commit": "downloads", "make chaos": "hours", "CHAOS_": "hours", "jupyter": "waits",
    "customer play --url http://10.": "another machine", "player serve --host": "other machines",
    "player join ADDRESS": "another machine", 'echo "DATABASE_PASSWORD': "needs a container engine",
    "docker": "needs a container engine", "kubectl": "needs a cluster",
}  # fmt: skip
ON_A_SERVER = ("docs/runbook.md", "docs/server.md", "server/README.md", "server/workshop/README.md")
OF_THE_SHELL = ("source", "export", "cd")
INSTEAD = {"make play": "true", "make test": "true", "make dtap": "player dtap", "make serve": "player serve"}
SERVERS = re.compile(r"player( --environment \w+)? (serve|dtap|schedule)\b|customer host --address")
FIRST_SCORE_SECONDS = 60.0
REPORT: list[dict[str, object]] = []


@pytest.fixture(name="walk", scope="module")
def _walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the project as it was generated, and at the end the table."""
    home = tmp_path_factory.mktemp("walk") / "project"
    left_out = shutil.ignore_patterns(".venv", ".tox", ".git", ".cache", "__pycache__", "keys")
    shutil.copytree(PROJECT, home, ignore=left_out)
    for name in ("models", "output"):
        shutil.rmtree(home / name)
        (home / name).mkdir()
    table = (home / "data" / "train_data.csv").read_text(encoding="utf-8")
    (home / "my.csv").write_text(table.replace("repaid", "target", 1), encoding="utf-8")  # of path.md
    yield home
    print(f"\n{'seconds':>8} {'bytes':>8}  code  document, line")
    for row in REPORT:
        print(f"{row['seconds']:8.1f} {row['bytes']:8d}  {row['code']:4d}  {row['document']}: {row['line']}")
    if path := os.environ.get("WALK_REPORT"):
        Path(path).write_text(json.dumps(REPORT, indent=1), encoding="utf-8")


def variables(home: Path) -> dict[str, str]:
    """Return the environment of the newcomer's shell."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("PLAYER_")}
    programs = f"{home / 'bin'}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{mine['PATH']}"
    return {**mine, "PATH": programs, "PYTHONPATH": str(home), "COLUMNS": "80"}


def programs(home: Path) -> None:
    """Put `player`, `customer` and an activate script where the installation would put them."""
    for name in ("player", "customer"):
        path = home / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {name}.cli "$@"\n', encoding="utf-8")
        path.chmod(0o755)
    activate = home / ".venv" / "bin" / "activate"
    activate.parent.mkdir(parents=True, exist_ok=True)
    activate.write_text("", encoding="utf-8")


def type_in(home: Path, document: str, line: str, shown: str = "") -> tuple[int, str]:
    """Run one line in the project, and note its time and the size of what it printed."""
    began = time.monotonic()
    done = subprocess.run(["bash", "-c", line], cwd=home, env=variables(home), capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=900, check=False)  # fmt: skip
    said = done.stdout + done.stderr
    note(document, shown or line, time.monotonic() - began, done.returncode, said)
    return done.returncode, said


def note(document: str, line: str, seconds: float, code: int, said: str) -> None:
    """Keep one row of the table."""
    row = {"document": document, "line": line[:60], "seconds": round(seconds, 1), "bytes": len(said), "code": code}
    REPORT.append(row)


class Shell:
    """The newcomer's terminal: what was exported stays; a server runs in a second one until another is started."""

    def __init__(self, home: Path) -> None:
        """Start nothing yet."""
        self.home, self.exported, self.running = home, "", ""

    def type(self, document: str, line: str) -> None:
        """Type one line as it stands, but for what downloads or leaves this machine."""
        line = INSTEAD.get(line, line).replace("0.0.0.0", "127.0.0.1")
        if line.startswith("export "):
            self.exported += f"{line}; "
        elif SERVERS.match(line):
            self.serve(document, line)
        else:
            check(*type_in(self.home, document, self.exported + line, line), line)

    def serve(self, document: str, line: str) -> None:
        """Run a line that stays until Ctrl-C; it must say that it is there."""
        if line == self.running:
            return
        self.stop()
        began = time.monotonic()
        with (self.home / "walk.log").open("wb") as log:
            self.process = subprocess.Popen(
                ["bash", "-c", f"{self.exported} exec {line}"], cwd=self.home, env=variables(self.home), stdout=log,
                stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        said = ""
        while not re.search(r"Serving on|Ctrl-C", said):
            if self.process.poll() is not None:
                check(self.process.returncode, said, line)
                note(document, line, time.monotonic() - began, self.process.returncode, said)
                return
            assert time.monotonic() - began < 600, said
            time.sleep(0.2)
            said = (self.home / "walk.log").read_text(encoding="utf-8", errors="replace")
        note(document, line, time.monotonic() - began, 0, said)
        self.running = line

    def stop(self) -> None:
        """Press Ctrl-C in the second terminal, after a look at every page."""
        if not self.running:
            return
        if self.running in ("player serve", "player dtap"):
            follow_links("http://127.0.0.1:5000/")
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(90)
        self.running = ""
        assert "Traceback" not in (self.home / "walk.log").read_text(encoding="utf-8", errors="replace")


def test_the_first_score_comes_soon(walk: Path) -> None:
    """From the generated project to the first score, after the downloads."""
    programs(walk)
    began = time.monotonic()
    code, said = type_in(walk, "tox.ini", "player train --if-missing")
    assert 0 == code, said
    play = 'customer play --requests 200 --url http://127.0.0.1:5055 --start "player serve --no-debug --port {port}"'
    code, said = type_in(walk, "tox.ini", play)

    assert 0 == code, said
    assert "points" in said
    if float(os.environ.get("WALK_SECONDS", FIRST_SCORE_SECONDS)) < time.monotonic() - began:
        pytest.fail(f"the first score took {time.monotonic() - began:.0f} s")


def lines_of(document: Path) -> list[str]:
    """Return what a document tells to type: its blocks of commands; those of path.md stand in its sentences."""
    name = document.relative_to(PROJECT).as_posix()
    if name in ON_A_SERVER:
        return []
    found = [line for block in blocks() if block.document == name for line in block.lines]
    return found + [line for line in inline(document) if document.name == "path.md"]


def is_typed(line: str) -> bool:
    """Tell whether a line is a command, and one for this machine."""
    program = line.split(maxsplit=1)[0]
    known = program in (*OF_THE_SHELL, "player", "customer") or shutil.which(program) is not None
    return known and not line.startswith(tuple(FOR_OTHERS))


@pytest.fixture(name="shell", scope="module")
def _shell(walk: Path) -> Iterator[Shell]:
    """One terminal for the whole walk."""
    programs(walk)
    shell = Shell(walk)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it is ignored, and inherited
    yield shell
    shell.stop()
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("document", documents(), ids=lambda path: path.name)
def test_what_a_document_says_can_be_typed(shell: Shell, document: Path) -> None:
    """No line ends in a traceback, an unknown command or a wrong option; a gate may say no."""
    for line in filter(is_typed, lines_of(document)):
        shell.type(document.name, line)
    shell.stop()


def check(code: int, said: str, line: str) -> None:
    """Fail on what a newcomer would not understand."""
    assert "Traceback" not in said, f"{line}: {said}"
    assert "Usage: " not in said, f"{line}: {said}"
    assert code in (0, 1, 2), f"{line}: {said}"
    assert code == 0 or "Error: " in said or "MISSING" in said or "no " in said, f"{line}: {said}"


def follow_links(start: str) -> None:
    """Open every page that can be reached from *start*; none is broken."""
    seen, todo = set(), [start]
    while todo:
        url = todo.pop()
        if url in seen or not url.startswith(start):
            continue
        seen.add(url)
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                body = answer.read().decode("utf-8", "replace") if "html" in answer.headers["Content-Type"] else ""
        except urllib.error.HTTPError as error:
            pytest.fail(f"{url}: {error.code}")
        todo += [urljoin(url, found.replace("&amp;", "&")) for found in re.findall(r'href="([^"#]+)"', body)]
    assert 5 < len(seen)
