"""Every kind of pipeline that scikit-learn can build answers in acceptance as it predicts itself."""

from pathlib import Path
from typing import Any

import pytest
from conftest import KEYS
from kinds import KINDS, a_table, differences, trained_and_saved

from player.config import load_settings
from player.errors import PipelineError
from player.model import loading
from player.trust import trial


def test_the_kinds_are_many() -> None:
    """The table covers what people bring."""
    assert len(KINDS) >= 45


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", KINDS)
def test_every_kind_passes_the_trial_of_a_promotion(home: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """In its process and its cage, with the limits of acceptance: nothing that people build is refused by mistake."""
    for key, value in KEYS.items():
        monkeypatch.setenv(key, value)
    settings = load_settings("acceptance")
    manifest, data = trained_and_saved(KINDS[name], a_table(), settings)
    tried: list[bytes] = []

    def try_it(*given: Any) -> None:
        trial.try_model(*given)
        tried.append(given[0])

    monkeypatch.setattr(loading, "try_model", try_it)

    assert manifest.version == loading.open_model(manifest, data, settings).manifest.version
    assert [data] == tried


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("labels", [(0, 1), ("no", "yes")], ids=["numbers", "texts"])
def test_every_kind_answers_as_it_predicts(
    home: Path, monkeypatch: pytest.MonkeyPatch, name: str, labels: tuple[object, object]
) -> None:
    """Trained, signed, loaded: `pred` is what `predict` says, `proba` what `predict_proba` does."""
    for key, value in KEYS.items():
        monkeypatch.setenv(key, value)
    table = a_table().astype({"repaid": object}).replace({"repaid": dict(enumerate(labels))})

    if name == "fitted before" and labels != (0, 1):
        with pytest.raises(PipelineError, match="previously unseen labels: 0"):  # it was fitted with other labels
            differences(KINDS[name], table.infer_objects(), load_settings("acceptance"))
        return
    assert [] == differences(KINDS[name], table.infer_objects(), load_settings("acceptance"))
