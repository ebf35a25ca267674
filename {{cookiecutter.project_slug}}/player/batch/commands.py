"""`player batch`: files scored from the command line."""

import json
import sys
from pathlib import Path

import click
from rich.console import Console

from player.logging_config import begin


@click.command()
@click.argument("source", metavar="INPUT", type=click.Path(path_type=Path))
@click.argument("target", metavar="OUTPUT", type=click.Path(path_type=Path))
@click.option("--again", is_flag=True, help="Also what is done already.")
@click.option(
    "--engine",
    type=click.Choice(["plain", "spark"]),
    default="plain",
    help="This process, or Apache Spark: on this machine or a cluster.",
)
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.pass_context
def batch(context: click.Context, source: Path, target: Path, again: bool, engine: str, as_json: bool) -> None:
    """Score the file or folder INPUT into OUTPUT (CSV or Parquet), as the API would answer each row.

    A file that is done is not done again, so a run that was stopped goes on where it was.
    """
    from player.learning.processors import use_one_thread

    use_one_thread()
    from player.batch.run import run

    result = run(source, target, begin(context.obj), again, engine)
    if as_json:
        found = {**vars(result), "models": sorted(result.models),
                 "deviations": [one.to_dict() for one in result.deviations.sorted()]}  # fmt: skip
        click.echo(json.dumps(found, indent=2))
        return
    before = f", {result.skipped} done before" if result.skipped else ""
    click.echo(
        f"{result.rows:,} rows in {result.files} files scored into {target}{before}; "
        f"{result.warnings:,} rows with warnings, model {', '.join(sorted(result.models)) or 'none'}."
    )
    if result.deviations.found:
        Console(width=None if sys.stdout.isatty() else 160).print(result.deviations.to_table())
