"""`player keys`: the keys of the environments and of the people who approve, made, changed and signed with again."""

import click

from player.config import load_settings
from player.logging_config import begin


@click.group(invoke_without_command=True)
@click.pass_context
def keys(context: click.Context) -> None:
    """Make the keys of all four environments in keys/, where they are missing, and say how to use them."""
    from player.promotion.keys import FILES, make_keys

    if context.invoked_subcommand:
        return
    made = make_keys(load_settings("development").home)
    click.echo(f"{len(made)} keys made. To use them, here in the project folder:")
    for variable, name in FILES.items():
        click.echo(f"export {variable}={name}")
    click.echo("A service needs the public key alone: PLAYER_SIGNING_KEY_FILE is for who trains and promotes.")


@keys.command()
@click.argument("name")
def approver(name: str) -> None:
    """Make the key of a person who may ask for promotions and approve those of others (integrity high)."""
    from player.promotion.keys import APPROVERS, make_approver

    path = make_approver(load_settings("development").home, name)
    click.echo(f"{name} keeps {path} for themselves; its public half is in {APPROVERS}. To use them:")
    click.echo(f"export PLAYER_APPROVER_KEY_FILE={path}")
    click.echo(f"export PLAYER_APPROVERS_FILE={APPROVERS}")


@keys.command()
@click.pass_context
def rotate(context: click.Context) -> None:
    """Make a new signing key for the chosen environment; the one before counts until `player keys resign`.

    The files are the ones that PLAYER_SIGNING_KEY_FILE and PLAYER_PUBLIC_KEYS_FILE name. Give the new public keys to
    the services (and reload them) before the next model is signed.
    """
    from player.promotion.keys import rotate as rotate_now

    settings = begin(context.obj)
    private, public = rotate_now(settings.environment)
    click.echo(
        f"{private} is new; {public} lists it and the one before.\nReload the services, then `player keys resign`."
    )


@keys.command()
@click.pass_context
def resign(context: click.Context) -> None:
    """Sign everything in the chosen environment again with its newest key, which then is the only one that counts.

    Only what was signed by a key that counts now (or the old way, by the same key) is signed again.
    """
    from player.promotion.keys import keep_newest
    from player.promotion.resigning import resign as resign_now

    settings = begin(context.obj)
    signed, refused = resign_now(settings)
    keep_newest(settings)
    click.echo(f"{signed} files of {settings.environment} are signed with the newest key.")
    for name in refused:
        click.echo(f"not signed again, since its signature does not count: {name}", err=True)


@keys.command()
@click.argument("name")
@click.pass_context
def add(context: click.Context, name: str) -> None:
    """Make a key with which NAME may ask the service of the chosen environment and bring labels; shown once."""
    from player.promotion.keys import add_api_key, api_keys_file

    settings = load_settings(context.find_root().obj)
    click.echo(add_api_key(settings, name))
    click.echo(f"This is the only time it is shown; {api_keys_file(settings)} keeps its hash.", err=True)
    click.echo(f"Once: export PLAYER_API_KEYS_FILE={api_keys_file(settings)}, and reload the service.", err=True)


@keys.command("revoke")
@click.argument("name")
@click.pass_context
def revoke_key(context: click.Context, name: str) -> None:
    """Take the key of NAME away; the service forgets it when it is reloaded."""
    from player.promotion.keys import revoke_api_key

    revoke_api_key(load_settings(context.find_root().obj), name)
    click.echo(f"{name} has no key any more. Reload the service.")


@keys.command("list")
@click.pass_context
def list_keys(context: click.Context) -> None:
    """Show who has a key for the service of the chosen environment."""
    from player.promotion.keys import api_keys_file
    from player.settings.api_keys import read_api_keys

    path = api_keys_file(load_settings(context.find_root().obj))
    found = read_api_keys(path.read_text(encoding="utf-8")) if path.exists() else {}
    for each, name in found.items():
        click.echo(f"{name:<30} {each[:8]}")
    if not found:
        click.echo(f"No named key in {path}; `player keys add NAME` makes one.")


@keys.command()
@click.pass_context
def public(context: click.Context) -> None:
    """Print the public half of the signing key of the chosen environment: the line that a service needs."""
    from player.errors import ConfigError
    from player.settings.public_keys import own_key, public_key_of

    settings = load_settings(context.find_root().obj)
    if not own_key(settings):
        raise ConfigError("There is no signing key here: set PLAYER_SIGNING_KEY_FILE.")
    click.echo(f"{public_key_of(own_key(settings))} {settings.environment}")
