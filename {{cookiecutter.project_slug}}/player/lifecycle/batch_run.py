"""One run of `player batch`: it scores a file or a folder, shows how far it is, and is recorded in the database."""

from pathlib import Path

from rich.console import Console
from rich.progress import Progress, ProgressColumn, SpinnerColumn, Task, TimeElapsedColumn
from rich.text import Text

from player.config import Settings
from player.errors import ModelMissing
from player.lifecycle.batch import Result, score
from player.model.predictor import Predictor
from player.storage import runs
from player.storage.migrations import check, upgrade
from player.storage.tables import create_engine_for


class Rows(ProgressColumn):
    """Shows the rows done and the rows per second."""

    def render(self, task: Task) -> Text:
        """Return the text of the column."""
        return Text(f"{task.completed:,.0f} rows, {task.speed or 0:,.0f} rows/s")


def run(source: Path, target: Path, settings: Settings, again: bool = False) -> Result:
    """Score *source* into *target* and keep the run in the database; raises PlayerError."""
    check(settings) if settings.strict else upgrade(settings)
    predictor = Predictor(settings)
    predictor.reload()
    if predictor.schema is None:  # the API must answer all the same; a file of guesses helps nobody
        raise ModelMissing(f"No model can score {source}: {predictor.status()['reason']}")
    engine = create_engine_for(settings)
    name = runs.start_run(engine, str(source), str(target))
    try:
        result = shown(source, target, predictor, again)
    except BaseException:  # also Ctrl-C: the run ended
        runs.finish_run(engine, name, "failed")
        raise
    else:
        models = ", ".join(sorted(result.models))
        runs.finish_run(engine, name, "done", result.rows, result.warnings, models)
    finally:
        engine.dispose()
    return result


def shown(source: Path, target: Path, predictor: Predictor, again: bool) -> Result:
    """Score while a bar shows rows and rows per second."""
    columns = (SpinnerColumn(), Rows(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=None)
        return score(source, target, predictor, again, lambda rows: bar.update(task, completed=rows))
