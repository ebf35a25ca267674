"""`player serve`: the service, from the command line."""

import os

import click

from player.logging_config import begin
from player.settings.controls import refuse_unsafe


@click.command()
@click.option("--host", help="Instead of [server].host.")
@click.option("--port", type=click.IntRange(1, 65535), help="Instead of [server].port.")
@click.option("--debug/--no-debug", default=None, help="Instead of [server].debug: Flask's own server, reloading.")
@click.pass_context
def serve(context: click.Context, host: str | None, port: int | None, debug: bool | None) -> None:
    """Answer requests until stopped with Ctrl-C; refuses to start when the environment is not safe."""
    from player.serving import service
    from player.storage import migrations

    for name, value in (("HOST", host), ("PORT", port), ("DEBUG", debug)):
        if value is not None:  # as a variable, so that the worker processes see it too
            os.environ[f"PLAYER_SERVER__{name}"] = str(value).lower()
    settings = begin(context.obj)
    refuse_unsafe(settings)
    if settings.strict:  # where users are, nothing is made or changed on the way
        from player.model import store

        store.check_current(settings)
        migrations.check(settings)
    else:
        migrations.upgrade(settings)
    click.echo(f"Serving on http://{settings.server.host}:{settings.server.port}{settings.contract.predict} "
               f"(dashboard: /dashboard). Stop with Ctrl-C.")  # fmt: skip
    service.serve(settings)
