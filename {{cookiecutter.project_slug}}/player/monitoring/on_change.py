"""Tells somebody once when the verdict changes: a command of theirs, or an address, as `[monitoring]` says.

Whoever looks notices it: a page, `player monitor`, `player report`. The database remembers the verdict, so of several
that notice the same change one tells it. Too few rows or labels are no verdict: what was said before holds.
"""

import json
import logging
import os
import shlex
import subprocess
import urllib.request
from datetime import UTC, datetime
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from player.config import Settings
from player.monitoring.diagnosis import Diagnosis
from player.monitoring.reports import Report
from player.storage.database import advise
from player.storage.verdict import change_verdict

log = logging.getLogger(__name__)
SECONDS = 30
KNOWN = ("ok", "warn", "alarm")


def notice(engine: Engine, settings: Settings, found: Report, wait: bool = True) -> bool:
    """Tell about the verdict of *found* when it is another one than before; return whether it is.

    Without *wait* it is told beside what goes on. A database that cannot remember the verdict is one line of the log.
    """
    diagnosis = found.diagnosis
    if diagnosis.state not in KNOWN or not (settings.monitoring.on_change or settings.monitoring.on_change_url):
        return False
    now = datetime.now(UTC)
    try:
        before = change_verdict(engine, diagnosis.state, diagnosis.title, now)
    except SQLAlchemyError as error:
        log.error("nobody is told of the verdict, the database does not keep it: %s", advise(error, settings))
        return False
    if before is None or (before == ("", "") and diagnosis.state == "ok"):  # well from the beginning is no news
        return False
    told = json.dumps(describe(diagnosis, before, found.figures.model, settings, now)).encode()
    telling = Thread(target=tell, args=(told, settings), name="on_change", daemon=True)
    telling.start()
    if wait:
        telling.join()
    return True


def describe(
    diagnosis: Diagnosis, before: tuple[str, str], model: str, settings: Settings, now: datetime
) -> dict[str, Any]:
    """Return what is told: whose verdict, what it was and what it is now, in words and for machines."""
    return {
        "project": settings.project.name,
        "environment": settings.environment,
        "at": now.isoformat(),
        "model": model,
        "before": {"state": before[0], "diagnosis": before[1]},
        "now": {"state": diagnosis.state, "diagnosis": diagnosis.title},
        "text": f"{settings.project.name} ({settings.environment}): {diagnosis.plain}. {diagnosis.sentence}",
        "advice": diagnosis.advice,
    }


def tell(told: bytes, settings: Settings) -> None:
    """Run the command and call the address; what fails is one line of the log, without the rest of the address."""
    command, url = settings.monitoring.on_change, settings.monitoring.on_change_url
    for do, what, name in (
        (run, command, f"command {shlex.split(command)[0]!a}" if command else ""),
        (call, url, f"address at {urlsplit(url).hostname}"),
    ):
        try:
            if what:
                do(what, told)
        except Exception as error:  # whatever theirs does, ours goes on
            log.error("the verdict changed, and the %s was not told: %s", name, reason(error))


def run(command: str, told: bytes) -> None:
    """Run *command* without a shell; it reads *told*, and gets none of our secrets from its environment."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PLAYER_")}
    subprocess.run(  # noqa: S603 - the words of the operator's own configuration, no shell
        shlex.split(command), input=told, env=variables, timeout=SECONDS, check=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def call(url: str, told: bytes) -> None:
    """Send *told* to *url* as JSON."""
    request = urllib.request.Request(url, told, {"Content-Type": "application/json"})  # noqa: S310 - http or https only
    with urllib.request.urlopen(request, timeout=SECONDS):  # noqa: S310
        pass


def reason(error: Exception) -> str:
    """Return in a few words why something failed, without what was told or called.

    >>> reason(subprocess.CalledProcessError(3, ["x"])), reason(TimeoutError())
    ('exit code 3', 'TimeoutError')
    """
    if isinstance(error, subprocess.CalledProcessError):
        return f"exit code {error.returncode}"
    code = getattr(error, "code", None)
    return f"HTTP {code}" if isinstance(code, int) else type(error).__name__
