"""What a retraining came to: the decision, the reasons, and the numbers behind them."""

from dataclasses import asdict, dataclass, field
from typing import Any

from player.lifecycle.contest import Contest

NEW_MODEL, KEPT, NOT_NEEDED, BUSY = "new model", "kept", "not needed", "busy"


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
