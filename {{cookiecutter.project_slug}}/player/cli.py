"""The commands: `player --help` lists them, `player COMMAND --help` teaches one."""

import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from player.batch.commands import batch
from player.config import ENVIRONMENTS
from player.errors import PlayerError
from player.logging_config import begin
from player.monitoring.commands import monitor
from player.promotion.commands import dtap, fill, keys, promote, promotions, replay, rollback, shadow
from player.retraining.commands import retrain, schedule
from player.serving.commands import serve
from player.settings.commands import config, doctor
from player.storage.commands import db


def told_in_one_line(command: Callable[..., Any]) -> Callable[..., Any]:
    """Turn an error a person can mend into one line and an exit code."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except PlayerError as error:
            click.echo(f"Error: {error}", err=True)
            sys.exit(error.exit_code)

    return wrapped


class OneLineGroup(click.Group):
    """A group whose commands, and the choice of the environment, report errors in one line."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        return told_in_one_line(super().invoke)(ctx)


@click.group(cls=OneLineGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--environment", "-e", type=click.Choice(ENVIRONMENTS), help="Instead of PLAYER_ENV.")
@click.pass_context
def main(context: click.Context, environment: str | None) -> None:
    """Train, serve and watch a model.

    \b
    player train      learn from data/train_data.csv
    player serve      answer on http://127.0.0.1:5000/api
    customer play     in a second terminal: let the customer ask
    """  # noqa: D301 - click reads the backspace: it keeps the lines below as they are
    context.obj = environment


@main.command()
@click.option("--data", type=click.Path(path_type=Path), help="Another table (CSV or Parquet).")
@click.option("--label", help="Its label column.")
@click.option("--drop", multiple=True, help="A column that requests will not have; may be repeated.")
@click.option("--if-missing", is_flag=True, help="Only when there is no model yet.")
@click.pass_context
def train(
    context: click.Context, data: Path | None, label: str | None, drop: tuple[str, ...], if_missing: bool
) -> None:
    """Learn a model from the training table and make it the current one.

    Says what is wrong when the table cannot be learned from; the old model then stays.
    """
    from player import training
    from player.model import store
    from player.storage.records import record_model

    settings = begin(context.obj)
    if if_missing and store.pointer(settings) is not None:
        click.echo("A model is there already.")
        return
    changed = {
        "label": label or settings.data.label,
        "not_at_request_time": (*settings.data.not_at_request_time, *drop),
    }
    settings = settings.model_copy(update={"data": settings.data.model_copy(update=changed)})
    trained = training.train(training.read_table(data or settings.path(settings.data.train)), settings)
    manifest = store.save(trained, settings, note=f"player train on {data.name if data else settings.data.train}")
    record_model(manifest, settings)
    learned = f"Model {manifest.version} learned from {trained.rows:,} rows"
    if settings.two_people:
        click.echo(f"{learned}. {store.how_two_people_activate(manifest.version, settings)}")
    else:
        store.activate(manifest.version, settings)
        click.echo(f"{learned} and is current in {settings.environment}.")
    for name, value in trained.metrics.items():
        click.echo(f"  {name:<20} {value:.4f}")


COMMANDS = (
    serve, monitor, retrain, schedule, batch,  # the life of a model
    promote, rollback, promotions, replay, shadow, dtap, keys, fill,  # its way from development to production
    config, doctor, db,  # the place it runs in
)  # fmt: skip

for command in COMMANDS:
    main.add_command(command)

if __name__ == "__main__":
    main()
