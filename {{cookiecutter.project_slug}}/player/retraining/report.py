"""What a retraining came to: the decision, the reasons, the numbers behind them, and the page that shows them."""

from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2

from player.config import Settings
from player.retraining.choosing import Contest

NEW_MODEL, KEPT, NOT_NEEDED, BUSY = "new model", "kept", "not needed", "busy"
MOST_KEPT = 100  # pages of retrainings that changed nothing; a schedule writes up to 144 of them a day


@dataclass(frozen=True)
class Outcome:
    """What a retraining decided, and everything it knew; `sentence` is the one line to read."""

    decision: str
    sentence: str
    champion: str = ""
    version: str = ""
    reason: str = ""
    contests: list[Contest] = field(default_factory=list)
    history: int = 0
    collected: int = 0
    fresh: int = 0
    warnings: list[str] = field(default_factory=list)
    page: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as plain JSON values."""
        contests = [
            {
                "recipe": each.recipe.name,
                **asdict(each.comparison),
                "better": each.comparison.better,
                "scores": dict(each.scores),
            }
            for each in self.contests
        ]
        return {**{name: value for name, value in vars(self).items() if name != "contests"}, "contests": contests}


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
    pages = jinja2.Environment(loader=jinja2.PackageLoader("player.retraining"), autoescape=True)
    return pages.get_template("retrain.html").render(outcome=outcome, settings=settings, now=now)
