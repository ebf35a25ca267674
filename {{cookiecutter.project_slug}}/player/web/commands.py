"""`player report`: the pages from the command line."""

from pathlib import Path

import click

from player.logging_config import begin, tell_who_waits


@click.command()
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path),
              help="Instead of output/report-ENVIRONMENT.html.")  # fmt: skip
@click.pass_context
def report(context: click.Context, output: Path | None) -> None:
    """Write the monitoring page as one HTML file: to keep, to send, to print.

    The same figures as /dashboard, from the database of the environment; no service has to run. The file needs no
    network and holds no single request.

    \b
    player report                                    how development is doing now
    player -e production report -o monday.html       what to talk about on Monday
    """  # noqa: D301 - click reads the backspace: it keeps the lines below as they are
    from player.web.dashboard.offline import write_report

    settings = begin(context.obj)
    path = output or settings.path("output/report-{environment}.html")
    tell_who_waits(f"Looking at the {settings.environment} database ...")
    page = write_report(settings, path)
    click.echo(f"{path}: {page.found.diagnosis.title}")
