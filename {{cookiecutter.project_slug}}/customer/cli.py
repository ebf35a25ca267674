"""The customer's commands: `customer play`, `host`, `worker`, `check` and `data`."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from urllib.parse import urlsplit

import click
from rich.console import Console
from rich.markup import escape

from customer import board, rounds, show, starting, table, world
from customer.contract import Contract, contract_for
from customer.errors import CustomerError, NoPlayer, reason
from customer.game import describe, ignore, play
from customer.host.checking import check
from customer.host.commands import host, worker_command
from customer.referee import DEADLINE_SECONDS, Player
from customer.rounds import Population, Round
from customer.score import GameResult

URL = "http://127.0.0.1:5000"
TABLE, DESCRIPTION = Path("data/train_data.csv"), Path("config/data.toml")  # whose rows and columns: [customer].world
EXAMPLE = """\b
Examples: against a player that is running, and with its server started and stopped for you:
    customer play
    customer play --start "player serve --port {port}"
"""
PLAY_EXAMPLES = """\b
Examples:
    customer play --requests 200 --seed 7
    customer play --rounds "as trained,rush hour" --json
    customer play --url http://127.0.0.1:5010 --start "player serve --port {port}"
    customer play --start "player serve --port {port}" --rounds "as trained,last round"
    customer play --data cancer.csv --label malignant --drop id

Exit codes: 0 played, 1 no player reached, 2 wrong usage.
"""
START_HELP = (
    "Start the player's server with this command, and stop it afterwards. Where it says {port}, the port of --url is "
    "filled in, or a free one when that is taken."
)
DATA_EXAMPLE = """\b
Example (this made data/train_data.csv):
    customer data --rows 20000 --seed 2026
"""


class OneLine(click.ClickException):
    """Shows a CustomerError as one line and exits with 1."""

    def __init__(self, error: Exception) -> None:
        super().__init__(" ".join(str(error).split()))


@click.group(context_settings={"help_option_names": ["-h", "--help"], "show_default": True}, epilog=EXAMPLE)
def main() -> None:
    """Be the customer: ask a player's API for predictions and keep the score."""


@main.command("play", epilog=PLAY_EXAMPLES)
@click.option("--url", default=URL, envvar="CUSTOMER_URL", help="Where the player's API is (or CUSTOMER_URL).")
@click.option("--seed", default=2026, type=click.IntRange(min=0), help="Which cases come.")
@click.option("--requests", default=500, type=click.IntRange(1, 1_000_000), help="For each round.")
@click.option("--rounds", "names", help='Only these, with commas: --rounds "as trained,odd values". "last round", only '
              "with --start: the server is killed, started again, and asked the same once more.")  # fmt: skip
