"""Listed classes told to do something else: refused before they are asked, or tried where nothing can be reached."""

import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import PROJECT
from sklearn import ensemble, linear_model, naive_bayes, preprocessing
from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.feature_selection import RFE, SelectFromModel
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV, TunedThresholdClassifierCV
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.semi_supervised import SelfTrainingClassifier

from player.errors import ModelRefused
from player.features import as_given
from player.trust import cage
from player.trust.unpickler import loads

LR = linear_model.LogisticRegression


def told(thing: Any, **state: Any) -> Any:
    """Return *thing* with another state, whatever its constructor would say."""
    thing.__dict__.update(state)
    return thing


def table() -> pd.DataFrame:
    """Return what is no estimator, and has methods with the names of an estimator's: `transform("to_pickle")`."""
    return pd.DataFrame({"a": [1.0]})


def alone(thing: Any) -> np.ndarray:
    """Return an array of objects that holds *thing* alone."""
    held = np.empty((1, 1), dtype=object)
    held[0, 0] = thing
    return held


HOLDS: list[Callable[[Any], Any]] = [
    lambda x: Pipeline([("a", x), ("b", LR())]),
    lambda x: Pipeline([("a", LR()), ("b", x)]),
    lambda x: told(FeatureUnion([("a", LR())]), transformer_list=[("a", x)]),
    lambda x: told(ColumnTransformer([("a", "drop", [0])]), transformers_=[("a", x, [0])]),
    lambda x: told(ColumnTransformer([("a", "drop", [0])]), transformers=[("a", x, [0])]),
    lambda x: told(ensemble.VotingClassifier([("a", LR())]), estimators_=[x]),
    lambda x: told(ensemble.StackingClassifier([("a", LR())]), estimators_=[x]),
    lambda x: told(ensemble.StackingClassifier([("a", LR())]), final_estimator_=x),
    lambda x: told(ensemble.BaggingClassifier(), estimators_=[x]),
    lambda x: told(ensemble.RandomForestClassifier(), estimators_=[x]),
    lambda x: told(ensemble.AdaBoostClassifier(), estimators_=[x]),
    lambda x: told(ensemble.GradientBoostingClassifier(), init_=x),
    lambda x: told(ensemble.GradientBoostingClassifier(), estimators_=alone(x)),
    lambda x: told(CalibratedClassifierCV(LR()), calibrated_classifiers_=[x]),
    lambda x: told(CalibratedClassifierCV(LR()), estimator=x),
    lambda x: told(SelectFromModel(LR()), estimator_=x),
    lambda x: told(RFE(LR()), estimator_=x),
    lambda x: told(GridSearchCV(LR(), {}), best_estimator_=x),
    lambda x: told(FixedThresholdClassifier(LR()), estimator_=x),
    lambda x: told(TunedThresholdClassifierCV(LR()), estimator_=x),
    lambda x: told(OneVsRestClassifier(LR()), estimators_=[x]),
    lambda x: told(OneVsOneClassifier(LR()), estimators_=(x,)),
    lambda x: told(OutputCodeClassifier(LR()), estimators_=[x]),
    lambda x: told(ClassifierChain(LR()), estimators_=[x]),
    lambda x: told(MultiOutputClassifier(LR()), estimators_=[x]),
    lambda x: told(SelfTrainingClassifier(LR()), estimator_=x),
    lambda x: told(FrozenEstimator(LR()), estimator=x),
    lambda x: told(TransformedTargetRegressor(), regressor_=x),
    lambda x: [told(Pipeline([("a", LR())]), steps=(("a", {"b": [x]}),))],
]
TOLD: list[Callable[[], Any]] = [
    lambda: told(CountVectorizer(), input="filename"),
    lambda: told(TfidfVectorizer(), input="file"),
    lambda: told(HashingVectorizer(), input="filename"),
    lambda: Pipeline([("words", told(CountVectorizer(), input="filename")), ("b", LR())]),
    lambda: {"kept": told(CountVectorizer(), input="filename")},
    lambda: np.array([told(CountVectorizer(), input="filename"), None], dtype=object),
    lambda: told(naive_bayes.GaussianNB(), note=told(CountVectorizer(), input="filename")),
    lambda: Pipeline([("b", LR())], memory="/somewhere"),
    lambda: told(FeatureUnion([("a", LR())]), memory="/somewhere"),
    lambda: told(SelectFromModel(LR()), importance_getter="__class__.__init__.__globals__"),
    lambda: told(RFE(LR()), importance_getter=as_given),
    lambda: told(ensemble.StackingClassifier([("a", LR())]), stack_method_=["to_pickle"]),
    lambda: told(ensemble.StackingClassifier([("a", LR())]), stack_method="__reduce__"),
    lambda: told(TunedThresholdClassifierCV(LR()), response_method="set_params"),
    lambda: told(FixedThresholdClassifier(LR()), response_method="fit"),
    lambda: told(ensemble.VotingClassifier([("a", LR())]), voting=["soft", "to_csv"]),
    lambda: told(ClassifierChain(LR()), chain_method_="set_params"),
    lambda: told(ClassifierChain(LR()), chain_method=["predict", "fit"]),
]
SHADOWED: list[Callable[[], Any]] = [
    (lambda name=name: told(LR(), **{name: as_given}))
    for name in ("predict", "predict_proba", "decision_function", "get_params", "fit", "score", "sparsify",
                 "_predict_proba_lr", "get_metadata_routing", "densify")
] + [
    (lambda kind=kind, name=name: told(kind(), **{name: as_given}))
    for kind in (preprocessing.StandardScaler, preprocessing.OneHotEncoder)
    for name in ("transform", "inverse_transform", "get_feature_names_out")
]  # fmt: skip


