"""`player config` and `player doctor`: what is set, where it comes from, and whether it is enough."""

import json
import sys
import textwrap
from typing import Any

import click
from pydantic import SecretStr

from player.settings.addresses import masked_url, shown_url
from player.settings.controls import CONTROLS, unmet
from player.settings.loading import load_settings, origin, read_layers
from player.settings.sections import KEY_LISTS, SECRETS, Settings


@click.command()
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
        elif name in KEY_LISTS:
            rows.append((name, f"{len(value.split(chr(10))) if value else 0} lines"))
        elif hasattr(value, "model_dump"):
            rows.extend((f"{name}.{key}", masked_url(inner)) for key, inner in value.model_dump(mode="json").items())
        else:
            rows.append((name, str(value)))
    return rows


def masked(name: str, secret: SecretStr | None) -> str:
    """Return stars for a secret that is set; of the database URL only what is one."""
    if secret is None:
        return "(not set)"
    return shown_url(secret.get_secret_value()) if name == "database_url" else "********"


@click.command()
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
