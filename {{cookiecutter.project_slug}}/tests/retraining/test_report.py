"""What a retraining came to, for people and for machines."""

from pathlib import Path

import pytest

from player.config import Settings
from player.model.champion_challenger import Comparison
from player.retraining import report
from player.retraining.choosing import Contest
from player.retraining.recipes import Recipe, boosted_trees
from player.retraining.report import KEPT, NEW_MODEL, Outcome, write_page

RECIPE = Recipe("boosted trees", boosted_trees)
CONTEST = Contest(RECIPE, Comparison(100, 60, 80, 0.1, 0.3), {"accuracy": 0.8}, [(RECIPE.name, 0.21)], 50)
OUTCOME = Outcome(NEW_MODEL, "Better <b>.", champion="old", version="new", contests=[CONTEST], collected=1234)


def test_machines_get_everything() -> None:
    """Each contest with its recipe, its numbers and the scores of all recipes."""
    found = OUTCOME.to_dict()
    contest = found["contests"][0]

    assert ("new model", "Better <b>.", "old", "new", 1234) == tuple(
        found[name] for name in ("decision", "sentence", "champion", "version", "collected")
    )
    assert 1 == len(found["contests"])
    assert (RECIPE.name, {RECIPE.name: 0.21}) == (contest["recipe"], contest["scores"])
    assert contest["better"]


def test_the_page_of_a_new_model_bears_its_name(settings: Settings, tmp_path: Path) -> None:
    """It stands in output/, whether that was there or not; every value is escaped."""
    outcome = write_page(OUTCOME, settings.model_copy(update={"home": tmp_path}))

    assert str(tmp_path / "output" / "retrain-new.html") == outcome.page
    text = Path(outcome.page).read_text(encoding="utf-8")
    assert "Better &lt;b&gt;." in text
    assert "1,234" in text


def test_a_new_page_is_written_beside_others(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder is there already; as many pages stay as may."""
    monkeypatch.setattr(report, "MOST_KEPT", 2)
    output = settings.home / "output"
    for day in (1, 2, 3):
        (output / f"retrain-kept-2020010{day}-120000.html").touch()

    page = write_page(Outcome(KEPT, "Kept."), settings).page

    assert ["retrain-kept-20200103-120000.html", Path(page).name] == sorted(
        path.name for path in output.glob("retrain-*")
    )