def refused(thing: Any) -> str:
    """Return why *thing*, pickled by somebody, is refused; fails when it is not."""
    with pytest.raises(ModelRefused) as refusal:
        loads(pickle.dumps(thing))
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


@pytest.mark.parametrize("number", range(len(HOLDS)))
def test_an_estimator_holds_estimators(number: int) -> None:
    """A table in the place of an estimator would be told to write a file."""
    assert "holds a DataFrame" in refused(HOLDS[number](table()))


@pytest.mark.parametrize("number", range(len(TOLD)))
def test_a_parameter_is_what_it_may_be(number: int) -> None:
    """No name of a file, of any attribute, or of a method that answers nothing; however deep it stands."""
    assert "may not be here" in refused(TOLD[number]())


@pytest.mark.parametrize("number", range(len(SHADOWED)))
def test_no_attribute_replaces_a_method(number: int) -> None:
    """What is called by name is what the class has under that name."""
    assert "replaces a method" in refused(SHADOWED[number]())


def test_there_are_sixty_of_them() -> None:
    """The number that the documentation names."""
    assert 60 <= len(HOLDS) + len(TOLD) + len(SHADOWED)


def test_the_tricks_are_real() -> None:
    """Without the check each of them loads: every class in it is a listed one."""
    from player.trust.unpickler import AllowList

    for make in (*TOLD, *SHADOWED, *(lambda h=h: h(table()) for h in HOLDS)):
        assert AllowList(pickle.dumps(make())).load() is not None


def steals(marker: Path) -> Pipeline:
    """Return a model of listed classes alone which makes the folder *marker* when it is asked.

    The first step answers a text; the second one calls `eval` of a table with it.
    """
    text = f"@np.lib._npyio_impl.os.mkdir({str(marker)!r})"
    says = DummyClassifier(strategy="constant", constant=text).fit([[0], [1]], [text, "another"])
    table_in_disguise = told(FrozenEstimator(LR()), estimator=table())
    runs = told(ensemble.StackingClassifier([("a", LR())]), estimators_=[table_in_disguise], stack_method_=["eval"],
                final_estimator_=LR(), classes_=np.array([0, 1]))  # fmt: skip
    return Pipeline([("says", told(ensemble.VotingClassifier([("a", says)]), estimators_=[says])), ("runs", runs)])


def test_a_model_without_any_forbidden_name_could_run_code(tmp_path: Path) -> None:
    """This one does so when nothing but names are looked at; it is refused before it is asked."""
    from player.trust.unpickler import AllowList

    marker = tmp_path / "made by the model"
    data = pickle.dumps(steals(marker))
    assert "may not be here" in refused(steals(marker))
    assert not marker.exists()

    with pytest.raises(TypeError):  # what it ran returned no probabilities
        AllowList(data).load().predict_proba(pd.DataFrame({"age": [1.0]}))
    assert marker.exists()


