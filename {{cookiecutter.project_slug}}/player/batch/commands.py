"""`player batch`: files scored from the command line."""

from pathlib import Path

import click

from player.logging_config import begin


@click.command()
@click.argument("source", metavar="INPUT", type=click.Path(path_type=Path))
@click.argument("target", metavar="OUTPUT", type=click.Path(path_type=Path))
@click.option("--again", is_flag=True, help="Also what is done already.")
@click.option(
    "--engine",
    type=click.Choice(["plain", "spark"]),
    default="plain",
    show_default=True,
    help="This process, or Apache Spark: on this machine or a cluster.",
)
@click.pass_context
def batch(context: click.Context, source: Path, target: Path, again: bool, engine: str) -> None:
    """Score the file or folder INPUT into OUTPUT (CSV or Parquet), as the API would answer each row.

    A file that is done is not done again, so a run that was stopped goes on where it was.
    """
    from player.batch.run import run

    result = run(source, target, begin(context.obj), again, engine)
    before = f", {result.skipped} done before" if result.skipped else ""
    click.echo(
        f"{result.rows:,} rows in {result.files} files scored into {target}{before}; "
        f"{result.warnings:,} rows with warnings, model {', '.join(sorted(result.models)) or 'none'}."
    )
