"""The result of a game: one line for each request, and the figures for each round."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from customer.referee import ANOTHER_ANSWER, CORRECT, KEPT, POINTS, WRONG, Verdict


@dataclass(frozen=True)
class Result:
    """What became of one request."""

    round: str
    request_id: str
    verdict: Verdict


@dataclass(frozen=True)
class RoundScore:
    """The figures of one round. `best` is what a player who knows the truth would have earned.

    In the last round `correct` are the answers that were kept, `wrong` those that were not.
    `late_points` and `late_best` leave the first quarter out: after it a player could have learned what has changed.
    """

    name: str
    asked: int
    points: int
    correct: int
    wrong: int
    failed: int
    reasons: dict[str, int]
    best: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    late_points: int
    late_best: int

    @property
    def share(self) -> float | None:
        """Points as a share of the best possible, or None when nothing could be earned."""
        return round(self.points / self.best, 4) if self.best else None

    @property
    def late_share(self) -> float | None:
        """The share of the best possible points after the first quarter."""
        return round(self.late_points / self.late_best, 4) if self.late_best else None

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain JSON values."""
        return asdict(self) | {"share": self.share, "late_share": self.late_share}


@dataclass(frozen=True)
class GameResult:
    """One player's game: figures per round, every request, and what happened to the labels."""

    url: str
    seed: int
    started_at: str
    seconds: float
    truth_known: bool
    rounds: list[RoundScore]
    results: list[Result]
    warm_up_asked: int
    labels_sent: int
    labels_lost: int
    labels_trouble: str

    @property
    def total(self) -> RoundScore:
        """The figures of the whole game, as one round."""
        sums = {name: sum(getattr(part, name) for part in self.rounds) for name in ("best", "late_points", "late_best")}
        return replace(score("total", self.results, []), **sums)

    @property
    def lost(self) -> list[Result]:
        """The requests that cost a point."""
        return [result for result in self.results if result.verdict.points < 0]

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain JSON values, without the single requests."""
        plain = {name: value for name, value in vars(self).items() if name not in ("results", "rounds")}
        return plain | {"rounds": [part.to_dict() for part in self.rounds], "total": self.total.to_dict()}


def score(name: str, results: list[Result], best: Sequence[bool]) -> RoundScore:
    """Return the figures of *results*, *best* being where a player who knows the truth would have been right.

    Latencies are those of the requests that were answered.
    """
    quarter = len(best) // 4
    reasons = Counter(result.verdict.reason for result in results)
    took = [result.verdict.milliseconds for result in results if result.verdict.answered]
    p50, p95, p99 = np.percentile(took, [50, 95, 99]).round(1).tolist() if took else (None, None, None)
    return RoundScore(
        name=name,
        asked=len(results),
        points=sum(result.verdict.points for result in results),
        correct=reasons[CORRECT] + reasons[KEPT],
        wrong=reasons[WRONG] + reasons[ANOTHER_ANSWER],
        failed=sum(count for reason, count in reasons.items() if reason not in POINTS),
        reasons={reason: count for reason, count in reasons.most_common() if reason not in POINTS},
        best=sum(best),
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        late_points=sum(result.verdict.points for result in results[quarter:]),
        late_best=sum(best[quarter:]),
    )