@click.option("--data", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Play with this CSV's rows.")
@click.option("--label", help="The column of --data to predict.")
@click.option("--drop", multiple=True, help="A column of --data that is not sent (may be given more than once).")
@click.option("--deadline", default=DEADLINE_SECONDS, type=click.FloatRange(0.01, 60), help="Seconds.")
@click.option("--parallel", default=rounds.PARALLEL, type=click.IntRange(1, 1000), help="At once.")
@click.option("--rate", default=0.0, type=click.FloatRange(0, 10_000), help="Cases a second (0: no pause).")
@click.option("--start", "command", help=START_HELP)
@click.option("--stay", is_flag=True, help="With --start: keep the server running until Ctrl-C.")
@click.option(
    "--api-key-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The key, in a file."
)
@click.option("--api-key", "--key", envvar="CUSTOMER_API_KEY", hidden=True)
@click.option("--output", default="output", type=click.Path(file_okay=False, path_type=Path))
@click.option("--svg", type=click.Path(dir_okay=False, path_type=Path), help="Save the final table as a picture.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON and nothing else.")
def play_command(
    *, url: str, seed: int, requests: int, names: str | None, data: Path | None, label: str | None,
    drop: tuple[str, ...], deadline: float, parallel: int, rate: float, command: str | None, stay: bool,
    api_key_file: Path | None, api_key: str | None, output: Path, svg: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Play a game against one player and show the score.

    A correct prediction earns 1 point, a wrong one 0, none at all costs 1. The same seed brings the same cases.
    The key for predictions and labels, where the player needs one, comes from CUSTOMER_API_KEY or --api-key-file.
    """
    if stay and not command:
        raise click.UsageError("--stay keeps a server running that --start has started: give both.")
    console = Console(quiet=as_json)
    try:
        population = choose_population(data, label, drop)
        contract = contract_for(population.labels)
        url = read_url(url, contract)
        chosen = choose_rounds(rounds.standard_game(population, requests, parallel, rate), names, bool(command))
        if population.rows is not None:
            console.print(table.remark(population.rows, requests, len(chosen)), highlight=False)
        kill = None
        with ExitStack() as stack:
            if command:
                command, url, kill = stack.enter_context(start(command, url, console, output / "player.log"))
            player = Player(url, read_key(api_key_file, api_key))
            watched = nullcontext(ignore) if as_json else show.progress(console, chosen)
            with watched as watch:
                result = asyncio.run(play(player, chosen, seed, contract, deadline=deadline, watch=watch, kill=kill))
            report(result, command, console, output, svg, as_json)
            if command and stay:
                wait_for_ctrl_c(console)
    except NoPlayer as error:
        if error.result is not None:
            report(error.result, command, console, output, svg, as_json)
        raise OneLine(error) from None
    except CustomerError as error:
        raise OneLine(error) from None


@main.command("data", epilog=DATA_EXAMPLE)
@click.option("--rows", default=20_000, type=click.IntRange(1, 10_000_000))
@click.option("--seed", default=2026, type=click.IntRange(min=0))
@click.option("--output", default=str(TABLE), type=click.Path(dir_okay=False, path_type=Path))
def data_command(rows: int, seed: int, output: Path) -> None:
    """Write the training data: cases from the time before the game, of the world that config/base.toml names.

    What the columns of data/train_data.csv mean goes into config/data.toml; any other file stands alone.
    """
    try:
        played = world.chosen()
        save(output, played.training_table(rows, seed).to_csv(index=False, lineterminator="\n"))
        click.echo(f"{rows} rows in {output}")
        if output == TABLE:
            save(DESCRIPTION, played.describe())
            click.echo(f"What its columns mean is in {DESCRIPTION}")
    except CustomerError as error:
        raise OneLine(error) from None


def read_url(url: str, contract: Contract) -> str:
    """Return the address of a player without a path of the contract; raises UsageError when it is no address."""
    usable = False
    with suppress(ValueError):  # so urllib says that a port is no number
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    if not usable:
        raise click.UsageError(f"--url {url!r} is not an address; it looks like {URL}.")
    return url.rstrip("/").removesuffix(contract.predict).rstrip("/")


@contextmanager
def start(command: str, url: str, console: Console, log: Path) -> Iterator[tuple[str, str, Callable[[], None]]]:
    """Run the player's server until the block ends.

    Give the command that was run, the address where it listens, and what kills it and starts it again.
    """
    with starting.on_a_free_port(command, url) as (filled_in, address):
        if address != url:
            console.print(f"{url} is taken; the player gets {address} instead.", highlight=False)
        console.print(f"Starting [bold]{escape(filled_in)}[/bold]; what it prints goes to {log}")
        with starting.running(filled_in, address, log) as kill:
            yield filled_in, address, kill


def read_key(path: Path | None, key: str | None) -> str:
    """Return the key for sending labels from the file at *path*, else the one given, else nothing."""
    return path.read_text(encoding="utf-8").strip() if path else (key or "")


def choose_population(data: Path | None, label: str | None, drop: tuple[str, ...]) -> Population:
    """Return where the cases come from; raises UsageError when only half of a table is named."""
    if (data is None) != (label is None):
        raise click.UsageError("--data and --label go together: a table, and the column of it to predict.")
    return rounds.from_csv(data, label, drop) if data and label else rounds.the_world()


def choose_rounds(game: list[Round], names: str | None, started: bool = False) -> list[Round]:
    """Return the rounds of *game* with these *names*; raises UsageError for a name that is none of them."""
    if names is None:
        return game
    wanted = {name.strip() for name in names.split(",")}
    known = [*(part.name for part in game), rounds.LAST_ROUND]
    if unknown := wanted - set(known):
        raise click.UsageError(f"--rounds: there is no {', '.join(sorted(unknown))!r}; there are {', '.join(known)}.")
    chosen = [part for part in game if part.name in wanted]
    if rounds.LAST_ROUND not in wanted:
        return chosen
    if not chosen or not started:
        raise click.UsageError(
            f"--rounds: the {rounds.LAST_ROUND!r} kills the player's server, starts it again, and asks once more what "
            "the round before it has asked: name another round as well, and give --start."
        )
    return [*chosen, rounds.last_round(chosen[-1])]


def report(
    result: GameResult, command: str | None, console: Console, output: Path, svg: Path | None, as_json: bool
) -> None:
    """Save the game and its board, and show the figures; *command* is what has run the player, if we started it."""
    save(output / "game.json", json.dumps(describe(result), indent=1))
    save(output / "board.html", board.render(result))
    if svg:
        save(svg, show.draw(result))
    if as_json:
        click.echo(json.dumps(result.to_dict()))
        return
    console.print(show.score_table(result))
    console.print(f"Dashboard: {result.url}/dashboard, while this runs:", highlight=False)
    console.print(f"           {escape(command or 'player serve')}", highlight=False)
    console.print(f"Board:     {output / 'board.html'}", highlight=False)


def save(path: Path, text: str) -> None:
    """Write a text file, with its folder."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise CustomerError(f"{path} cannot be written: {reason(error)}.") from None


def wait_for_ctrl_c(console: Console) -> None:
    """Keep everything running until somebody stops it."""
    console.print("The player is still running: look at its dashboard. Ctrl-C stops it.")
    with suppress(KeyboardInterrupt):
        while True:
            time.sleep(0.5)


for command in (host, worker_command, check):
    main.add_command(command)

if __name__ == "__main__":
    main()
