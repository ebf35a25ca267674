"""`customer check`: one test of a player's plumbing, by the code that plays."""

import asyncio
import json
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from customer import rounds
from customer.contract import contract_for
from customer.errors import CustomerError
from customer.referee import DEADLINE_SECONDS
from customer.rounds import Population

CHECK_EXAMPLES = """\b
Example:
    customer check http://10.0.0.17:5000

Exit codes: 0 it works, 1 it does not, and why.
"""


def in_one_line(command: Callable[..., Any]) -> Callable[..., Any]:
    """Show a CustomerError as one line and exit with 1."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except CustomerError as error:
            raise click.ClickException(" ".join(str(error).split())) from None

    return wrapped


file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("check", epilog=CHECK_EXAMPLES)
@click.argument("address")
@click.option("--deadline", default=DEADLINE_SECONDS, type=click.FloatRange(0.05, 60))
@click.option("--data", type=file, help="Ask about a row of this CSV.")
@click.option("--label", help="The column of --data to predict.")
@click.option("--drop", multiple=True, help="A column of --data that is not sent.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@in_one_line
def check(
    address: str, deadline: float, data: Path | None, label: str | None, drop: tuple[str, ...], as_json: bool
) -> None:
    """Test the plumbing of the player at ADDRESS as the tournament does, and say in plain words what is wrong."""
    population = choose_population(data, label, drop)
    finding = asyncio.run(look_once(address, deadline, population))
    if as_json:
        click.echo(json.dumps(finding.to_dict(), indent=1))
    else:
        click.echo(finding.advice)
        if finding.verdict.answer:
            click.echo(f"The answer begins: {printable(finding.verdict.answer)}")
    if not finding.works:
        sys.exit(1)


async def look_once(address: str, deadline: float, population: Population) -> Any:
    """Ask a player once about the case of the warm-up."""
    from customer.host.addresses import Guard
    from customer.host.draw import warm_up
    from customer.host.plumbing import probe
    from customer.referee import Player, Referee, open_session

    contract = contract_for(population.labels)
    url, _ = await Guard().check(address)
    async with open_session() as session:
        referee = Referee(session, Player(url), contract, population.labels, deadline, peek=True)
        return await probe(referee, warm_up(population, 0))


def printable(text: str) -> str:
    """Return a stranger's text as a terminal can show it."""
    return "".join(each if each.isprintable() else " " for each in text)


def choose_population(data: Path | None, label: str | None, drop: tuple[str, ...]) -> Population:
    """Return where the cases come from."""
    if (data is None) != (label is None):
        raise click.UsageError("--data and --label go together: a table, and the column of it to predict.")
    return rounds.from_csv(data, label, drop) if data and label else rounds.the_world()
