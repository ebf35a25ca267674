"""The report of a retraining as one page: what was decided, on which rows, and how every recipe did."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import jinja2

from player.config import Settings

if TYPE_CHECKING:
    from player.lifecycle.retraining import Outcome


def write_page(outcome: "Outcome", settings: Settings) -> "Outcome":
    """Write the page of *outcome* into `output/` and return the outcome with its path; old pages stay."""
    now = datetime.now(UTC)
    folder = settings.home / "output"
    folder.mkdir(exist_ok=True)
    name = outcome.version or f"kept-{now:%Y%m%d-%H%M%S}"
    path = folder / f"retrain-{name}.html"
    path.write_text(render(outcome, settings, now), encoding="utf-8")
    return replace(outcome, page=str(path))


def render(outcome: "Outcome", settings: Settings, now: datetime) -> str:
    """Return the page as self-contained HTML, every value escaped."""
    pages = jinja2.Environment(loader=jinja2.PackageLoader("player.lifecycle"), autoescape=True)
    return pages.get_template("retrain.html").render(outcome=outcome, settings=settings, now=now)
