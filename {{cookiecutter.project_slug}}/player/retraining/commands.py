"""`player retrain` and `player schedule`: a model learns again, now or every so often."""

import json

import click

from player.logging_config import begin


@click.command()
@click.option("--if-drifted", is_flag=True, help="Only when the newest labelled rows show that it is needed.")
@click.option("--activate/--no-activate", default=True, help="Make a better model current, or only save it.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.pass_context
def retrain(context: click.Context, if_drifted: bool, activate: bool, as_json: bool) -> None:
    """Learn again from training data and collected labels; only a model that is better beyond doubt takes over.

    Exit code 0: done, whatever was decided; 1: it could not be done, the old model stays; 2: wrong configuration.
    """
    from player.learning.processors import be_nice

    be_nice()
    from player.retraining.retrain import retrain as retrain_now

    outcome = retrain_now(begin(context.obj), if_drifted, activate)
    if as_json:
        click.echo(json.dumps(outcome.to_dict(), indent=2))
        return
    click.echo(outcome.sentence)
    for warning in outcome.warnings:
        click.echo(f"Warning: {warning}", err=True)
    if outcome.page:
        click.echo(f"Report: {outcome.page}")


@click.command()
@click.option("--every", default="10m", help="90s, 10m, 2h or 1d.")
@click.pass_context
def schedule(context: click.Context, every: str) -> None:
    """Run `player retrain --if-drifted` every so often, each time in its own process, until Ctrl-C."""
    from player.retraining.schedule import create_scheduler, read_period, retrain_command

    settings = begin(context.obj)
    scheduler = create_scheduler(retrain_command(settings.environment), read_period(every))
    click.echo(f"Retraining {settings.environment} every {every} when it drifted. Stop with Ctrl-C.")
    scheduler.start()
