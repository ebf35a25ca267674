"""Starts `player retrain --if-drifted` again and again, where there is no timer or cron: Windows, or a demo."""

import logging
import re
import subprocess
import sys

from apscheduler.schedulers.blocking import BlockingScheduler

from player.errors import ConfigError

log = logging.getLogger(__name__)

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def read_period(text: str) -> int:
    """Return the seconds in *text*; raises ConfigError.

    >>> read_period("90s"), read_period("10m"), read_period("1d")
    (90, 600, 86400)
    """
    found = re.fullmatch(r"([1-9]\d{0,5})([smhd])", text.strip())
    if found is None:
        raise ConfigError(f"--every {text!r} is no period; write 90s, 10m, 2h or 1d.")
    return int(found[1]) * UNITS[found[2]]


def retrain_command(environment: str) -> list[str]:
    """Return the command that retrains in a process of its own."""
    return [sys.executable, "-m", "player.cli", "--environment", environment, "retrain", "--if-drifted"]


def run_once(command: list[str]) -> int:
    """Run *command* to its end and return its exit code; a failure is logged, the next run comes all the same."""
    code = subprocess.run(command, check=False).returncode  # noqa: S603 - our own command, no shell
    if code:
        log.error("%s ended with exit code %d", " ".join(command[2:]), code)
    return code


def create_scheduler(command: list[str], seconds: int) -> BlockingScheduler:
    """Return a scheduler that runs *command* every *seconds*; a run that takes longer delays the next one."""
    scheduler = BlockingScheduler(timezone="UTC")
    scheduler.add_job(run_once, "interval", [command], seconds=seconds, max_instances=1, coalesce=True,
                      misfire_grace_time=None)  # fmt: skip
    return scheduler
