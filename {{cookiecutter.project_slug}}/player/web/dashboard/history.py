"""What happened when: chapters counted from the first row, which do not change once they are closed."""

from collections.abc import Callable

import pandas as pd

from player.monitoring.figures import current_model, tidy
from player.monitoring.reports import Report, chapter_bounds

MOST = 200  # chapters kept
Judge = Callable[[pd.DataFrame, str], Report]  # rows of a chapter and the version that answered them -> its report


class History:
    """The closed chapters, oldest first; a chapter is judged once its labels are there, by its own model's profile."""

    def __init__(self) -> None:
        """Start without chapters."""
        self.chapters: dict[int, tuple[int, Report]] = {}  # number of the first row -> labels then, report

    def update(self, rows: pd.DataFrame, total: int, window: int, judge: Judge) -> list[Report]:
        """Return all chapters after those of *rows* were added, the newest rows of *total* ones.

        A chapter is judged again only when more of its rows have a label than before.
        """
        rows = tidy(rows)
        before = max(total - len(rows), 0)
        for begin, end in chapter_bounds(before, len(rows), window):
            part = rows.iloc[begin:end]
            labelled = int(part["label"].notna().sum())
            known = self.chapters.get(before + begin)
            if known is None or known[0] < labelled:
                self.chapters[before + begin] = labelled, judge(part, current_model(part))
        kept = sorted(first for first in self.chapters if first + window <= total)[-MOST:]
        self.chapters = {first: self.chapters[first] for first in kept}
        return [report for _, report in self.chapters.values()]
