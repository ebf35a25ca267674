"""The report of a retraining as one page: what was decided, on which rows, and how every recipe did."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import jinja2

from player.config import Settings
from player.lifecycle.outcome import Outcome

MOST_KEPT = 100  # pages of retrainings that changed nothing; a schedule writes up to 144 of them a day


def write_page(outcome: Outcome, settings: Settings) -> Outcome:
    """Write the page of *outcome* into `output/` and return the outcome with its path.

    The pages of models stay; of those without a new model the newest do.
    """
    now = datetime.now(UTC)
    folder = settings.home / "output"
    folder.mkdir(exist_ok=True)
    name = outcome.version or f"kept-{now:%Y%m%d-%H%M%S}"
    path = folder / f"retrain-{name}.html"
    path.write_text(render(outcome, settings, now), encoding="utf-8")
    sweep(folder)
    return replace(outcome, page=str(path))


def sweep(folder: Path) -> None:
    """Delete the oldest pages of retrainings that changed nothing; their names say when they were."""
    for page in sorted(folder.glob("retrain-kept-*.html"))[:-MOST_KEPT]:
        page.unlink(missing_ok=True)


def render(outcome: Outcome, settings: Settings, now: datetime) -> str:
    """Return the page as self-contained HTML, every value escaped."""
    pages = jinja2.Environment(loader=jinja2.PackageLoader("player.lifecycle"), autoescape=True)
    return pages.get_template("retrain.html").render(outcome=outcome, settings=settings, now=now)
