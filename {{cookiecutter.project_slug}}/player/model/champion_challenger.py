"""Which of two models is better on the same rows, and how sure that is."""

import math
from dataclasses import dataclass

import numpy as np

Z_90 = 1.6449  # 90 % two-sided: a challenger that is no better wins at most one time in twenty


@dataclass(frozen=True)
class Comparison:
    """Points of champion and challenger on the same rows, and the interval of the difference as shares of the rows."""

    rows: int
    champion: int
    challenger: int
    low: float
    high: float

    @property
    def difference(self) -> float:
        """How much higher the challenger's accuracy is."""
        return (self.challenger - self.champion) / self.rows if self.rows else 0.0

    @property
    def better(self) -> bool:
        """Whether the challenger is better beyond doubt: the whole interval lies above zero."""
        return self.low > 0

    @property
    def sentence(self) -> str:
        """The comparison as one sentence."""
        return (
            f"on the newest {self.rows} labelled rows the challenger earns {self.challenger} points, the champion "
            f"{self.champion}: {100 * self.difference:+.1f} points in 100 (90 % interval {100 * self.low:+.1f} to "
            f"{100 * self.high:+.1f})"
        )


def compare(champion_right: np.ndarray, challenger_right: np.ndarray) -> Comparison:
    """Return the comparison of two models on the same rows: *champion_right*, *challenger_right* bool (rows,).

    Only the rows where one is right and the other wrong say anything. Adjusted Wald interval of Bonett and Price
    (2012), "Adjusted Wald confidence interval for a difference of binomial proportions based on paired data".

    >>> found = compare(np.array([True] * 60 + [False] * 40), np.array([True] * 58 + [False] * 2 + [True] * 40))
    >>> print(found.champion, found.challenger, f"{found.low:.2f} {found.high:.2f}", found.better)
    60 98 0.28 0.46 True
    """
    rows = len(champion_right)
    won = (int((challenger_right & ~champion_right).sum()) + 1) / (rows + 2)
    lost = (int((champion_right & ~challenger_right).sum()) + 1) / (rows + 2)
    margin = Z_90 * math.sqrt((won + lost - (won - lost) ** 2) / (rows + 2))
    return Comparison(
        rows, int(champion_right.sum()), int(challenger_right.sum()), won - lost - margin, won - lost + margin
    )
