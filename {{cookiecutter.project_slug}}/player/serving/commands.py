"""`player serve` and `player doctor`: the service, and whether it has what it needs."""

import json
import os
import sys

import click

from player.config import Settings, load_settings
from player.logging_config import begin, tell_who_waits
from player.settings.controls import refuse_unsafe
from player.settings.public_keys import trusted_keys


@click.command()
@click.option("--host", help="Instead of [server].host.")
@click.option("--port", type=click.IntRange(1, 65535), help="Instead of [server].port.")
@click.option("--debug/--no-debug", default=None, help="Instead of [server].debug: Flask's own server, reloading.")
@click.pass_context
def serve(context: click.Context, host: str | None, port: int | None, debug: bool | None) -> None:
    """Answer requests until stopped with Ctrl-C; refuses to start when the environment is not safe."""
    from player.serving import service, supervisor

    for name, value in (("HOST", host), ("PORT", port), ("DEBUG", debug)):
        if value is not None:  # as a variable, so that the worker processes see it too
            os.environ[f"PLAYER_SERVER__{name}"] = str(value).lower()
    settings = begin(context.obj)
    refuse_unsafe(settings)
    settings = put_signing_key_away(settings)
    if os.environ.get("WERKZEUG_RUN_MAIN") != "true":  # Flask's reloader runs this command again, as its child
        tell_who_waits(f"Starting {settings.environment} ...")
        service.check_port(settings)
        if not settings.server.debug:
            supervisor.load_libraries()
        from player.serving import checks  # its own libraries are loaded meanwhile

        checks.before_serving(settings)
    service.serve(settings)


def put_signing_key_away(settings: Settings) -> Settings:
    """Return the settings without the keys that sign: what answers strangers only needs to check signatures.

    The processes that are started from here get the public keys alone.
    """
    keys = trusted_keys(settings)
    for name in ("PLAYER_SIGNING_KEY", "PLAYER_APPROVER_KEY"):
        os.environ.pop(name, None)
        os.environ.pop(f"{name}_FILE", None)
    if keys and not settings.public_keys:
        os.environ["PLAYER_PUBLIC_KEYS"] = "\n".join(keys)
    return load_settings(settings.environment)


@click.command()
@click.option("--fix", is_flag=True, help="Mend what is safe to mend: a damaged spool, old tables, open files.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.pass_context
def doctor(context: click.Context, fix: bool, as_json: bool) -> None:
    """Look at all that `player serve` needs: the environment's controls, model, spool, database, disk, log, port.

    Exit code 1 when something is missing; a warning is for you to weigh. Nothing is changed without --fix.
    """
    from player.serving.doctor import examine, show

    found = examine(begin(context.obj), fix)
    if as_json:
        click.echo(json.dumps([vars(finding) for finding in found], indent=2))
    else:
        for finding in found:
            show(finding)
    sys.exit(1 if any(finding.required and not finding.met for finding in found) else 0)
