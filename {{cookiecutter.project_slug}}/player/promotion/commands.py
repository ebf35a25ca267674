"""The commands of the four environments: to run them, to fill them, and to move models between them."""

import getpass
import json
import signal
import textwrap
import time
from dataclasses import asdict

import click

from player.config import ENVIRONMENTS, load_settings
from player.errors import PlayerError
from player.logging_config import begin, tell_who_waits

who = click.option("--as", "person", default=getpass.getuser, show_default="your login", help="Who you are.")
why = click.option("--reason", default="", show_default=False, help="Why; it goes into the record.")
for_machines = click.option("--json", "as_json", is_flag=True, help="For machines.")


@click.command()
@click.argument("target", type=click.Choice(ENVIRONMENTS[1:]))
@why
@click.option("--approve", is_flag=True, help="Agree to what another person asked for (integrity high).")
@click.option("--version", default="", show_default=False, help="A model that TARGET has already, saved by retraining.")
@who
@for_machines
def promote(target: str, reason: str, approve: bool, version: str, person: str, as_json: bool) -> None:
    """Move the model of the environment before into TARGET, when every gate says yes.

    It needs the signing key of TARGET and the public key of the environment before; `player keys` makes both and says
    how to name them. Where integrity is high two people are needed, each with a key of their own.
    """
    from player.model.records import WAITS
    from player.promotion.promote import promote as move_up

    settings = begin(target)
    tell_who_waits("Asking the gates; the unit tests and the trial of the model may take a minute ...")
    found = move_up(settings, person, reason, approve, version)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for verdict in found["gates"]:
        click.echo(f"  {verdict['gate']:<12} {verdict['reason']}")
    if found["outcome"] == WAITS:
        click.echo(f"{found['version']} waits: another person must run `player promote {target} --approve`.")
    else:
        click.echo(f"{found['version']} is current in {target}.")


@click.command()
@why
@click.option("--approve", is_flag=True, help="Agree to what another person asked for (integrity high).")
@who
@click.pass_context
def rollback(context: click.Context, reason: str, approve: bool, person: str) -> None:
    """Make the model before the current one again, in the chosen environment."""
    from player.model.records import WAITS
    from player.promotion.promote import roll_back

    settings = begin(context.obj)
    found = roll_back(settings, person, reason, approve)
    if found["outcome"] == WAITS:
        click.echo(f"{found['version']} waits: another person must run `player rollback --approve`.")
    else:
        click.echo(f"{found['version']} is current in {settings.environment} again, instead of {found['replaces']}.")


@click.command()
@click.argument("version")
@why
@who
@click.pass_context
def revoke(context: click.Context, version: str, reason: str, person: str) -> None:
    """Let VERSION never run in the chosen environment again; when it is current, the model before takes over."""
    from player.promotion.promote import revoke as revoke_now

    settings = begin(context.obj)
    found = revoke_now(settings, version, person, reason)
    click.echo(f"{found['version']} is revoked in {settings.environment}.")


@click.command()
@for_machines
@click.pass_context
def promotions(context: click.Context, as_json: bool) -> None:
    """Show who moved which model into the chosen environment, when and why; exit code 1 when a record was changed."""
    from player.model.records import read

    settings = begin(context.obj)
    found = read(settings)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for record in found:
        click.echo(f"{record['at']}  {record['outcome']}: {record['version']}, by {record['who']}")
        no = [f"{gate['gate']}: {gate['reason']}" for gate in record.get("gates", []) if not gate["passed"]]
        for line in (record["why"] and f"why: {record['why']}", *no):
            if line:
                click.echo(textwrap.fill(line, 100, initial_indent=27 * " ", subsequent_indent=27 * " "))
    if not found:
        click.echo(f"Nothing was promoted to {settings.environment} yet.")


@click.command()
@click.pass_context
def fill(context: click.Context) -> None:
    """Fill the database with the data of its stage: a sample, fixed test rows, or a copy of production."""
    from player.promotion.stage_data import fill as fill_in

    filled = fill_in(begin(context.obj))
    click.echo(f"{filled.rows:,} rows, {filled.labels:,} with a label, from {filled.source}.")


@click.command()
@click.option("--prepare", "only_prepare", is_flag=True, help="Make keys, models and data, but start nothing.")
def dtap(only_prepare: bool) -> None:
    """Run development, testing, acceptance and production side by side, until Ctrl-C.

    What is missing is made first: keys, a model that is trained in development and promoted from stage to stage, the
    data of each stage. Production mirrors each request to acceptance; `player shadow` compares the two.
    """
    from player.promotion.dtap import address, prepare, start_all, stop_all

    tell_who_waits("Making what is missing: keys, models, data. The first time takes a minute or two ...")
    for line in prepare():
        click.echo(line)
    if only_prepare:
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stopped in whatever way, it stops all four
    tell_who_waits("Starting four services; each says when it is ready in its log ...")
    services = start_all()
    try:
        for name in services:
            settings = load_settings(name)
            click.echo(f"{name:<12} {address(settings)}/dashboard  output/{name}.log")
        click.echo("Stop all with Ctrl-C.")
        while all(process.poll() is None for process in services.values()):
            time.sleep(0.5)
        ended = [name for name, process in services.items() if process.poll() is not None]
        raise PlayerError(f"{ended[0]} ended by itself; output/{ended[0]}.log says why.")
    except KeyboardInterrupt:
        click.echo("Stopping all four.")
    finally:
        stop_all(services)


@click.command()
@click.option("--against", required=True, help="A model version, or an environment: its current model.")
@click.option("--limit", default=2000, type=click.IntRange(1, 100_000), help="How many of the newest requests.")
@for_machines
@click.pass_context
def replay(context: click.Context, against: str, limit: int, as_json: bool) -> None:
    """Ask another model the stored requests again and show points, answers and latency before and after."""
    from player.promotion.replay import as_text
    from player.promotion.replay import replay as ask_again

    found = ask_again(against, begin(context.obj), limit)
    click.echo(json.dumps(asdict(found), indent=2) if as_json else as_text(found))


@click.command()
@click.option("--rows", default=10_000, type=click.IntRange(min=1), help="The newest so many.")
@for_machines
def shadow(rows: int, as_json: bool) -> None:
    """Compare production with acceptance on the same requests: answers, latency, and points where labels are known."""
    from player.promotion.replay import as_text
    from player.promotion.shadow_report import compare_with_shadow

    found = compare_with_shadow(rows)
    click.echo(json.dumps(asdict(found), indent=2) if as_json else as_text(found, ("production", "acceptance")))
