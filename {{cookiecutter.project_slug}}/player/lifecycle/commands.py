"""The commands of a model's life: `player retrain`, `player replay`, `player schedule`."""

import json
import logging
import sys
from dataclasses import asdict

import click

from player.config import Settings, load_settings


def begin(context: click.Context) -> Settings:
    """Return the settings of the environment chosen for `player`; log lines go to standard error, beside the result."""
    from player.logging_config import setup_logging

    settings = load_settings(context.obj)
    setup_logging(settings)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is sys.stdout:
            handler.setStream(sys.stderr)
    return settings


@click.command()
@click.option("--if-drifted", is_flag=True, help="Only when the newest labelled rows show that it is needed.")
@click.option("--activate/--no-activate", default=True, help="Make a better model current, or only save it.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.pass_context
def retrain(context: click.Context, if_drifted: bool, activate: bool, as_json: bool) -> None:
    """Learn again from training data and collected labels; only a model that is better beyond doubt takes over.

    Exit code 0: done, whatever was decided; 1: it could not be done, the old model stays; 2: wrong configuration.
    """
    from player.lifecycle.nice import be_nice

    be_nice()
    from player.lifecycle import retraining

    outcome = retraining.retrain(begin(context), if_drifted, activate)
    if as_json:
        click.echo(json.dumps(outcome.to_dict(), indent=2))
        return
    click.echo(outcome.sentence)
    for warning in outcome.warnings:
        click.echo(f"Warning: {warning}", err=True)
    if outcome.page:
        click.echo(f"Report: {outcome.page}")


@click.command()
@click.option("--against", required=True, help="A model version, or an environment: its current model.")
@click.option("--limit", default=2000, type=click.IntRange(1, 100_000), help="How many of the newest requests.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.pass_context
def replay(context: click.Context, against: str, limit: int, as_json: bool) -> None:
    """Ask another model the stored requests again and show points, answers and latency before and after."""
    from player.lifecycle import replay as room

    found = room.replay(against, begin(context), limit)
    click.echo(json.dumps(asdict(found), indent=2) if as_json else room.as_text(found))


@click.command()
@click.option("--every", default="10m", help="90s, 10m, 2h or 1d.")
@click.pass_context
def schedule(context: click.Context, every: str) -> None:
    """Run `player retrain --if-drifted` every so often, each time in its own process, until Ctrl-C."""
    from player.lifecycle import schedule as room

    settings = begin(context)
    scheduler = room.create_scheduler(room.retrain_command(settings.environment), room.read_period(every))
    click.echo(f"Retraining {settings.environment} every {every} when it drifted. Stop with Ctrl-C.")
    scheduler.start()
