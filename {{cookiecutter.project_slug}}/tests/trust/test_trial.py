"""A trial: the model answers its own examples, in a process that is given little and may take no more."""

import io
import json
import os
import signal
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from player.config import Settings
from player.errors import ModelRefused
from player.features import Schema
from player.repair import Feature
from player.trust import examination, trial
from player.trust.examination import check_answers, examine
from player.trust.trial import BUSY, try_model

NEEDED: dict[str, Any] = {"globals": ["a.b"], "schema": {"x": 1}, "classes": [0, 1], "examples": [{"age": 4}]}


class Child:
    """What `subprocess.run` was told, and what it returns."""

    def __init__(self, outcome: Any) -> None:
        """Return, or raise, *outcome*."""
        self.outcome = outcome

    def __call__(self, command: list[str], **told: Any) -> Any:
        self.command, self.told = command, told
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def ended(code: int, said: bytes = b"") -> SimpleNamespace:
    """Return a process that has ended."""
    return SimpleNamespace(returncode=code, stdout=said)


def tried(monkeypatch: pytest.MonkeyPatch, settings: Settings, outcome: Any) -> Child:
    """Try a model whose trial ends like this."""
    child = Child(outcome)
    monkeypatch.setattr(trial.subprocess, "run", child)
    limits = settings.model.model_copy(update={"trial_seconds": 2.5, "trial_memory_mb": 700, "libraries": ("xgboost",)})
    try_model(b"the pickle", {**NEEDED, "metrics": 1}, limits)
    return child


