"""`customer host` and its levers: the command line of the tournament."""

import json
import logging
import sys
from pathlib import Path
from typing import Any

import click

from customer.contract import contract_for
from customer.host import door
from customer.host.checking import choose_population, file, in_one_line
from customer.host.plan import LAST_ROUND, choose, timetable
from customer.referee import DEADLINE_SECONDS

DATABASE = "sqlite:///output/tournament.db"
HOST_EXAMPLES = """\b
A tournament for a room, with the built-in timetable of two hours, each round begun by hand:
    customer host --address 0.0.0.0
    customer host next
Players from a list; rounds that follow each other; a game of ten minutes to try it all:
    customer host --players players.csv --automatic
    customer host --minutes 1.5 --rate 2
Stopped or crashed, it goes on where it was when it is started again with the same --database.

Exit codes: 0 done, 1 refused or not reached (one line says why), 2 wrong usage.
"""
WORKER_EXAMPLE = """\b
Example, the first on the host's machine, the second on as many others as you like (the password: PGPASSWORD):
    CUSTOMER_DATABASE_URL=postgresql+psycopg://game@10.0.0.5/game customer host --workers --address 0.0.0.0
    CUSTOMER_DATABASE_URL=postgresql+psycopg://game@10.0.0.5/game customer worker

Exit codes: 0 the tournament is over, 1 no tournament there (one line says why), 2 wrong usage.
"""
LEVERS = {
    "next": "Begin the timetable's next round.",
    "repeat": "Play the round before once more, with new cases.",
    "stop": "End the round with this block of cases.",
    "pause": "Ask nobody until resume.",
    "resume": "Go on after a pause.",
    "freeze": "Let the public board stand still.",
    "thaw": "Let the public board move again.",
    "end": "End the tournament; the pages stay.",
}


output_option = click.option("--output", default="output", type=click.Path(file_okay=False, path_type=Path))


@click.group("host", invoke_without_command=True, epilog=HOST_EXAMPLES)
@click.option("--address", default="127.0.0.1", help="Listen here; 0.0.0.0 for a room.")
@click.option("--port", default=8000, type=click.IntRange(1, 65535))
@click.option("--database", default=DATABASE, envvar="CUSTOMER_DATABASE_URL", help="SQLite, or "
              "PostgreSQL: then better in CUSTOMER_DATABASE_URL, it holds a password.")  # fmt: skip
@click.option("--players", type=file, help="A CSV with the columns name and url (and label_key).")
@click.option("--timetable", "plan_file", type=file, help="Your own rounds, in TOML; docs/host.md has an example.")
@click.option("--rounds", "names", help='Only these, with commas: --rounds "as trained,another nature".')
@click.option("--minutes", type=click.FloatRange(0.01, 600), help="For each round, instead of the timetable's.")
@click.option("--rate", type=click.FloatRange(0.01, 100), help="Cases a second for each player.")
@click.option("--block", type=click.IntRange(2, 1000), help="Cases before their labels come.")
@click.option("--last-round", is_flag=True, help="At the end everybody kills the own service, and is asked again what "
              "the round before has asked: is the first answer still there?")  # fmt: skip
@click.option("--automatic", is_flag=True, help="After the first, rounds begin by themselves, with the pauses.")
@click.option("--deadline", default=DEADLINE_SECONDS, type=click.FloatRange(0.05, 60))
@click.option("--seed", type=click.IntRange(0, 2**62), help="Which cases come. Secret; left out: a new one.")
@click.option("--data", type=file, help="Play with this CSV's rows.")
@click.option("--label", help="The column of --data to predict.")
@click.option("--drop", multiple=True, help="A column of --data that is not sent.")
@click.option(
    "--networks", default="", show_default=False, help="Only players in these networks: 10.0.0.0/8,192.168.1.0/24."
)
@click.option("--room-code", default="", show_default=False, help="Who registers must know this word.")
@click.option(
    "--public", default="", show_default=False, help="The address by which players reach the host, behind a proxy."
)
@click.option("--workers", is_flag=True, help="Ask nobody from here: `customer worker` processes do, on this and on "
              "other machines. They share a database in PostgreSQL.")  # fmt: skip
@output_option
@click.pass_context
@in_one_line
def host(context: click.Context, **options: Any) -> None:
    """Host a tournament for 5 to 500 players: pages to join, a board for the wall, every request with its reason."""
    context.obj = options
    if context.invoked_subcommand:
        return
    from customer.host import start

    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    start.run(make_rules(options), make_house(options), click.echo)


