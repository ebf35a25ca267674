"""The check of parameters is complete for the scikit-learn that is installed: its sources are read, not remembered.

A newer version that calls a method by another parameter, or opens a file, fails here before anybody loads a model.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import sklearn
from sklearn.utils import all_estimators

from player.trust.allowed import ESTIMATORS
from player.trust.parts import PARAMETERS

SOURCES = Path(sklearn.__file__).parent
BY_NAME = ("getattr", "attrgetter", "methodcaller", "_get_response_values", "_get_response")
OUTSIDE = ("open", "exec", "eval", "import_module", "__import__", "system", "Popen", "run", "check_memory",
           "loadtxt", "genfromtxt", "fromfile", "memmap")  # fmt: skip
# Where a listed package does such a thing: the parameter that says which, or why it is no way out.
REVIEWED = {
    ("calibration.py", "_get_response_values(… ['decision_function', 'predict_proba'])"): "fixed names",
    ("cluster/_optics.py", "check_memory(self.memory)"): "memory",
    ("cluster/_agglomerative.py", "check_memory(self.memory)"): "memory",
    ("pipeline.py", "check_memory(self.memory)"): "memory",
    ("ensemble/_stacking.py", "getattr(est, meth)"): "stack_method_",
    ("ensemble/_stacking.py", "getattr(estimator, predict_method)"): "stack_method_",
    ("ensemble/_base.py", "getattr(self, p)"): "only while it learns, its own parameters",
    ("feature_extraction/text.py", "open(doc, 'rb')"): "input",
    ("feature_selection/_base.py", "attrgetter(getter)"): "importance_getter",
    ("feature_selection/_base.py", "attrgetter('coef_')"): "a fixed name",
    ("feature_selection/_base.py", "attrgetter('feature_importances_')"): "a fixed name",
    ("frozen/_frozen.py", "getattr(self.estimator, attr)"): "the name that the caller asks for",
    ("frozen/_frozen.py", "getattr(self.estimator, name)"): "the name that the caller asks for",
    ("gaussian_process/kernels.py", "getattr(self, arg)"): "names of its own signature",
    ("gaussian_process/kernels.py", "getattr(self, attr)"): "names of its own attributes",
    ("kernel_approximation.py", "getattr(self, param)"): "fixed names",
    ("model_selection/_validation.py", "getattr(estimator, method)"): "only while it learns",
    ("model_selection/_search.py", "getattr(self.estimator, attr)"): "the name that the caller asks for",
    ("model_selection/_search.py", "getattr(self.best_estimator_, attr)"): "the name that the caller asks for",
    ("model_selection/_split.py", "getattr(self, key, None)"): "names of its own signature",
    ("multiclass.py", "getattr(self.estimators_[0], attr)"): "the name that the caller asks for",
    ("multiclass.py", "getattr(self.estimator, attr)"): "the name that the caller asks for",
    ("multioutput.py", "_get_response_values(… chain_method)"): "chain_method_",
    ("multioutput.py", "_get_response_values(… output_method)"): "fixed names",
    ("pipeline.py", "getattr(self._final_estimator, attr)"): "the name that the caller asks for",
    ("tree/_export.py", "open(out_file, 'w', encoding='utf-8')"): "a function that no estimator calls",
}
# Parameters that may be any text, beside those whose values are fixed in `PARAMETERS`, and what becomes of the text.
ANY_TEXT = {
    "metric": "the name of a distance, looked up in a table",
    "encoding": "how bytes become text",
    "token_pattern": "a regular expression; a trial has an end",
    "separator": "stands between two names",
    "constant": "is answered",
    "pos_label": "is compared with classes",
    "outlier_label": "is answered",
    "threshold": "a number, or mean or median times one",
    "refit": "only while it learns",
    "pre_dispatch": "only while it learns",
    "scoring": "only while it learns",
}


def sources() -> Iterator[Path]:
    """Yield the files of the packages whose estimators may be in a pipeline."""
    for package in ESTIMATORS.split():
        alone = SOURCES / f"{package}.py"
        found = [alone] if alone.exists() else (SOURCES / package).rglob("*.py")
        yield from (path for path in found if "tests" not in path.parts)


def doings(path: Path) -> Iterator[tuple[str, str]]:
    """Yield each call in a file that looks up a name which is no constant, or reaches outside of the process."""
    for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(call, ast.Call):
            continue
        name = getattr(call.func, "id", getattr(call.func, "attr", ""))
        fixed = len(call.args) > 1 and isinstance(call.args[1], ast.Constant)
        if name in OUTSIDE or (name in BY_NAME and not fixed):
            yield path.relative_to(SOURCES).as_posix(), shown(call, name)


def shown(call: ast.Call, name: str) -> str:
    """Return a call as it is written; of scikit-learn's own helper the method that is asked for."""
    asked = next((ast.unparse(each.value) for each in call.keywords if each.arg == "response_method"), "")
    return f"{name}(… {asked})" if asked else ast.unparse(call)


def test_what_a_listed_package_does_by_name_was_looked_at() -> None:
    """Each place is known, and its parameter has its values in `PARAMETERS`, or there is none."""
    found = {doing for path in sources() for doing in doings(path)}
    parameters = {said for said in REVIEWED.values() if " " not in said}

    assert found == set(REVIEWED)
    assert {"memory", "input", "importance_getter", "stack_method_", "chain_method_"} == parameters <= set(PARAMETERS)


def test_what_takes_any_text_was_looked_at() -> None:
    """scikit-learn says what each parameter may be; where that is any text, it is fixed here or means no harm."""
    kinds = [kind for _, kind in all_estimators() if kind.__module__.split(".")[1] in ESTIMATORS.split()]
    any_text = {name for kind in kinds for name, allowed in getattr(kind, "_parameter_constraints", {}).items()
                if allowed != "no_validation" and (str in allowed or object in allowed)}  # fmt: skip

    assert len(kinds) > 150
    assert set(ANY_TEXT) == any_text - set(PARAMETERS)


def test_what_says_nothing_of_its_parameters_has_none_that_matter() -> None:
    """The estimators without such a description are these."""
    kinds = [kind for _, kind in all_estimators() if kind.__module__.split(".")[1] in ESTIMATORS.split()]
    silent = {kind.__name__ for kind in kinds if not getattr(kind, "_parameter_constraints", None)}

    assert {"FeatureUnion", "FrozenEstimator", "KernelCenterer", "LabelEncoder"} == silent