def test_a_trial_is_given_what_it_needs_and_no_secret(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its limits, the manifest's part, the bytes; where packages are, but no key and no address."""
    monkeypatch.setenv("PLAYER_SIGNING_KEY", "secret")
    monkeypatch.setenv("PATH", "/here")
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    child = tried(monkeypatch, settings, ended(0))
    head, _, data = child.told["input"].partition(b"\n")

    assert [sys.executable, "-B", "-m", "player.trust.cage", "700", "3"] == child.command
    assert BUSY * 2.5 == child.told["timeout"]
    assert ({**NEEDED, "further": ["xgboost"]}, b"the pickle") == (json.loads(head), data)
    allowed = {"PATH", "SYSTEMROOT", "TEMP", "TMP", "PYTHONPATH", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"}
    given = child.told["env"]
    assert {"PATH", "PYTHONPATH"} <= set(given) <= allowed
    assert ("/here", "1", "1") == (given["PATH"], given["OMP_NUM_THREADS"], given["OPENBLAS_NUM_THREADS"])
    assert list(filter(None, sys.path)) == given["PYTHONPATH"].split(os.pathsep)


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (subprocess.TimeoutExpired("x", 10), "The model did not answer its trial within 10 s."),
        (OSError(12, "Cannot allocate memory"), "The model's trial could not be started: Cannot allocate memory."),
        (ended(-11), "The model crashed in its trial (signal 11)."),
        (ended(1, b"a warning\nThe model's classes differ.\n"), "The model's classes differ."),
        (ended(1, b"x" * 1000), "x" * 400),
        (ended(1), "The model broke its trial."),
        (ended(1, b"\xff"), "\N{REPLACEMENT CHARACTER}"),
        (ended(2, b"\n"), "The model broke its trial."),
    ],
)
def test_however_a_trial_fails_it_is_one_sentence(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, outcome: Any, said: str
) -> None:
    """And the model is not let in."""
    with pytest.raises(ModelRefused) as refusal:
        tried(monkeypatch, settings, outcome)

    assert said == str(refusal.value)


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such signals")
def test_a_model_that_kills_its_process_is_refused(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real one, though without a cage."""
    real = subprocess.run
    code = f"import os; os.kill(os.getpid(), {int(signal.SIGKILL)})"
    monkeypatch.setattr(trial.subprocess, "run", lambda _, **told: real([sys.executable, "-c", code], **told))

    with pytest.raises(ModelRefused, match="signal 9"):
        try_model(b"", NEEDED, settings.model)


def test_a_real_trial_refuses_what_is_no_model(settings: Settings) -> None:
    """In its own process, in the cage: one that did nothing would let every model in."""
    with pytest.raises(ModelRefused, match="The pickle is broken"):
        try_model(b"no pickle", NEEDED, settings.model)


SCHEMA = Schema((Feature("age", "number", 0, 100),), "repaid")
EXAMPLES = [{"age": 20.0}, {"age": 60.0}]


class Model:
    """Answers as it was told."""

    def __init__(self, proba: Any = ((0.25, 0.75), (0.75, 0.25)), **changes: Any) -> None:
        """Answer the examples with *proba*; *changes* replace an attribute."""
        self.classes_ = np.array([0, 1])
        self.proba = np.array(proba)
        self.named = np.array([1, 0])
        self.__dict__.update(changes)

    def predict_proba(self, rows: pd.DataFrame) -> np.ndarray:
        """Return what was told."""
        return self.proba

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        """Return what was told."""
        return self.named


def answers(model: Any, classes: list[Any] | None = None, examples: list[dict[str, Any]] | None = None) -> None:
    """Check the answers of *model*."""
    check_answers(model, SCHEMA, [0, 1] if classes is None else classes, EXAMPLES if examples is None else examples)


def test_a_model_that_answers_its_examples_is_let_in() -> None:
    """Its classes may be plain or NumPy's."""
    answers(Model())
    answers(Model(classes_=[0, 1]))


@pytest.mark.parametrize(
    ("model", "more", "said"),
    [
        (Model(), {"classes": [0, 2]}, "classes are not those of its manifest"),
        (Model(), {"classes": [1, 0]}, "classes are not those of its manifest"),
        (Model(classes_=[]), {"classes": []}, "classes are not those of its manifest"),
        (object(), {}, "classes are not those of its manifest"),
        (Model(), {"examples": []}, "no examples to try the model on"),
        (Model(((0.25, 0.5), (0.75, 0.25))), {}, "no probability"),
        (Model(((-0.5, 1.5), (0.75, 0.25))), {}, "no probability"),
        (Model(((np.nan, np.nan), (0.75, 0.25))), {}, "no probability"),
    ],
)
def test_a_model_of_no_use_is_refused(model: Any, more: dict[str, Any], said: str) -> None:
    """With other classes, without an example, with numbers that are none, or with two opinions."""
    with pytest.raises(ModelRefused, match=said):
        answers(model, **more)


@pytest.mark.parametrize("method", ["predict", "predict_proba"])
def test_a_model_that_answers_otherwise_each_time_is_refused(method: str) -> None:
    """What is asked for step by step later is not what was tried as a whole."""
    model = Model()
    first = getattr(model, method)(None)
    found = iter([first])
    setattr(model, method, lambda _: next(found, first[::-1]))

    with pytest.raises(ModelRefused, match="answers otherwise as a whole than step by step"):
        answers(model)


def test_whatever_a_model_does_its_trial_says_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when it ends the program; a long error is cut, and nothing of it drives a terminal."""
    asked = {"globals": [], "schema": {"features": []}, "classes": [], "examples": []}

    for error, said in ((SystemExit("\x1b[2J"), "(SystemExit: \\x1b[2J)"), (ValueError("y" * 999), f": {'y' * 200})")):

        def fail(*_: Any, error: BaseException = error) -> None:
            raise error

        monkeypatch.setattr(examination, "loads", fail)
        assert examine(b"", asked).endswith(f"{said}.")
    monkeypatch.setattr(examination, "loads", lambda *_: (_ for _ in ()).throw(ModelRefused("Not this one.")))
    assert "Not this one." == examine(b"", asked)


@pytest.mark.parametrize(("refusal", "code"), [("", 0), ("Not this one.", 1)])
def test_the_outcome_is_a_line_and_an_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], refusal: str, code: int
) -> None:
    """The first line that comes in is the manifest's part, the rest is the pickle."""
    seen = []
    monkeypatch.setattr(examination, "examine", lambda *given: seen.append(given) or refusal)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b'{"a": 1}\nbytes\nmore')))

    assert code == examination.main()
    assert ([(b"bytes\nmore", {"a": 1})], f"{refusal}\n") == (seen, capsys.readouterr().out)
