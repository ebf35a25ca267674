"""Runs all four environments side by side on this machine, each with its own port, database, log, models and keys."""

import getpass
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from player.config import ENVIRONMENTS, Settings, load_settings
from player.errors import DataError, ModelRefused, PlayerError, PromotionRefused
from player.model import saving, store
from player.model.own_training import learn
from player.promotion.keys import make_keys, use_approver, use_keys
from player.promotion.promote import make_current, promote
from player.promotion.stage_data import fill
from player.reading.files import read_own_table
from player.settings.controls import refuse_unsafe
from player.storage.records import record_model

READY_SECONDS, STOP_SECONDS = 90.0, 30.0
REASON = "first model, by player dtap"

Services = dict[str, "subprocess.Popen[bytes]"]


def prepare() -> list[str]:
    """Give every environment what it lacks: keys, a model, the data of its stage; return what was done.

    Raises PlayerError when an environment is not safe to run or a promotion waits for a second person.
    """
    home = load_settings("development").home
    made = make_keys(home)
    use_keys(home)
    if load_settings("production").two_people:
        made += use_approver(home, getpass.getuser())
    done = [f"made {path.relative_to(home)}" for path in made]
    for environment in ENVIRONMENTS:
        settings = load_settings(environment)
        refuse_unsafe(settings)
        if not has_model(settings):
            done.append(first_model(settings))
        with suppress(DataError):  # production's data come from its users, and acceptance copies them
            done += fill_once(settings)
    return done


def has_model(settings: Settings) -> bool:
    """Tell whether an environment has a model; one of development from before there were keys is not signed: none."""
    try:
        return store.pointer(settings) is not None
    except ModelRefused:
        if settings.environment == "development":
            return False
        raise


def first_model(settings: Settings) -> str:
    """Give an environment its first model: trained in development, promoted everywhere else; return what was done."""
    if settings.environment == "development":
        trained = learn(read_own_table(settings), settings)
        manifest = saving.save(trained, settings, note=REASON)
        record_model(manifest, settings)
        make_current(manifest, settings, getpass.getuser(), REASON)
        return f"trained {manifest.version} in development"
    promote(settings, getpass.getuser(), REASON)
    if store.pointer(settings) is None:
        raise PromotionRefused(
            f"{settings.environment} waits for a second person (integrity is high): let somebody run `player promote "
            f"{settings.environment} --approve` with a key of their own, then `player dtap` again."
        )
    return f"promoted {store.current_manifest(settings).version} to {settings.environment}"


def fill_once(settings: Settings) -> list[str]:
    """Fill an environment with its data unless that was done before; return what was done."""
    note = settings.path("output/{environment}-filled")
    if note.exists():
        return []
    filled = fill(settings)
    note.touch()
    return [f"filled {settings.environment} with {filled.rows} rows: {filled.source}"]


def start_all() -> Services:
    """Start the four services and return when all are ready; raises PlayerError, and stops all, when one is not."""
    acceptance = load_settings("acceptance")
    key = acceptance.api_key.get_secret_value() if acceptance.api_key else ""
    services: Services = {}
    try:
        for environment in ENVIRONMENTS:
            settings = load_settings(environment)
            mirror = {"PLAYER_SHADOW__URL": address(acceptance), "PLAYER_SHADOW_KEY": key}
            more = mirror if environment == "production" else {}
            services[environment] = start(settings, {**os.environ, **more})
        for environment, process in services.items():
            wait_until_ready(load_settings(environment), process)
    except BaseException:
        stop_all(services)
        raise
    return services


def start(settings: Settings, variables: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    """Start a service with these variables, in a process group of its own; what it prints goes to its log."""
    apart: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    command = [sys.executable, "-m", "player.cli", "--environment", settings.environment, "serve",
               "--port", str(port_of(settings))]  # fmt: skip
    log = settings.path("output/{environment}.log")
    log.parent.mkdir(exist_ok=True)
    with log.open("ab") as out:
        return subprocess.Popen(  # noqa: S603 - our own command
            command, env=variables, stdin=subprocess.DEVNULL, stdout=out, stderr=out, **apart
        )


def wait_until_ready(settings: Settings, process: "subprocess.Popen[bytes]") -> None:
    """Return when a service says that it is ready; raises PlayerError when it ended or takes too long."""
    log = settings.path("output/{environment}.log")
    deadline = time.monotonic() + READY_SECONDS
    while not is_ready(settings):
        if process.poll() is not None or time.monotonic() > deadline:
            lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise PlayerError(f"{settings.environment} did not get ready: {lines[-1] if lines else 'it said nothing'}")
        time.sleep(0.2)


def is_ready(settings: Settings) -> bool:
    """Ask a service once whether it is ready."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with suppress(OSError), opener.open(f"{address(settings)}/health/ready", timeout=2) as answer:
        return bool(answer.status == 200)
    return False


def address(settings: Settings) -> str:
    """Return where a service listens."""
    return f"http://{settings.server.host}:{port_of(settings)}"


def port_of(settings: Settings) -> int:
    """Return the port of a service; where PLAYER_SERVER__PORT names one, it is development's, the others follow."""
    above = ENVIRONMENTS.index(settings.environment) if "PLAYER_SERVER__PORT" in os.environ else 0
    return settings.server.port + above


def stop_all(services: Services) -> None:
    """Ask all services to stop in order, and end those that do not."""
    for process in services.values():
        send_stop(process)
    for process in services.values():
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()


def send_stop(process: "subprocess.Popen[bytes]") -> None:
    """Tell a service, and what it started, to stop."""
    with suppress(ProcessLookupError):
        if sys.platform == "win32":
            os.kill(process.pid, signal.CTRL_BREAK_EVENT)
        else:
            os.killpg(process.pid, signal.SIGTERM)
