"""Models change under load: good ones are taken over without a lost request, bad ones never run."""

import dataclasses
import functools
import hashlib
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from player.config import Settings, load_settings
from player.features import clean, to_table
from player.model import loading, saving, store
from player.training import Trained, train
from tests.chaos.load import Load, settle
from tests.pickles import attacks, broken
from tests.service import Service, wait_until

KEY = "the key of the tests: 0123456789abcdef"
WRONG_KEY = "another key of the tests: fedcba9876543210"


def test_models_are_reloaded(
    model_settings: Settings, table: pd.DataFrame, start: Callable[..., Service], amount: Callable[[str], int],
    report: Callable[..., None],
) -> None:  # fmt: skip
    """Another model every second: no request fails, and each answer is the one of the single model that it names."""
    first = store.current_manifest(model_settings).version
    second = saving.save(train(table.head(900), model_settings), model_settings).version
    models = {version: loading.load(version, model_settings) for version in (first, second)}
    service = start(model_settings, PLAYER_MODEL__RELOAD_SECONDS="0.2")
    service.wait_for_all()
    with Load(service, 100) as load:
        for number in range(amount("RESTARTS")):
            version = (second, first)[number % 2]
            store.activate(version, model_settings)
            times = 2 * (number // 2 + 1 + number % 2)  # each of two workers, the first model also at the start
            wait_until(functools.partial(was_loaded, service, version, times))
    said = {version: expected(load, model) for version, model in models.items()}
    wrong = [key for key, answer in load.answers.items() if not is_from(said[answer.model], key, answer.proba)]
    named = sorted({answer.model for answer in load.answers.values()})
    report(reloads=amount("RESTARTS"), **settle(model_settings, load), failed=len(load.failed),
           degraded=sum(a.degraded for a in load.answers.values()), from_another_model=len(wrong),
           **load.times())  # fmt: skip

    assert [] == load.failed
    assert [] == wrong
    assert sorted(models) == named


def was_loaded(service: Service, version: str, times: int) -> bool:
    """Tell whether *version* was taken over so many times."""
    return service.log_text().count(f"loaded model {version}") >= times


def expected(load: Load, model: loading.Model) -> list[float]:
    """Return what *model* says of each applicant."""
    rows = [clean(applicant, model.schema)[0] for applicant in load.applicants]
    return [float(proba) for _, proba in model.pipeline.predict_proba(to_table(rows, model.schema))]


def is_from(said: list[float], request_id: str, proba: float) -> bool:
    """Tell whether *said* has this probability for the applicant of *request_id*."""
    number, count = (int(part) for part in request_id.split("-")[-2:])
    return abs(said[(number + 7 * count) % 500] - proba) < 1e-6  # the answer has six digits


def offer(name: str, data: bytes, good: store.Manifest, settings: Settings, number: int) -> str:
    """Put *data* into the model folder as a version, signed with the key of *settings*, and make it current."""
    version = f"29990101-{number:06d}-bad"
    manifest = dataclasses.replace(
        good, version=version, sha256=hashlib.sha256(data).hexdigest(), size=len(data), note=name
    )
    store.put(manifest, data, settings)
    pointer = store.pointer(load_settings("testing"))
    assert pointer is not None
    store.point_to(store.Pointer(pointer.serial + 1, version, good.version), load_settings("testing"))
    return version


@pytest.mark.parametrize("key", [KEY, WRONG_KEY], ids=["right key", "wrong key"])
def test_bad_models_are_offered(
    key: str, model_settings: Settings, trained: Trained, start: Callable[..., Service], amount: Callable[[str], int],
    report: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    """Attacks and damaged files, signed rightly or wrongly, are refused with a reason while the old model answers."""
    marker = tmp_path / "marker"
    bad = {**attacks(marker), **broken(pickle.dumps(trained.pipeline))}
    bad = dict(list(bad.items())[: amount("OFFERS") or None])
    monkeypatch.setenv("PLAYER_SIGNING_KEY", KEY)
    settings = load_settings("testing")
    good = saving.save(trained, settings)
    store.activate(good.version, settings)
    service = start(settings, PLAYER_MODEL__RELOAD_SECONDS="0.1")
    service.wait_for_all()
    monkeypatch.setenv("PLAYER_SIGNING_KEY", key)
    offering = load_settings("testing")
    monkeypatch.setenv("PLAYER_SIGNING_KEY", KEY)
    refused = 0
    with Load(service, 30) as load:
        for number, (name, data) in enumerate(bad.items()):
            version = offer(name, data, good, offering, number)
            wait_until(lambda v=version: f"odel {v}" in service.log_text(), 30, f"{name} is refused")  # type: ignore[misc]
            refused += 1
    report(offered=len(bad), refused=refused, executed=int(marker.exists()), **settle(settings, load),
           failed=len(load.failed), degraded=sum(a.degraded for a in load.answers.values()))  # fmt: skip

    assert not marker.exists()
    assert [] == load.failed
    assert {good.version} == {answer.model for answer in load.answers.values()}
    assert os.environ["PLAYER_SIGNING_KEY"] == KEY
