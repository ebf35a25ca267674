"""The images are built, and what server/compose.yaml says is done with them: a model is made, served, played, stopped.

For `tox -e image`, on a machine with a container engine: Docker, or what PLAYER_TEST_ENGINE names, such as podman.
PLAYER_TEST_BASE replaces the Dockerfile's own base, PLAYER_TEST_BUILD has more words for the engine's `build`. The
database is the SQLite file that `prepare` makes: the image of PostgreSQL is not ours.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import Bake

ENGINE = os.environ.get("PLAYER_TEST_ENGINE", "docker")
OF_BUILD = shlex.split(os.environ.get("PLAYER_TEST_BUILD", ""))
BASE = os.environ.get("PLAYER_TEST_BASE", "")
PORT, CLIENTS, ENOUGH = 5003, 8, 200
STORED = "import sqlite3; [print(i) for i, in sqlite3.connect('output/production.db').execute('{}')]"

pytestmark = pytest.mark.long


def engine(*words: str, code: int = 0) -> str:
    """Return what the engine printed; fail unless it ended with *code*."""
    variables = {**os.environ, "BUILDAH_FORMAT": "docker"}  # podman's own format has no health check
    done = subprocess.run([ENGINE, *words], capture_output=True, text=True, env=variables, check=False)
    assert done.returncode == code, f"{ENGINE} {shlex.join(words)}\n{done.stdout}\n{done.stderr}"
    return done.stdout.strip()


def wait_until(fact: Callable[[], bool], what: str, seconds: float = 120.0) -> None:
    """Return when *fact* is true; fail when that takes too long."""
    until = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < until, f"waited {seconds:g} s in vain: {what}"
        time.sleep(0.2)


class Service:
    """A running container of production."""

    def __init__(self, name: str, image: str, key: str) -> None:
        """Know its container, its image, and the words to play against it."""
        self.name, self.image, self.key = name, image, key

    def inside(self, *command: str, code: int = 0) -> str:
        """Run a command in it, as the user that it has."""
        return engine("exec", self.name, *command, code=code)

    def health_check(self, **variables: str) -> int:
        """Return the exit code of the image's own health check."""
        (image,) = json.loads(engine("image", "inspect", self.image))
        _, *command = (image.get("Healthcheck") or image["Config"]["Healthcheck"])["Test"]
        more = [f"--env={name}={value}" for name, value in variables.items()]
        return subprocess.run([ENGINE, "exec", *more, self.name, *command], capture_output=True, check=False).returncode

    def wait_until_healthy(self) -> None:
        """Return when its health check is content; fail with its log when it ended."""

        def healthy() -> bool:
            running = engine("inspect", "--format", "{{.State.Running}}", self.name) == "true"
            assert running, engine("logs", self.name)
            return self.health_check() == 0

        wait_until(healthy, "the service is healthy")

    def ids(self) -> set[str]:
        """Return the ids of the requests in its database."""
        return set(self.inside("python", "-c", STORED.format("SELECT request_id FROM predictions")).split())


@pytest.fixture(name="compose", scope="module")
def _compose(default_project: Path) -> dict[str, Any]:
    """What compose.yaml of the generated project says."""
    found: dict[str, Any] = yaml.safe_load((default_project / "server" / "compose.yaml").read_text(encoding="utf-8"))
    return found


