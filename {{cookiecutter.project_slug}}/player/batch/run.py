"""One run of `player batch`: it scores a file or a folder, shows how far it is, and is recorded in the database."""

from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskProgressColumn, TimeElapsedColumn
from rich.text import Text

from player.batch import spark
from player.batch.score import Engine, Result, in_turn, score
from player.config import Settings
from player.errors import ModelMissing
from player.model.predictor import Predictor
from player.storage import records
from player.storage.migrations import check, upgrade
from player.storage.tables import create_engine_for


class Rows(ProgressColumn):
    """Shows the rows done and the rows per second."""

    def render(self, task: Task) -> Text:
        """Return the text of the column."""
        speed = task.finished_speed or task.speed  # none before the second step
        return Text(f"{task.completed:,.0f} rows" + (f", {speed:,.0f} rows/s" if speed else ""))


def run(source: Path, target: Path, settings: Settings, again: bool = False, engine: str = "plain") -> Result:
    """Score *source* into *target* and keep the run in the database; *engine* is plain or spark. Raises PlayerError."""
    check(settings) if settings.strict else upgrade(settings)
    predictor = Predictor(settings)
    predictor.reload()
    if predictor.schema is None:  # the API must answer all the same; a file of guesses helps nobody
        raise ModelMissing(f"No model can score {source}: {predictor.status()['reason']}")
    chosen = spark.start() if engine == "spark" else in_turn
    database = create_engine_for(settings)
    name = records.start_run(database, str(source), str(target))
    try:
        result = shown(source, target, predictor, again, chosen)
    except BaseException:  # also Ctrl-C: the run ended
        records.finish_run(database, name, "failed")
        raise
    else:
        models = ", ".join(sorted(result.models))
        records.finish_run(database, name, "done", result.rows, result.warnings, models)
    finally:
        database.dispose()
    return result


def shown(source: Path, target: Path, predictor: Predictor, again: bool, engine: Engine) -> Result:
    """Score while a bar shows how far it is, rows and rows per second."""
    columns = (BarColumn(), TaskProgressColumn(), Rows(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=None)

        def progress(done: int, expected: int) -> None:
            bar.update(task, completed=done, total=expected or None)

        return score(source, target, predictor, again, progress, engine)