def make_rules(options: dict[str, Any]) -> Any:
    """Return what is played."""
    from customer.host.places import Rules

    population = choose_population(options["data"], options["label"], options["drop"])
    plans = timetable(options["plan_file"], population)
    chosen = choose(plans, options["names"], options["minutes"], options["rate"], options["block"])
    if options["last_round"] and chosen[-1].name != LAST_ROUND.name:
        chosen += choose([LAST_ROUND], None, options["minutes"], options["rate"], options["block"])
    return Rules(population, contract_for(population.labels), chosen, options["deadline"], options["automatic"])


def make_house(options: dict[str, Any]) -> Any:
    """Return where it lives."""
    from customer.host.house import House

    networks = tuple(each for each in options["networks"].split(",") if each.strip())
    same = ("database", "address", "port", "players", "seed", "public", "output", "workers")
    return House(networks=networks, room_code=options["room_code"].strip(), **{name: options[name] for name in same})


def make_lever(name: str, text: str) -> click.Command:
    """Return the command that pulls one lever of the running tournament."""

    @click.command(name, help=text)
    @click.pass_context
    @in_one_line
    def lever(context: click.Context) -> None:
        pull(context, {"do": name})

    return lever


for each, meaning in LEVERS.items():
    host.add_command(make_lever(each, meaning))


@host.command("void")
@click.argument("round_number", metavar="ROUND")
@click.argument("why")
@click.pass_context
@in_one_line
def void_command(context: click.Context, round_number: str, why: str) -> None:
    """Let a round not count, and say WHY: everybody will read it."""
    pull(context, {"do": "void", "round": round_number, "why": why})


@host.command("test")
@click.argument("player")
@click.pass_context
@in_one_line
def test_command(context: click.Context, player: str) -> None:
    """Test the plumbing of a PLAYER (name or number), free of points."""
    pull(context, {"do": "test", "player": player})


@host.command("remove")
@click.argument("player")
@click.pass_context
@in_one_line
def remove_command(context: click.Context, player: str) -> None:
    """Ask a PLAYER (name or number) nothing any more; its points stay."""
    pull(context, {"do": "remove", "player": player})


@host.command("status")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.pass_context
@in_one_line
def status_command(context: click.Context, as_json: bool) -> None:
    """Show how the running tournament stands, and who needs help."""
    found = door.find(context.obj["output"]).call("/host/status")
    if as_json:
        click.echo(json.dumps(found, indent=1))
        return
    click.echo(f"{found['headline']}: {found['subline']}")
    click.echo(f"now: {found['current'] or 'no round'}; next: {found['next'] or 'nothing'}")
    if found["no_worker"]:
        click.echo(found["no_worker"])
    if found["no_round"]:
        click.echo(f"the round could not begin: {found['no_round']}")
    for line in found["players"]:
        counts = f"{line['correct']} / {line['wrong']} / {line['failed']}"
        kept = f"  kept {line['kept']} of {line['again']}" if line["again"] else ""
        click.echo(f"{line['rank']:>4}  {line['name']:<40} {line['points']:>6}  {counts:<20} {line['state']}{kept}")
    for row in found["needing_help"]:
        click.echo(f"needs help: {row['name']} at {row['url']}: {row['why']}")


@host.command("check")
@click.pass_context
@in_one_line
def check_host(context: click.Context) -> None:
    """Look the day before whether this machine can host: network, port, database, disk, limits."""
    from customer.host import preflight

    options = context.obj
    looks = list(preflight.look(options["address"], options["port"], options["database"], options["output"]))
    for found in looks:
        click.echo(f"{'ok  ' if found.good else 'FIX '} {found.name:<12} {found.text}")
    if not all(found.good for found in looks):
        sys.exit(1)


@click.command("worker", epilog=WORKER_EXAMPLE)
@click.option("--database", required=True, envvar="CUSTOMER_DATABASE_URL", help="The tournament's, in "
              "PostgreSQL; better in CUSTOMER_DATABASE_URL, it holds a password.")  # fmt: skip
@in_one_line
def worker_command(database: str) -> None:
    """Ask players for a tournament that was begun elsewhere with `customer host --workers`.

    As many as you like, on any machine that reaches the database and the players. One that dies loses nothing: its
    players are asked on by another one after a few seconds.
    """
    from customer.host import worker

    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    worker.run(database, click.echo)


def pull(context: click.Context, words: dict[str, str]) -> None:
    """Pull a lever of the running tournament and say what it says."""
    click.echo(door.find(context.obj["output"]).call("/host/do", words)["said"])
