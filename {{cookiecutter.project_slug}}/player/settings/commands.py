"""`player config`: what is set, and where it comes from."""

import json
from typing import Any

import click
from pydantic import SecretStr

from player.settings.addresses import masked_url, shown_url
from player.settings.controls import unmet
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