@pytest.mark.skipif(cage.landlock_version() < 4, reason="this system has no Landlock of version 4; `doctor` says so")
def test_in_its_trial_it_would_still_reach_nothing(tmp_path: Path) -> None:
    """Were the list and the check of parts both got past, the code would run where it can change nothing."""
    marker = tmp_path / "made by the model"
    code = (
        "import sys, pickle, pandas as pd; from player.trust import cage; cage.enter(4096, 20); "
        "model = pickle.loads(sys.stdin.buffer.read()); "
        "model.predict_proba(pd.DataFrame({'age': [1.0]}))"
    )
    project = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", code], input=pickle.dumps(steals(marker)), capture_output=True,
                          env=project, timeout=60, check=False)  # fmt: skip

    assert b"PermissionError" in done.stderr
    assert not marker.exists()


class Greedy(BaseEstimator):
    """Stands for whatever still gets past every list."""


GREEDY = """
import json, os, socket, sys
from pathlib import Path
from player.trust import cage
lacks = cage.enter(4096, 20)
said = {"lacks": lacks}
secret, parent = sys.argv[1:3]
tries = {
    "reads a key": lambda: open(secret).read(), "reads an environment": lambda: open(f"/proc/{parent}/environ").read(),
    "lists keys": lambda: os.listdir(os.path.dirname(secret)), "writes": lambda: open(secret + "2", "w").write("x"),
    "deletes": lambda: os.unlink(secret), "signals": lambda: os.kill(int(parent), 0),
    "connects": lambda: socket.create_connection(("127.0.0.1", int(sys.argv[3])), 2),
    "sends": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(("192.0.2.1", 53)),
    "runs": lambda: os.execv("/bin/sh", ["sh", "-c", "echo"]), "reads passwords": lambda: open("/etc/passwd").read(),
}
for name, attempt in tries.items():
    try:
        attempt()
        said[name] = "done"
    except OSError as error:
        said[name] = type(error).__name__
print(json.dumps(said))
"""


@pytest.mark.skipif(cage.landlock_version() < 4, reason="this system has no Landlock of version 4; `doctor` says so")
def test_the_cage_lets_nothing_in_or_out(tmp_path: Path) -> None:
    """No key, no environment of another process, no file, no program, no signal, no connection."""
    import socket

    secret = tmp_path / "production-signing.key"
    secret.write_text("a secret", encoding="utf-8")
    project = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-c", GREEDY, str(secret), str(os.getpid()), port],
            capture_output=True, text=True, env=project, timeout=60, check=True,
        )  # fmt: skip
    said = json.loads(done.stdout)
    lacks = said.pop("lacks")

    open_here = {"sends": "the network, except for TCP", "signals": "other programs of this user, by a signal"}
    assert not [what for what, became in said.items() if became == "done" and open_here.get(what) not in lacks]
    assert "a secret" == secret.read_text(encoding="utf-8")


def test_what_the_cage_lacks_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system without Landlock or namespaces is not silently trusted."""
    monkeypatch.setattr(cage, "own_network", lambda: False)
    monkeypatch.setattr(cage, "landlock_version", lambda: 0)
    monkeypatch.setattr(cage, "limit", lambda *_: False)

    lacks = ["the network", "files of other programs", "other programs of this user, by a signal",
             "memory and time of the processor"]  # fmt: skip
    assert lacks == cage.enter(100, 1)


@pytest.mark.skipif(cage.landlock_version() < 4, reason="this system has no Landlock of version 4")
def test_what_the_cage_lacks_is_asked_of_a_real_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A process goes in and says it, from whichever folder; where none can be started nothing is promised."""
    monkeypatch.chdir(tmp_path)
    assert "anything" not in cage.missing()
    assert "files of other programs" not in cage.missing()
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert ["anything"] == cage.missing()


def test_the_cage_shows_libraries_and_no_project(tmp_path: Path) -> None:
    """An installed player has its libraries beside it; one in its project has keys, data and models there."""
    assert PROJECT not in set(cage.readable())
    installed = tmp_path / "lib" / "site-packages"
    shutil.copytree(PROJECT / "player", installed / "player", ignore=shutil.ignore_patterns("__pycache__"))
    code = "from player.trust import cage; print(*cage.readable(), sep='\\n')"
    command = [sys.executable, "-P", "-c", code]
    path = {**os.environ, "PYTHONPATH": str(installed)}

    done = subprocess.run(command, capture_output=True, text=True, check=True, env=path, cwd=tmp_path)

    seen = done.stdout.splitlines()
    assert str(installed) in seen
    assert str(tmp_path) not in seen
