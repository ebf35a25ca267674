"""Why a request got its answer: the stored row, stepped through again by the model that answered it."""

import json
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from six_ways import manifest_of

from player.cli import main
from player.config import Settings
from player.errors import ModelMissing
from player.features import Schema
from player.model import store
from player.model.answering import Answer, Link
from player.model.loading import Model
from player.model.manifests import folder
from player.monitoring.why.effects import usual_value
from player.monitoring.why.explain import HIDDEN, NOBODY, explain
from player.monitoring.why.text import points
from player.storage.migrations import upgrade
from player.storage.writer import Writer
from player.training import Trained
from tests.storage_rows import NOON, label, prediction

ODD = {"an extra": 1}


@pytest.fixture(name="link")
def _link(trained: Trained) -> Link:
    """The small model of the tests, as a service has it."""
    return Link(Model(trained.pipeline, manifest_of(trained), Schema.from_dict(trained.schema.to_dict())), 30)


@pytest.fixture(name="raw")
def _raw(table: pd.DataFrame, trained: Trained) -> dict[str, Any]:
    """The features of a case, all of them there."""
    row = table[trained.schema.names].dropna().iloc[7].to_dict()
    return {name: value.item() if isinstance(value, np.generic) else value for name, value in row.items()}


def answered(link: Link, raw: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return the row that is stored of the question *raw*."""
    answer: Answer = link.answer([raw])[0]
    row = {**vars(answer), "request_id": "r", "received_at": NOON, "features": raw, "latency_ms": 1.5, "client": "x"}
    return {**row, **changes}


def told(value: Any, status: str = "stored") -> dict[str, Any]:
    """Return a label as it is stored."""
    return {"label": value, "status": status, "received_at": NOON, "sender": "customer"}


def gives(link: Link) -> Callable[[str], Link]:
    """Return what finds this model and no other."""

    def find(version: str) -> Link:
        assert link.version == version
        return link

    return find


def test_an_effect_is_what_the_answer_would_have_been(link: Link, raw: dict[str, Any]) -> None:
    """Each is the difference to the answer to the same question with the usual value, asked by itself."""
    row = answered(link, raw)

    found = explain(row, [], True, gives(link))

    assert set(raw) == {each.name for each in found.features}
    assert [] == found.troubles
    assert found.about == str(link.model.manifest.classes[1])
    profile = link.model.manifest.profile["features"]
    for each in found.features:
        usual = usual_value(profile[each.name])
        without = link.answer([{**raw, each.name: usual}])[0].proba
        assert each.effect == pytest.approx(row["proba"] - without, abs=3e-6), each
    assert any(abs(each.effect or 0) > 0.01 for each in found.features)


def test_the_largest_effect_stands_first(link: Link, raw: dict[str, Any]) -> None:
    """What decided is read first."""
    sizes = [abs(each.effect or 0) for each in explain(answered(link, raw), [], True, gives(link)).features]

    assert sorted(sizes, reverse=True) == sizes
    assert found_largest(link, raw) == sizes[0]


def found_largest(link: Link, raw: dict[str, Any]) -> float:
    """Return the largest effect as the page scales its bars by it."""
    return explain(answered(link, raw), [], True, gives(link)).largest


def test_it_shows_what_came_and_what_the_model_was_asked(link: Link, raw: dict[str, Any]) -> None:
    """A repaired value, one that is missing and one that was not sent are told apart."""
    number, other, third = [each.name for each in link.model.schema.features if each.kind == "number"][:3]
    sent = {**raw, number: f" {raw[number]:.0f} ", other: None}
    del sent[third]

    found = {each.name: each for each in explain(answered(link, sent), [], True, gives(link)).features}

    assert (f'" {raw[number]:.0f} "', f"{raw[number]:.0f}", True) == row_of(found[number])
    assert ("null", "missing", False) == row_of(found[other])
    assert ("not sent", "missing", False) == row_of(found[third])


def row_of(given: Any) -> tuple[str, str, bool]:
    """Return the three that tell how a value was read."""
    return given.came, given.asked, given.repaired


def test_without_values_nothing_tells_one(link: Link, raw: dict[str, Any]) -> None:
    """No feature, no effect, and repairs without what stands in their parentheses; the model is not even asked."""
    row = answered(link, raw, warnings=["age: not a number (secret), taken as missing"])

    found = explain(row, [told(1)], False, lambda _: pytest.fail("asked"))

    assert ([], [HIDDEN]) == (found.features, found.troubles)
    assert ["age: not a number, taken as missing"] == found.warnings
    assert "secret" not in json.dumps(found.to_dict())


@pytest.mark.parametrize(("value", "right", "said"), [(1, True, "1: the answer was right"), ("0", False, "was wrong")])
def test_the_first_label_is_the_truth(link: Link, raw: dict[str, Any], value: Any, right: bool, said: str) -> None:
    """Whatever contradicts it later is told, and does not count."""
    row = answered(link, raw, pred=1)

    found = explain(row, [told(value), told(1 - int(value), "contradicts")], True, gives(link))

    assert right is found.right
    assert found.outcome.endswith(said)
    assert [True, False] == [each.true for each in found.labels]


def test_without_a_label_nobody_knows(link: Link, raw: dict[str, Any]) -> None:
    """Nothing is made up."""
    found = explain(answered(link, raw), [], True, gives(link))

    assert (None, "no label yet") == (found.right, found.outcome)


def test_the_last_fallback_has_no_reasons(link: Link, raw: dict[str, Any]) -> None:
    """No model was asked, so none is asked again."""
    found = explain(answered(link, raw, model="none", degraded=True), [], True, gives(link))

    assert ([], [NOBODY]) == (found.features, found.troubles)


def test_a_model_that_is_gone_is_a_sentence(link: Link, raw: dict[str, Any]) -> None:
    """The rest is told all the same."""

    def find(version: str) -> Link:
        raise ModelMissing(f"models/{version}.json does not exist.")

    found = explain(answered(link, raw), [told(1)], True, find)

    assert 1 == len(found.troubles)
    assert "cannot be asked again: models/" in found.troubles[0]
    assert found.labels


def test_a_model_that_fails_is_a_sentence(link: Link, raw: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """What came is shown, and why there are no effects."""
    row = answered(link, raw)
    monkeypatch.setattr("player.monitoring.why.effects.ask", lambda *_: 1 / 0)

    found = explain(row, [], True, gives(link))

    assert "ZeroDivisionError" in found.troubles[0]
    assert {None} == {each.effect for each in found.features}


def test_it_says_when_the_model_says_something_else_now(link: Link, raw: dict[str, Any]) -> None:
    """Then what stands there is not the whole story."""
    found = explain(answered(link, raw, proba=0.123), [], True, gives(link))

    assert "and not 0.123" in found.troubles[0]


def test_of_three_classes_the_answered_one_is_followed(link: Link, raw: dict[str, Any]) -> None:
    """Also where with a usual value another class would have been answered."""
    number = next(each.name for each in link.model.schema.features if each.kind == "number")
    usual = usual_value(link.model.manifest.profile["features"][number])

    class Three:
        """Answers "b" for sure, unless the number is as usual: then "c"."""

        def predict_proba(self, rows: pd.DataFrame) -> np.ndarray:
            return np.where((rows[number] == usual).to_numpy()[:, None], [0.1, 0.2, 0.7], [0.1, 0.8, 0.1])

        def predict(self, rows: pd.DataFrame) -> np.ndarray:
            return np.array(["a", "b", "c"])[self.predict_proba(rows).argmax(axis=1)]

    manifest = link.model.manifest.__class__(**{**vars(link.model.manifest), "classes": ["a", "b", "c"]})
    three = Link(Model(Three(), manifest, link.model.schema), 30)
    row = answered(three, {**raw, number: raw[number] + 1 if raw[number] == usual else raw[number]})

    found = {each.name: each.effect for each in explain(row, [], True, gives(three)).features}

    assert "b" == row["pred"]
    assert found[number] == pytest.approx(0.6)
    assert {0.0} == {effect for name, effect in found.items() if name != number}


@pytest.mark.parametrize(
    ("known", "value"),
    [
        ({"kind": "number", "edges": [1.0, 5.0, 9.0]}, 5.0),
        ({"kind": "number", "edges": []}, None),
        ({"kind": "category", "shares": {}}, None),
    ],
)
def test_what_is_usual_is_read_from_the_profile(known: dict[str, Any], value: Any) -> None:
    """Also from one of a constant feature, one that was never there, or one of an older model."""
    assert value == usual_value(known)


def test_points_are_signed() -> None:
    """A rounded zero has no sign."""
    assert ["+50.0", "-0.1", "0", "-"] == [points(one) for one in (0.5, -0.001, -0.0001, None)]


def run(*arguments: str) -> Result:
    """Call `player why` in the testing environment."""
    return CliRunner().invoke(main, ["-e", "testing", "why", *arguments])


@pytest.fixture(name="stored")
def _stored(model_settings: Settings, raw: dict[str, Any]) -> Settings:
    """One answered request with a label, and its model."""
    upgrade(model_settings)
    version = store.current_manifest(model_settings).version
    writer = Writer(model_settings)
    writer.put_predictions([prediction("mine", features={**raw, **ODD}, model=version, warnings=["ignored: an extra"])])
    writer.put_labels([label("mine", 0, 1)])
    writer.ship()
    writer.stop()
    return model_settings


def test_the_command_tells_the_whole_story(stored: Settings, raw: dict[str, Any]) -> None:
    """Answer, model, label, repairs, and a line for each feature, largest effect first."""
    said = run("mine")

    assert 0 == said.exit_code, said.output
    assert "0: the answer was wrong" in said.output
    assert "ignored: an extra" in said.output
    assert store.current_manifest(stored).version in said.output
    assert all(name in said.output for name in raw)
    assert set(raw) == {each["name"] for each in json.loads(run("mine", "--json").stdout)["features"]}


def test_an_unknown_request_is_one_line(stored: Settings) -> None:
    """Exit code 1 and what may be the matter."""
    said = run("nobody's")

    assert (1, 1) == (said.exit_code, said.stderr.count("\n"))
    assert "no request with this id" in said.stderr


def test_the_command_keeps_the_rules_of_loading(stored: Settings) -> None:
    """A model whose pickle was changed is not asked, and that is said."""
    path = next(folder(stored).glob("2*.pkl"))
    path.write_bytes(path.read_bytes() + b" ")

    said = run("mine")

    assert 0 == said.exit_code, said.output
    assert "cannot be asked again" in said.output
    assert "moved it by" not in said.output


def test_a_model_that_was_deleted_is_a_sentence(stored: Settings) -> None:
    """The row is there all the same."""
    shutil.rmtree(folder(stored))

    said = run("mine")

    assert 0 == said.exit_code, said.output
    assert "cannot be asked again" in said.output
    assert "0: the answer was wrong" in said.output
