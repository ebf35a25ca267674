"""The commands: `player --help` lists them, `player COMMAND --help` teaches one."""

import json
import os
import sqlite3
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click
from rich.console import Console
from sqlalchemy.exc import SQLAlchemyError

from player import TEMPLATE
from player.batch.commands import batch
from player.config import ENVIRONMENTS, Settings, load_settings
from player.errors import PlayerError
from player.logging_config import begin, tell_who_waits
from player.monitoring.commands import monitor, skew, why
from player.promotion.commands import dtap, fill, promote, promotions, replay, revoke, rollback, shadow, who
from player.promotion.key_commands import keys
from player.retraining.commands import retrain, schedule
from player.serving.commands import doctor, serve
from player.settings.commands import config
from player.settings.remedies import of_system
from player.storage.commands import db, erase
from player.storage.database import advise
from player.web.commands import report
from player.web.joining import join

if TYPE_CHECKING:
    from player.inspection import Inspection


class OneLineGroup(click.Group):
    """A group whose commands, and the choice of the environment, report what a person can mend in one line."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an error becomes one line and an exit code."""
        try:
            return super().invoke(ctx)
        except PlayerError as error:
            click.echo(f"Error: {error}", err=True)
            sys.exit(error.exit_code)
        except BrokenPipeError:  # whoever read what we print has seen enough
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - until the end
            sys.exit(0)
        except (OSError, SQLAlchemyError, sqlite3.Error) as error:
            click.echo(f"Error: {meaning(error, ctx.obj)}.", err=True)
            sys.exit(PlayerError.exit_code)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by what they are for, a line each."""
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(command.name or "", command.short_help or "") for command in commands])


def meaning(error: Exception, environment: str | None) -> str:
    """Return in one sentence what a disk or a database did not do, and what to do about it."""
    if isinstance(error, OSError):
        return f"{error.filename or 'The system'}: {of_system(error)}" if error.strerror else str(error)
    return f"The database did not do what was asked: {advise(error, load_settings(environment))}"


@click.group(cls=OneLineGroup, context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--environment", "-e", type=click.Choice(ENVIRONMENTS), help="Instead of PLAYER_ENV.")
@click.version_option(TEMPLATE, message="player, from version %(version)s of the template")
@click.pass_context
def main(context: click.Context, environment: str | None) -> None:
    """Train, serve and watch a model.

    \b
    player train      learn from data/train_data.csv
    player serve      answer on http://127.0.0.1:5000/api
    customer play     in a second terminal: let the customer ask
    """  # noqa: D301 - click reads the backspace: it keeps the lines below as they are
    context.obj = environment


the_label = click.option("--label", help="Its label column.")
dropped = click.option("--drop", multiple=True, help="A column that requests will not have; may be repeated.")


def with_table(settings: Settings, label: str | None, drop: tuple[str, ...]) -> Settings:
    """Return *settings* for a table with this *label* and without the columns *drop*."""
    data = settings.data
    changed = {"label": label or data.label, "not_at_request_time": (*data.not_at_request_time, *drop)}
    return settings.model_copy(update={"data": data.model_copy(update=changed)})


def with_train(settings: Settings, table: Path) -> Settings:
    """Return *settings* where the training table is the file *table*."""
    return settings.model_copy(update={"data": settings.data.model_copy(update={"train": str(table.resolve())})})


def show(found: "Inspection", file: TextIO | None = None) -> None:
    """Print what a table holds, as wide as it needs where nobody watches."""
    console = Console(file=file, soft_wrap=False)
    if not console.is_terminal:
        console = Console(file=file, width=160)
    console.print(found.to_text(), markup=False, highlight=False)


@main.command("inspect")
@click.argument("table", metavar="FILE", type=click.Path(path_type=Path))
@the_label
@dropped
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.pass_context
def inspect_table(context: click.Context, table: Path, label: str | None, drop: tuple[str, ...], as_json: bool) -> None:
    """Show how training would read FILE: each column, the label, and everything that deviates.

    Exit code 1 when nothing can be learned from it.
    """
    from player.inspection import inspect
    from player.reading.files import read_table

    settings = with_table(begin(context.obj), label, drop)
    found = inspect(read_table(table), settings.data)
    click.echo(json.dumps(found.to_dict(), indent=2)) if as_json else show(found)
    sys.exit(0 if found.learnable else 1)


@main.command()
@click.option("--data", type=click.Path(path_type=Path), help="Another table (CSV or Parquet).")
@the_label
@dropped
@click.option("--if-missing", is_flag=True, help="Only when there is no model yet.")
@click.option("--reason", default="", show_default=False, help="Why; it goes into the record.")
@who
@click.pass_context
def train(
    context: click.Context,
    data: Path | None,
    label: str | None,
    drop: tuple[str, ...],
    if_missing: bool,
    reason: str,
    person: str,
) -> None:
    """Learn a model from the training table and make it the current one.

    Says what is wrong when the table cannot be learned from; the old model then stays.
    """
    from player.inspection import inspect
    from player.model import saving, store
    from player.model.own_training import learn
    from player.reading.files import read_own_table, read_table
    from player.storage.records import record_model

    settings = with_table(begin(context.obj), label, drop)
    if settings.strict and settings.promotion.reason_required and not reason.strip():
        raise PlayerError(f'Say why a model is trained in {settings.environment}: --reason "…".')
    if if_missing and store.pointer(settings) is not None:
        click.echo("A model is there already.")
        return
    tell_who_waits(f"Learning from {data or settings.data.train} ...")
    table = read_table(data) if data else read_own_table(settings)
    trained = learn(table, settings)
    show(inspect(table, settings.data), sys.stderr)
    manifest = saving.save(trained, settings, note=f"player train on {data.name if data else settings.data.train}")
    record_model(manifest, settings)
    became = put_to_use(manifest, with_train(settings, data) if data else settings, person, reason)
    click.echo(f"Model {manifest.version} learned from {trained.rows:,} rows{became}")
    tell_figures(trained)


def put_to_use(manifest: Any, settings: Settings, person: str, reason: str) -> str:
    """Make a model current where one person may do that, and return how the sentence about it ends."""
    from player.model import store
    from player.promotion.promote import make_current

    if settings.two_people:
        return f". {store.how_two_people_activate(manifest.version, settings)}"
    make_current(manifest, settings, person, reason or manifest.note * (not settings.strict))
    return f" and is current in {settings.environment}."


def tell_figures(trained: Any) -> None:
    """Print which rows a model learned from and was tested on, and how it did there."""
    if period := getattr(trained, "period", ""):  # an older training.py does not say
        click.echo(f"  {period}")
    for name, value in trained.metrics.items():
        click.echo(f"  {name:<20} {value:.4f}")


SECTIONS = {
    "The life of a model": {
        inspect_table: "how training would read a table",
        train: "learn from the training table",
        serve: "answer requests until Ctrl-C",
        monitor: "how is it doing now, and why",
        report: "the same as a page in one file",
        why: "why a request got its answer",
        skew: "is a request read as the same row of a file is",
        retrain: "learn again, with the labels that came",
        schedule: "retrain every so often, when it drifted",
        batch: "score a file or a folder",
    },
    "Its way from development to production": {
        promote: "move a model up, through its gates",
        rollback: "take the model before back",
        revoke: "take a model's approval away",
        promotions: "who moved which model, when and why",
        replay: "ask another model the stored requests again",
        shadow: "compare production with acceptance",
        dtap: "run all four environments side by side",
        keys: "make the keys of all four",
        fill: "fill a database with the data of its stage",
    },
    "A tournament": {
        join: "take part in a host's tournament",
    },
    "The place it runs in": {
        doctor: "is everything there that it needs? --fix mends",
        config: "every setting, and where it comes from",
        db: "prepare the database, or copy it",
        erase: "forget what is known of one request",
    },
}
for commands in SECTIONS.values():
    for command, says in commands.items():
        main.add_command(command)
        command.short_help = says

if __name__ == "__main__":
    main()
