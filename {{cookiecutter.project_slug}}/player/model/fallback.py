"""The order in which models are asked: the current one, the one before, and then the most frequent label."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from player.errors import ModelFailed
from player.model.answering import Answer, Link
from player.model.prior import Prior

NO_MODEL = "none"
EVERY_MODEL = "all models"


@dataclass(frozen=True)
class Chain:
    """Everything one answer needs; replaced as a whole, so that no answer mixes two models."""

    links: tuple[Link, ...] = ()
    prior: Prior | None = None
    serial: int = 0
    degraded: bool = False  # the first link is not the model that should answer

    def ask(self, raws: Sequence[Mapping[str, Any]], step_down: Callable[[str, Exception, int], None]) -> list[Answer]:
        """Return an answer for each of at least one *raws*; never raises.

        *step_down* is told which model was stepped over, why, and for how many answers.
        """
        for place, link in enumerate(self.links):
            try:
                return link.answer(raws, degraded=self.degraded or place > 0)
            except Exception as error:
                if len(raws) > 1 and not link.resting:  # one bad row must not take the others with it
                    half = len(raws) // 2
                    return self.ask(raws[:half], step_down) + self.ask(raws[half:], step_down)
                step_down(link.version, error, len(raws))
        step_down(EVERY_MODEL, ModelFailed("the most frequent label answers"), len(raws))
        prior = self.prior or Prior()
        return [Answer(prior.pred, prior.proba, NO_MODEL, True, []) for _ in raws]
