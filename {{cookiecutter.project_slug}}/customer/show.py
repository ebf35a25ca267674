"""How a game looks in a terminal: progress while it runs, a table when it is over."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO

from rich.box import SIMPLE
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from customer.game import WARM_UP, Watcher
from customer.rounds import LAST_ROUND, Round
from customer.score import GameResult, Result, RoundScore

COLUMNS = ("round", "points", "correct", "wrong", "failed", "best\npossible", "% of\nbest", "p50\nms", "p95\nms")


@contextmanager
def progress(console: Console, rounds: list[Round]) -> Iterator[Watcher]:
    """Show a bar for each round while the block runs; the watcher it gives moves them."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.fields[points]:+d} points"), console=console, transient=True) as bars:
        tasks = {part.name: bars.add_task(part.name, total=part.requests, start=False, points=0) for part in rounds}
        points = dict.fromkeys(tasks, 0)

        def watch(result: Result) -> None:
            if result.round == WARM_UP:
                return
            task = tasks[result.round]
            if points[result.round] == 0:
                bars.start_task(task)
            points[result.round] += result.verdict.points
            bars.update(task, advance=1, points=points[result.round])

        yield watch


def score_table(result: GameResult) -> Table:
    """Return the final table, narrow enough for 80 characters: a row for each round, the total below."""
    table = Table(box=SIMPLE, padding=0, show_footer=True)
    table.title, table.caption, table.caption_justify = f"{result.total.points} points", caption(result), "left"
    for name, footer in zip(COLUMNS, cells(result.total), strict=True):
        table.add_column(name, footer=footer, justify="left" if name == "round" else "right", no_wrap=True)
    for part in result.rounds:
        table.add_row(*cells(part), style="red" if part.failed else None)
    return table


def draw(result: GameResult) -> str:
    """Return the final table as an SVG picture of a terminal, and nothing else that was printed."""
    console = Console(record=True, file=StringIO(), width=80, highlight=False)
    console.print(score_table(result))
    return console.export_svg(title="customer play")


def cells(part: RoundScore) -> list[str]:
    """Return one row of the table as text."""
    counts = [str(count) for count in (part.points, part.correct, part.wrong, part.failed, part.best)]
    share = "-" if part.share is None else f"{100 * part.share:.1f}"
    times = ["-" if value is None else f"{value:.0f}" for value in (part.p50_ms, part.p95_ms)]
    return [part.name, *counts, share, *times]


def caption(result: GameResult) -> str:
    """Return what must be known about a game to read its table."""
    asked = result.total.asked
    lines = [f"{asked} requests in {result.seconds:.1f} s, seed {result.seed}; {result.labels_sent} labels sent"]
    for part in result.rounds:
        if part.failed:
            reasons = ", ".join(f"{count} {reason}" for reason, count in part.reasons.items())
            lines.append(f"failed in {part.name}: {reasons}")
    for part in result.rounds:
        if part.name == LAST_ROUND:
            lines.append(f"killed and started again: {part.correct} of {part.asked} answers were kept")
    if result.labels_lost:
        lines.append(f"{result.labels_lost} labels did not arrive: {result.labels_trouble}")
    if not result.truth_known:
        lines.append("the truth behind this table is not known: best possible means every row right")
    return "\n".join(lines)