@pytest.fixture(name="images", scope="module")
def _images(bake: Bake, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Both targets of the Dockerfile, built: the name of each image. They stay, so that the next build is short."""
    if not shutil.which(ENGINE) or subprocess.run([ENGINE, "info"], capture_output=True, check=False).returncode:
        pytest.exit(
            f"`{ENGINE} info` fails: this needs a container engine that runs; PLAYER_TEST_ENGINE names another one.", 1
        )
    project = bake(tmp_path_factory.mktemp("image"))
    base = ["--build-arg", f"BASE={BASE}"] if BASE else []
    names = {target: f"player-test-{target}" for target in ("tools", "service")}
    for target, name in names.items():
        dockerfile = str(project / "server" / "Dockerfile")
        engine("build", *OF_BUILD, *base, "--file", dockerfile, "--target", target, "--tag", name, str(project))
    return names


@pytest.fixture(name="service", scope="module")
def _service(images: dict[str, str], compose: dict[str, Any]) -> Iterator[Service]:
    """Production, with the model and the keys that `prepare` of compose.yaml made."""
    mark = f"player-test-{uuid.uuid4().hex[:8]}"
    prepare, hardened = compose["services"]["prepare"], compose["x-hardened"]
    run = ["run", "--read-only", *(f"--tmpfs={path}" for path in hardened["tmpfs"])]
    run += [f"--cap-drop={name}" for name in hardened["cap_drop"]]
    run += [f"--security-opt={option}" for option in hardened["security_opt"]]
    volumes = [f"--volume={mark}-{volume}" for volume in prepare["volumes"]]
    command = [word.replace("$$", "$") for word in prepare["command"]]
    served = [f"--volume={mark}-models:/app/models:ro", f"--volume={mark}-handed-out:/run/keys:ro"]
    served += [f"--volume={mark}-prepared:/app/output", f"--publish=127.0.0.1::{PORT}", "--env=PLAYER_ENV=production"]
    served += ["--env=PLAYER_PUBLIC_KEYS_FILE=/run/keys/production/signing.pub", f"--env=PLAYER_SERVER__PORT={PORT}"]
    served += ["--env=PLAYER_API_KEY_FILE=/run/keys/production/api.key"]
    try:
        for _ in range(2):  # once, and again at each start
            engine(*run, "--rm", *volumes, images["tools"], *command)
        engine(*run, "--detach", f"--name={mark}", *served, images["service"])
        service = Service(mark, images["service"], f"--volume={mark}-handed-out:/run/keys:ro")
        service.wait_until_healthy()
        yield service
    finally:
        subprocess.run([ENGINE, "rm", "--force", mark], capture_output=True, check=False)
        names = [f"{mark}-{volume.partition(':')[0]}" for volume in prepare["volumes"]]
        subprocess.run([ENGINE, "volume", "rm", "--force", *names], capture_output=True, check=False)


def test_nobody_special_runs_it(service: Service) -> None:
    """The first process is the service, of the user of the Dockerfile, and only what is a volume can be written."""
    assert service.inside("stat", "--format", "%u", "/proc/1") == "10001"
    assert "player serve" in service.inside("cat", "/proc/1/cmdline").replace("\0", " ")
    status = service.inside("cat", "/proc/1/status")
    assert re.search(r"^CapBnd:\s+0+$", status, re.MULTILINE)
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE)
    for place in ("/app", "/app/models", "/run/keys", "/opt/venv"):
        service.inside("touch", f"{place}/written", code=1)
    service.inside("touch", "/app/output/written", "/tmp/written")  # noqa: S108 - its own


def test_the_health_check_sees_the_difference(service: Service) -> None:
    """It is content with the service, and not with a port where nobody listens."""
    assert service.health_check() == 0
    assert service.health_check(PLAYER_SERVER__PORT="1") != 0


def test_the_service_has_no_tests_and_no_key_that_signs(service: Service) -> None:
    """What a container of the service holds is what answering needs."""
    service.inside("python", "-c", "import pytest", code=1)
    handed_out = set(service.inside("find", "/run/keys/production", "-type", "f", "-printf", "%f ").split())
    assert handed_out == {"signing.pub", "api.key", "shadow.key"}
    assert service.inside("ls", "/app/keys") == ""


def test_a_game_is_played(service: Service) -> None:
    """The customer, from the same image, plays every round; no request fails, each has its row."""
    before = service.ids()
    words = ["--url", f"http://127.0.0.1:{PORT}", "--api-key-file", "/run/keys/production/api.key"]
    play = ["customer", "play", "--json", "--requests", "100", "--output", "/tmp", *words]  # noqa: S108 - its own
    with_it = [f"--network=container:{service.name}", service.key]
    played = json.loads(engine("run", "--rm", "--read-only", "--tmpfs=/tmp", *with_it, service.image, *play))

    assert (played["total"]["asked"], played["total"]["failed"]) == (600, 0)
    assert played["rounds"][0]["points"] >= 0.9 * played["rounds"][0]["best"]
    wait_until(lambda: len(service.ids() - before) >= 600, "each request has a row")


def test_stopped_under_load_it_loses_nothing_it_acknowledged(service: Service, compose: dict[str, Any]) -> None:
    """`stop` in the middle of requests ends it with 0 in its time; all that was answered is there after a start."""
    address = f"http://{engine('port', service.name, str(PORT)).splitlines()[0]}/api"
    headers = {"Content-Type": "application/json"}
    headers["Authorization"] = f"Bearer {service.inside('cat', '/run/keys/production/api.key')}"
    acknowledged: list[str] = []

    def ask_until_it_is_gone() -> None:
        with suppress(OSError, HTTPException):  # the connection is refused, cut off, or answered with 503
            while True:
                body = json.dumps({"request_id": uuid.uuid4().hex, "features": {"age": 42}}).encode()
                asked = urllib.request.Request(address, body, headers)
                with urllib.request.urlopen(asked, timeout=10) as answer:  # noqa: S310 - http
                    acknowledged.append(json.load(answer)["request_id"])

    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(ask_until_it_is_gone) for _ in range(CLIENTS)]
        wait_until(lambda: len(acknowledged) >= ENOUGH or all(client.done() for client in clients), "answers")
        engine("stop", "-t", compose["x-service"]["stop_grace_period"].removesuffix("s"), service.name)
    for client in clients:
        client.result()

    assert len(acknowledged) >= ENOUGH
    assert engine("inspect", "--format", "{{.State.ExitCode}}", service.name) == "0"
    engine("start", service.name)
    service.wait_until_healthy()
    wait_until(lambda: set(acknowledged) <= service.ids(), f"all {len(acknowledged)} rows that were acknowledged")
