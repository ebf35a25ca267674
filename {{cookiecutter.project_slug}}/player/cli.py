"""The commands: `player --help` lists them, `player COMMAND --help` teaches one."""

import json
import logging
import os
import sys
import textwrap
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click
from pydantic import SecretStr

from player.config import ENVIRONMENTS, SECRETS, Settings, load_settings, origin, read_layers
from player.controls import CONTROLS, refuse_unsafe, unmet
from player.errors import PlayerError
from player.lifecycle import commands, stage_commands

log = logging.getLogger(__name__)


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
    from player.lifecycle.promotion import how_two_people_activate
    from player.lifecycle.records import record_model
    from player.model import store

    settings = commands.begin(context)
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
        click.echo(f"{learned}. {how_two_people_activate(manifest.version, settings)}")
    else:
        store.activate(manifest.version, settings)
        click.echo(f"{learned} and is current in {settings.environment}.")
    for name, value in trained.metrics.items():
        click.echo(f"  {name:<20} {value:.4f}")


@main.command()
@click.option("--host", help="Instead of [server].host.")
@click.option("--port", type=click.IntRange(1, 65535), help="Instead of [server].port.")
@click.option("--debug/--no-debug", default=None, help="Instead of [server].debug: Flask's own server, reloading.")
@click.pass_context
def serve(context: click.Context, host: str | None, port: int | None, debug: bool | None) -> None:
    """Answer requests until stopped with Ctrl-C; refuses to start when the environment is not safe."""
    from player import server
    from player.storage import migrations

    for name, value in (("HOST", host), ("PORT", port), ("DEBUG", debug)):
        if value is not None:  # as a variable, so that the worker processes see it too
            os.environ[f"PLAYER_SERVER__{name}"] = str(value).lower()
    settings = commands.begin(context)
    refuse_unsafe(settings)
    if settings.strict:  # where users are, nothing is made or changed on the way
        from player.model import store

        store.check_current(settings)
        migrations.check(settings)
    else:
        migrations.upgrade(settings)
    click.echo(f"Serving on http://{settings.server.host}:{settings.server.port}{settings.contract.predict} "
               f"(dashboard: /dashboard). Stop with Ctrl-C.")  # fmt: skip
    server.serve(settings)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.pass_context
def config(context: click.Context, as_json: bool) -> None:
    """Show every setting, its value and where it comes from; secrets are masked."""
    settings = load_settings(context.obj)
    layers = read_layers(context.obj)
    rows = [(name, value, origin(name.split("."), layers)) for name, value in flatten(settings)]
    if as_json:
        click.echo(json.dumps({name: {"value": value, "from": source} for name, value, source in rows}, indent=2))
        return
    for name, value, source in rows:
        click.echo(f"{name:<34} {value!s:<44} {source}")
    for control in unmet(settings):
        click.echo(f"not safe to start: {control.name} ({control.fix})", err=True)


def flatten(settings: Settings) -> list[tuple[str, Any]]:
    """Return each setting as (dotted name, JSON value), secrets as stars."""
    rows: list[tuple[str, Any]] = []
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if name in SECRETS:
            rows.append((name, masked(name, value)))
        elif hasattr(value, "model_dump"):
            rows.extend((f"{name}.{key}", inner) for key, inner in value.model_dump(mode="json").items())
        else:
            rows.append((name, str(value)))
    return rows


def masked(name: str, secret: SecretStr | None) -> str:
    """Return stars for a secret that is set; of the database URL only the password is one."""
    from sqlalchemy.engine import make_url

    if secret is None:
        return "(not set)"
    return str(make_url(secret.get_secret_value())) if name == "database_url" else "********"


@main.command()
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.pass_context
def doctor(context: click.Context, as_json: bool) -> None:
    """Check each control of this environment; exit code 1 when a required one is not met."""
    settings = load_settings(context.obj)
    rows = [(c.name, c.met(settings), c.required(settings), c.reason, c.fix) for c in CONTROLS]
    if as_json:
        names = ("control", "met", "required", "reason", "fix")
        click.echo(json.dumps([dict(zip(names, row, strict=True)) for row in rows], indent=2))
    else:
        for name, met, required, reason, fix in rows:
            state = "met" if met else "MISSING" if required else "not needed"
            click.echo(f"{state:<11} {name}")
            if required and not met:
                for line in (reason, f"-> {fix}"):
                    click.echo(textwrap.fill(line, 80, initial_indent=12 * " ", subsequent_indent=12 * " "))
    sys.exit(1 if unmet(settings) else 0)


@main.command()
@click.argument("source", metavar="INPUT", type=click.Path(path_type=Path))
@click.argument("target", metavar="OUTPUT", type=click.Path(path_type=Path))
@click.option("--again", is_flag=True, help="Also what is done already.")
@click.option(
    "--engine",
    type=click.Choice(["plain", "spark"]),
    default="plain",
    show_default=True,
    help="This process, or Apache Spark: on this machine or a cluster.",
)
@click.pass_context
def batch(context: click.Context, source: Path, target: Path, again: bool, engine: str) -> None:
    """Score the file or folder INPUT into OUTPUT (CSV or Parquet), as the API would answer each row.

    A file that is done is not done again, so a run that was stopped goes on where it was.
    """
    from player.lifecycle.batch_run import run

    result = run(source, target, commands.begin(context), again, engine)
    before = f", {result.skipped} done before" if result.skipped else ""
    click.echo(
        f"{result.rows:,} rows in {result.files} files scored into {target}{before}; "
        f"{result.warnings:,} rows with warnings, model {', '.join(sorted(result.models)) or 'none'}."
    )


@main.command()
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.pass_context
def monitor(context: click.Context, as_json: bool) -> None:
    """Say how the model is doing now, and why: accuracy, drift, diagnosis."""
    from player.model import store
    from player.monitoring import report
    from player.storage import queries
    from player.storage.tables import create_engine_for

    settings = commands.begin(context)
    rows = queries.recent(create_engine_for(settings), settings.monitoring.window_rows)
    manifest = store.current_manifest(settings)
    result = report(rows, manifest.profile, settings.monitoring, manifest.metrics)
    click.echo(json.dumps(result.to_dict(), indent=2) if as_json else result.to_text())


@main.group()
def db() -> None:
    """Prepare the database, or copy it."""


@db.command()
@click.pass_context
def upgrade(context: click.Context) -> None:
    """Bring the tables of the database to the newest form."""
    from player.storage.migrations import upgrade as upgrade_tables

    settings = commands.begin(context)
    upgrade_tables(settings)
    click.echo(f"The {settings.environment} database is up to date.")


@db.command()
@click.argument("folder", required=False, type=click.Path(file_okay=False, path_type=Path))
@click.pass_context
def backup(context: click.Context, folder: Path | None) -> None:
    """Copy database and models into FOLDER (default: [storage].backup_folder), while the service goes on."""
    from player.storage.backup import back_up

    settings = commands.begin(context)
    for path in back_up(settings, folder or settings.path(settings.storage.backup_folder)):
        click.echo(f"{path} ({path.stat().st_size:,} bytes)")


for command in (commands.retrain, commands.replay, commands.schedule, *stage_commands.COMMANDS):
    main.add_command(command)

if __name__ == "__main__":
    main()
