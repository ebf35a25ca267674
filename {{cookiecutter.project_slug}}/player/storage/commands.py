"""`player db`: the database prepared and copied from the command line."""

from pathlib import Path

import click

from player.logging_config import begin


@click.group()
def db() -> None:
    """Prepare the database, or copy it."""


@db.command()
@click.pass_context
def upgrade(context: click.Context) -> None:
    """Bring the tables of the database to the newest form."""
    from player.storage.migrations import upgrade as upgrade_tables

    settings = begin(context.obj)
    upgrade_tables(settings)
    click.echo(f"The {settings.environment} database is up to date.")


@db.command()
@click.argument("folder", required=False, type=click.Path(file_okay=False, path_type=Path))
@click.pass_context
def backup(context: click.Context, folder: Path | None) -> None:
    """Copy database and models into FOLDER (default: [storage].backup_folder), while the service goes on."""
    from player.storage.backup import back_up

    settings = begin(context.obj)
    for path in back_up(settings, folder or settings.path(settings.storage.backup_folder)):
        click.echo(f"{path} ({path.stat().st_size:,} bytes)")
