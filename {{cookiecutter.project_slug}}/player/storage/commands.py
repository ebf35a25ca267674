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


@click.command()
@click.argument("request_id")
@click.pass_context
def erase(context: click.Context, request_id: str) -> None:
    """Delete the request REQUEST_ID with its labels from spool, database and backups, in the chosen environment.

    Exit code 1 when no row had that id.
    """
    from player.storage.erasing import erase as erase_now

    settings = begin(context.obj)
    found = erase_now(settings, request_id)
    click.echo(
        f"Deleted rows: {found.spool} in the spool, {found.database} in the database, {found.backups} in backups."
    )
    for path in found.left:
        click.echo(f"{path} may still hold it and cannot be rewritten: delete it when you no longer need it.")
    if settings.environment == "production":
        click.echo(
            "Copies of production: `player -e acceptance erase`, `player -e development erase` with the same id."
        )
    click.echo("Out of reach: what docs/security.md lists below 'What holds rows', such as files of `player batch`.")
    context.exit(0 if found.spool + found.database + found.backups else 1)
