"""Further libraries: let in by name, class by class, and nothing that only looks like them."""

import sys
from types import ModuleType

import pytest

from player.trust import libraries
from player.trust.allowed import allowed
from player.trust.libraries import LIBRARIES, class_of, how_to_allow, library_of, packages


@pytest.fixture(name="xgboost")
def _xgboost(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A library of that name, installed or not: one class of its own, one that it imports, and a function."""
    module = ModuleType("xgboost.sklearn")
    own = type("XGBClassifier", (), {"__module__": "xgboost.sklearn"})
    module.__dict__.update(XGBClassifier=own, XGBRFClassifier=ModuleType, train=lambda: None)
    monkeypatch.setitem(sys.modules, "xgboost", ModuleType("xgboost"))
    monkeypatch.setitem(sys.modules, "xgboost.sklearn", module)
    return module


def test_a_listed_class_of_a_named_library_is_let_in(xgboost: ModuleType) -> None:
    """Both are needed: the project names the library, and the class is one that a model holds."""
    assert xgboost.XGBClassifier is class_of("xgboost.sklearn", "XGBClassifier", ["lightgbm", "xgboost"])

    assert class_of("xgboost.sklearn", "XGBClassifier", ["lightgbm"]) is None
    assert class_of("xgboost.sklearn", "train", ["xgboost"]) is None
    assert class_of("xgboost.core", "XGBClassifier", ["xgboost"]) is None
    assert class_of("os", "system", ["xgboost"]) is None


def test_what_a_library_only_imports_is_not_its_own(xgboost: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under a listed name may stand something else in another version, or a function."""
    assert class_of("xgboost.sklearn", "XGBRFClassifier", ["xgboost"]) is None
    monkeypatch.setattr(xgboost, "XGBClassifier", xgboost.train)
    assert class_of("xgboost.sklearn", "XGBClassifier", ["xgboost"]) is None
    monkeypatch.delattr(xgboost, "XGBClassifier")
    assert class_of("xgboost.sklearn", "XGBClassifier", ["xgboost"]) is None
    monkeypatch.setitem(sys.modules, "xgboost.sklearn", None)
    assert class_of("xgboost.sklearn", "XGBClassifier", ["xgboost"]) is None


def test_a_library_is_known_by_its_first_name() -> None:
    """Not by a beginning of it."""
    assert ["xgboost", "xgboost", "", "", ""] == [
        library_of(name) for name in ("xgboost", "xgboost.sklearn", "xgboostx.sklearn", "my.xgboost", "")
    ]
    assert () == packages(["numpy.ndarray", "sklearn.svm._classes.SVC"])
    assert ("category-encoders", "xgboost") == packages(["xgboost.a", "category_encoders.b", "xgboost.c"])


@pytest.mark.parametrize(
    ("module", "named", "is_installed", "said"),
    [
        ("os", [], True, ""),
        ("xgboost.sklearn", [], True, 'write libraries = ["xgboost"] below [model]'),
        ("xgboost.sklearn", ["lightgbm", "catboost"], True, 'libraries = ["catboost", "lightgbm", "xgboost"]'),
        ("imblearn.x", ["imblearn"], False, "It needs imbalanced-learn, which is not installed here."),
        ("imblearn.x", ["imblearn"], True, "Of imblearn these classes are known: see player/trust/libraries.py."),
        ("imblearn.x", [], False, 'write libraries = ["imblearn"]'),
    ],
)
def test_a_refusal_says_how_to_let_it_in(
    monkeypatch: pytest.MonkeyPatch, module: str, named: list[str], is_installed: bool, said: str
) -> None:
    """The line to write, the package to install, or the list to look at."""
    monkeypatch.setattr(libraries, "find_spec", lambda _: object() if is_installed else None)

    assert said in how_to_allow(module, named)
    assert (said == "") == (how_to_allow(module, named) == "")


def test_every_listed_name_is_a_class_of_its_library() -> None:
    """No module of another package, and no list that is empty."""
    for name, library in LIBRARIES.items():
        assert library.names
        for module, classes in library.names.items():
            assert name == module.partition(".")[0]
            assert all(each.isidentifier() for each in classes.split())


@pytest.mark.parametrize(
    ("name", "is_allowed"),
    [
        ("numpy:ndarray", True),
        ("numpy:log1p", True),
        ("numpy:fromfile", False),
        ("numpy:no_such_name", False),
        ("sklearn.svm._classes:SVC", True),
        ("sklearn.svm._classes:BaseEstimator", False),
        ("sklearn.svm._classes:np", False),
        ("sklearn.svm.no_such_module:SVC", False),
        ("sklearn.datasets._base:load_files", False),
        ("sklearn:svm", False),
        ("sklearn.tests.test_base:MyEstimator", False),
        ("sklearn.svm.tests.test_svm:SVC", False),
        ("player.features:clean", True),
        ("player.features:Schema", True),
        ("player.features:np", False),
        ("player.features:no_such_name", False),
        ("player.training:train", False),
        ("player.training:Trained", True),
        ("player.cli:main", False),
        ("builtins:dict", True),
        ("builtins:eval", False),
        ("no_such_module:name", False),
    ],
)
def test_a_name_is_allowed_where_it_is_defined(name: str, is_allowed: bool) -> None:
    """A listed one, arithmetic of NumPy, an estimator of scikit-learn, or what this project defines for a pipeline."""
    assert is_allowed == (allowed(*name.split(":")) is not None)
