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
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import urljoin

import pytest

from tests.documents import PROJECT, Block, blocks

FOR_OTHERS = {  # the beginning of a line that this walk does not type, and why
    "py ": "Windows", "sudo": "needs a server", "PLAYER_ENV=": "a crontab", "export PYSPARK": "needs a cluster",
    "pip install": "downloads", "pre-commit": "downloads", "make chaos": "hours", "CHAOS_": "hours", "jupyter": "waits",
    "config/": "a tree of files", "player.service": "a tree of files", "cd /srv": "needs a server",
    "customer play --url http://10.": "another machine", "export PLAYER_ENV": "needs a server",
    "curl http://127.0.0.1:5003": "needs a server", 'echo "DATABASE_PASSWORD': "needs a container engine",
    "docker": "needs a container engine", "kubectl": "needs a cluster",
}  # fmt: skip
SERVERS = ("player serve", "make dtap", "player dtap", "player schedule")
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


def type_in(home: Path, document: str, line: str) -> tuple[int, str]:
    """Run one line in the project, and note its time and the size of what it printed."""
    began = time.monotonic()
    done = subprocess.run(["bash", "-c", line], cwd=home, env=variables(home), capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=900, check=False)  # fmt: skip
    said = done.stdout + done.stderr
    note(document, line, time.monotonic() - began, done.returncode, said)
    return done.returncode, said


def note(document: str, line: str, seconds: float, code: int, said: str) -> None:
    """Keep one row of the table."""
    row = {"document": document, "line": line[:60], "seconds": round(seconds, 1), "bytes": len(said), "code": code}
    REPORT.append(row)


@contextmanager
def serving(home: Path, document: str, line: str) -> Iterator[None]:
    """Run a line that stays until Ctrl-C while the block goes on; it must say that it is there, and stop in order."""
    began = time.monotonic()
    with (home / "walk.log").open("wb") as log:
        process = subprocess.Popen(["bash", "-c", f"exec {line}"], cwd=home, env=variables(home), stdout=log,
                                   stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)  # fmt: skip
    try:
        said = ""
        while not re.search(r"Serving on|Stop all with|Stop with", said):
            assert process.poll() is None, said
            assert time.monotonic() - began < 400, said
            time.sleep(0.2)
            said = (home / "walk.log").read_text(encoding="utf-8", errors="replace")
        note(document, line, time.monotonic() - began, 0, said)
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        process.wait(60)


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


@pytest.mark.parametrize("block", blocks(), ids=lambda block: f"{block.document}: {block.lines[0][:40]}")
def test_each_block_can_be_typed(walk: Path, block: Block) -> None:
    """No block ends in a traceback, an unknown command or a wrong option; a gate may say no."""
    lines = [line for line in block.lines if not line.startswith(tuple(FOR_OTHERS))]
    if len(lines) < len(block.lines) and block.lines[0].startswith(tuple(FOR_OTHERS)):
        pytest.skip(FOR_OTHERS[next(start for start in FOR_OTHERS if block.lines[0].startswith(start))])
    programs(walk)
    document, exported, stays = block.document, "", False
    with ExitStack() as running:
        for line in lines:
            if line.startswith("export "):
                exported += f"{line}; "
            elif line.startswith(SERVERS):
                running.enter_context(serving(walk, document, line))
                stays = True
            else:
                check(*type_in(walk, document, exported + without_make(line)), line)
        if stays:
            follow_links("http://127.0.0.1:5000/")


def without_make(line: str) -> str:
    """Return what `make` would do here after its downloads: the tests are run elsewhere, the rest is typed."""
    return {"make play": "true", "make test": "true"}.get(line, line)


def check(code: int, said: str, line: str) -> None:
    """Fail on what a newcomer would not understand."""
    assert "Traceback" not in said, said
    assert code in (0, 1), f"{line}: {said}"
    assert code == 0 or "Error: " in said or "gate" in said or "no" in said, said


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
