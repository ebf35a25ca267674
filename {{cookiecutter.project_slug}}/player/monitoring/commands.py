"""`player monitor`: the report of the dashboard in the terminal."""

import json

import click

from player.logging_config import begin


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.pass_context
def monitor(context: click.Context, as_json: bool) -> None:
    """Say how the model is doing now, and why: accuracy, drift, diagnosis."""
    from player.model import store
    from player.monitoring import report
    from player.storage import queries
    from player.storage.tables import create_engine_for

    settings = begin(context.obj)
    rows = queries.recent(create_engine_for(settings), settings.monitoring.window_rows)
    manifest = store.current_manifest(settings)
    result = report(rows, manifest.profile, settings.monitoring, manifest.metrics)
    click.echo(json.dumps(result.to_dict(), indent=2) if as_json else result.to_text())
