"""`player monitor`, `why`, `skew`: how the model does, why it said something, whether two ways to it agree."""

import json
from pathlib import Path

import click
from rich.console import Console

from player.errors import StorageError
from player.logging_config import begin

LOOKED_BACK = 6  # windows, to find since when something is so
ALARM_CODE = 3


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.option("--check", is_flag=True, help="For schedules: exit code 3 when the diagnosis is an alarm.")
@click.pass_context
def monitor(context: click.Context, as_json: bool, check: bool) -> None:
    """Say how the model is doing now, and why: accuracy, drift, diagnosis, since when; and what happened before.

    What is due of the history is written: each stretch of requests once, so that it says the same ever after.
    """
    from player.model import store
    from player.monitoring.history.reading import catch_up, to_text
    from player.monitoring.on_change import notice
    from player.monitoring.reports import report
    from player.storage import queries

    settings = begin(context.obj)
    rows = queries.read_recent(settings, LOOKED_BACK * settings.monitoring.window_rows)
    manifest = store.current_manifest(settings)
    result = report(rows, manifest.profile, settings.monitoring, manifest.metrics)
    queries.read(settings, notice, settings, result)
    past, trouble = catch_up(settings)
    if as_json:
        click.echo(json.dumps({**result.to_dict(), "history": past.to_dict(), "trouble": trouble}, indent=2))
    else:
        click.echo("\n".join([result.to_text(), "", trouble or "What happened, newest first:", *to_text(past)]))
    if check and result.diagnosis.state == "alarm":
        context.exit(ALARM_CODE)


@click.command()
@click.argument("request_id")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.pass_context
def why(context: click.Context, request_id: str, as_json: bool) -> None:
    """Say why the request REQUEST_ID got its answer.

    What came, what was repaired, what the model was asked, what each value did to the probability, and the label. The
    page has the same behind each of its newest requests. Exit code 1 when there is no such request.
    """
    from player.monitoring.why.explain import explain, load_model
    from player.monitoring.why.text import UNKNOWN, to_text
    from player.storage import queries

    settings = begin(context.obj)
    row, labels = queries.read(settings, queries.find, request_id)
    if not row:
        raise StorageError(f"The {settings.environment} database {UNKNOWN}")
    found = explain(row, labels, settings.logging.show_values, lambda version: load_model(version, settings))
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=2))
    else:
        Console(width=None if Console().is_terminal else 160).print(to_text(found), markup=False, highlight=False)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--id", "name", help="The column that holds the request ids; default: [data].id.")
@click.option("--limit", default=100_000, type=click.IntRange(min=1), help="The newest requests.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.pass_context
def skew(context: click.Context, file: Path, name: str | None, limit: int, as_json: bool) -> None:
    """Compare the rows of FILE, training data or a scored batch, with requests of the same id.

    Shows each feature that was read differently, and each answer that differs; distributions would hide it.
    """
    from player.model.predictor import Predictor
    from player.monitoring.skew import find_skew
    from player.reading.files import read_table
    from player.storage import queries

    settings = begin(context.obj)
    predictor = Predictor(settings)
    predictor.reload()
    table = read_table(file)
    found = find_skew(table, name or settings.data.id, queries.read_recent(settings, limit), predictor)
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=2))
    else:
        Console(width=None if Console().is_terminal else 160).print(found.to_text(), markup=False, highlight=False)
