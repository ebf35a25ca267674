"""The plan: the same answers as the pipeline it was made from, or none at all."""

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kinds import KINDS, a_table, boosted_categories, columns, ends_in
from sklearn import datasets, ensemble, impute, preprocessing
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV, _TemperatureScaling
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

from player.config import Settings
from player.errors import ModelFailed
from player.features import Schema, clean_table, read_schema, to_table
from player.learning.asking import ask
from player.model import loading, saving, store
from player.model.answering import Link
from player.model.fast import rehearsal
from player.model.fast.calibration import at_temperature, each_by_itself
from player.model.fast.plan import Plan, Shortcut, make_plan, make_shortcut
from player.model.fast.preparation import Preparation
from player.model.fast.rehearsal import odd_rows, rehearsed, rehearsed_plan
from player.model.fast.scorecard import Scorecard, Scorecards
from player.model.fast.trees import Forest
from player.reading.cells import with_codes
from player.training import Trained, build_pipeline

pytestmark = pytest.mark.filterwarnings("ignore:lbfgs failed to converge")

ORDINAL = preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
INFREQUENT = preprocessing.OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=100)
TARGET = preprocessing.TargetEncoder(cv=3)
MARKED = impute.SimpleImputer(add_indicator=True)
PREPARATIONS: dict[str, Callable[[Schema], Any]] = {
    "filled, scaled, one-hot": columns,
    "filled and marked, robust, infrequent": lambda s: columns(s, preprocessing.RobustScaler(), INFREQUENT, MARKED),
    "min-max, target": lambda s: columns(s, preprocessing.MinMaxScaler(), TARGET),
    "filled, scaled without a mean": lambda s: columns(s, preprocessing.StandardScaler(with_mean=False)),
    "passed through, ordinal, all scaled": lambda s: make_pipeline(
        columns(s, "passthrough", ORDINAL), preprocessing.MaxAbsScaler()
    ),
}
CLASSIFIERS: dict[str, Any] = {
    "logistic regression": LogisticRegression(max_iter=500),
    "boosted histograms": ensemble.HistGradientBoostingClassifier(max_iter=10, min_samples_leaf=5),
    "random forest": ensemble.RandomForestClassifier(12, random_state=0),
    "extra trees": ensemble.ExtraTreesClassifier(12, random_state=0),
    "boosted trees": ensemble.GradientBoostingClassifier(n_estimators=10, random_state=0),
    "one tree": DecisionTreeClassifier(random_state=0),
}
STUMP = DecisionTreeClassifier(max_depth=1)
TAKE_GAPS = ("boosted histograms", "random forest", "extra trees", "one tree")


class Case:
    """A table that is learned from, and what the manifest of a model says about it."""

    def __init__(self, table: pd.DataFrame, settings: Settings, truth: np.ndarray | None = None) -> None:
        """Take *truth*, else the column `repaid`, as the labels of *table*."""
        self.schema = read_schema(table, settings.data)
        self.features = clean_table(table, self.schema)
        self.truth = table["repaid"].to_numpy() if truth is None else truth
        self.examples: list[dict[str, Any]] = [
            {name: None if pd.isna(value) else value for name, value in row.items()}
            for row in self.features.tail(20).to_dict("records")
        ]

    def fit(self, pipeline: Any) -> Any:
        """Return *pipeline*, having learned."""
        return pipeline.fit(self.features, self.truth)

    def plan(self, pipeline: Any) -> tuple[Plan | Shortcut | None, str]:
        """Return the plan of a fitted *pipeline*, or why it has none."""
        return rehearsed_plan(pipeline, self.schema, self.examples, list(pipeline.classes_))

    def check(self, pipeline: Any, kind: str) -> None:
        """Fail unless *pipeline* has a plan of *kind* that says the same as it does, of new rows."""
        plan, reason = self.plan(self.fit(pipeline))
        assert plan is not None, reason
        assert kind == plan.kind
        rows = [*odd_rows(self.schema, 900)[600:], *self.examples]
        chosen, proba = ask(pipeline, to_table(rows, self.schema), list(pipeline.classes_))
        answers = [plan.ask(row) for row in rows]
        assert chosen.tolist() == [place for place, _ in answers]
        assert np.abs(proba - [said for _, said in answers]).max() <= 1e-12
        shortcut, reason = rehearsed(make_shortcut, pipeline, self.schema, self.examples, list(pipeline.classes_))
        if shortcut is None:
            assert "takes a table with names" in reason
            return
        places, probas = shortcut.ask_table(with_codes(to_table(rows, self.schema)))
        assert chosen.tolist() == places.tolist()
        assert np.abs(proba - probas).max() <= 1e-12


@pytest.fixture(name="case")
def _case(settings: Settings) -> Case:
    """A small table with gaps, numbers and texts, and two classes."""
    return Case(a_table(), settings)


@pytest.fixture(name="three")
def _three(settings: Settings) -> Case:
    """The same with three classes that are texts."""
    table = a_table()
    third = (table["z"] > 20).to_numpy() & (table["repaid"] == 1).to_numpy()
    return Case(table, settings, np.array(["no", "perhaps", "yes"], dtype=object)[table["repaid"] + third])


@pytest.mark.parametrize("classes", ["case", "three"])
@pytest.mark.parametrize("classifier", CLASSIFIERS)
@pytest.mark.parametrize("preparation", PREPARATIONS)
def test_a_plan_says_what_the_pipeline_says(
    preparation: str, classifier: str, classes: str, request: pytest.FixtureRequest
) -> None:
    """Whatever a row brings: the same class, and the same probabilities within 1e-12."""
    case: Case = request.getfixturevalue(classes)
    kind = "scorecard" if classifier == "logistic regression" else "trees"

    case.check(make_pipeline(PREPARATIONS[preparation](case.schema), CLASSIFIERS[classifier]), kind)


@pytest.mark.parametrize("classifier", TAKE_GAPS)
def test_gaps_that_are_left_to_the_trees(classifier: str, case: Case) -> None:
    """A missing value takes the way that each split learned for it."""
    case.check(make_pipeline(columns(case.schema, "passthrough", fill="passthrough"), CLASSIFIERS[classifier]), "trees")


def test_categories_that_are_left_to_the_trees(case: Case, three: Case) -> None:
    """Histograms split a category by sets, also one that is missing or unseen."""
    for each in (case, three):
        each.check(boosted_categories(each.schema), "trees")


@pytest.mark.parametrize("ensembled", [True, False])
@pytest.mark.parametrize("method", ["sigmoid", "isotonic", "temperature"])
@pytest.mark.parametrize("classifier", ["logistic regression", "boosted histograms", "random forest"])
def test_a_calibrated_classifier_has_a_plan(
    classifier: str, method: str, ensembled: bool, case: Case, three: Case
) -> None:
    """With each method, as one model or as the average of several, with two classes and with three."""
    for each in (case, three):
        calibrated = CalibratedClassifierCV(CLASSIFIERS[classifier], method=method, cv=2, ensemble=ensembled)
        each.check(
            make_pipeline(columns(each.schema), calibrated),
            "scorecard" if classifier == "logistic regression" else "trees",
        )


@pytest.mark.parametrize("said", [[2e-16, 1.0], [1.0, 0.0], [0.25, 0.75], [0.5, 0.3, 0.2], [-3.0], [2.0, -1.0, 0.5]])
def test_a_temperature_is_that_of_scikit_learn(said: list[float]) -> None:
    """Also where a logarithm is steepest: at nearly nothing."""
    scaling = _TemperatureScaling()
    scaling.beta_ = 0.05
    given = [1 - said[1], said[1]] if len(said) == 2 else said  # what scikit-learn hands on of two classes

    assert np.abs(scaling.predict(np.array([given])) - at_temperature(0.05, said)).max() <= 1e-12


def test_classes_that_no_curve_gives_a_chance_are_equally_likely() -> None:
    """As scikit-learn has it."""
    assert [1 / 3] * 3 == each_by_itself([lambda _: 0.0] * 3, [1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    ("kind", "plan"),
    [("grid search", "trees"), ("calibrated search", "scorecard"), ("a pipeline in a pipeline", "scorecard"),
     ("selection by a model", "scorecard"), ("columns by kind", "scorecard"), ("linear discriminant", "scorecard"),
     ("linear support vectors, calibrated", "scorecard")],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore")
def test_what_is_wrapped_has_a_plan(kind: str, plan: str, case: Case) -> None:
    """A search, a selection, a pipeline within another: what they hold is what answers."""
    case.check(KINDS[kind](case.schema), plan)


def test_of_two_equally_likely_classes_the_one_that_the_classifier_names(settings: Settings) -> None:
    """Gradient boosting names the second, all others the first."""
    case = Case(a_table(), settings, np.arange(300) % 2)
    for classifier, place in (
        (ensemble.GradientBoostingClassifier(n_estimators=1, learning_rate=0.0), 1),
        (ensemble.HistGradientBoostingClassifier(max_iter=1, min_samples_leaf=300), 0),
    ):
        pipeline = make_pipeline(columns(case.schema), classifier)

        case.check(pipeline, "trees")
        assert {place} == set(pipeline.predict(case.features))


@pytest.mark.parametrize("load", [datasets.load_iris, datasets.load_wine, datasets.load_breast_cancer])
@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_real_tables(load: Callable[..., Any], classifier: str, settings: Settings) -> None:
    """Tables that were measured, not drawn."""
    found = load(as_frame=True)
    case = Case(found.data.assign(repaid=found.target), settings, found.target.to_numpy())
    pipeline = make_pipeline(impute.SimpleImputer(), preprocessing.StandardScaler(), CLASSIFIERS[classifier])

    case.check(pipeline, "scorecard" if classifier == "logistic regression" else "trees")


def test_the_project_s_model_has_one(trained: Trained) -> None:
    """What `player train` makes is answered as a sum."""
    plan, reason = rehearsed_plan(trained.pipeline, trained.schema, trained.examples, trained.classes)

    assert ("scorecard", "") == (plan.kind if plan else "none", reason)


@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_small_and_large_numbers(scale: float, trained: Trained, table: pd.DataFrame) -> None:
    """The unit of a column does not matter."""
    features = clean_table(table, trained.schema)
    number = next(feature for feature in trained.schema.features if feature.kind == "number")
    scaled = features.assign(**{number.name: features[number.name] * scale})
    schema = Schema(
        tuple(replace(f, low=f.low * scale, high=f.high * scale) if f is number else f
              for f in trained.schema.features),
        "repaid",
    )  # fmt: skip
    pipeline = build_pipeline(schema).fit(scaled, table["repaid"])

    assert rehearsed_plan(pipeline, schema, scaled.head(3).to_dict("records"), [0, 1])[0] is not None


class Crooked(TransformerMixin, BaseEstimator):
    """A step of one's own: a number is another one at a single place that no rehearsal would find."""

    def fit(self, table: Any, truth: Any = None) -> "Crooked":
        """Learn nothing."""
        self.fitted_ = True
        return self

    def transform(self, table: Any) -> Any:
        """Return *table* with one number changed."""
        return np.where(table == 0.123456789, 1e6, table)


SHORTCUTS = [
    "naive Bayes",
    "soft voting",
    "support vectors with Platt's probabilities",
    "neighbours",
    "neural network",
    "calibrated, isotonic",
    "fixed threshold",
    "stochastic gradient",
    "principal components",
    "polynomials",
]


@pytest.mark.parametrize("kind", SHORTCUTS)
@pytest.mark.filterwarnings("ignore")
def test_another_classifier_is_asked_itself(kind: str, case: Case) -> None:
    """Without a table, and its own `predict` names the class."""
    case.check(KINDS[kind](case.schema), "classifier")


def test_steps_of_one_s_own_behind_the_columns_are_asked_themselves(case: Case) -> None:
    """A step that nobody can measure belongs to what is asked."""
    case.check(ends_in(CLASSIFIERS["random forest"], Crooked())(case.schema), "classifier")


WHOLE_NUMBERS = preprocessing.OneHotEncoder(handle_unknown="ignore")
OTHERS: dict[str, tuple[Callable[[Schema], Any], str]] = {
    "a step of one's own before the columns": (
        lambda s: make_pipeline(columns(s, Crooked()), CLASSIFIERS["logistic regression"]),
        "Crooked is asked",
    ),
    "words": (KINDS["words of a text"], "TfidfVectorizer is asked"),
    "bins": (KINDS["bins"], "KBinsDiscretizer is asked"),
    "a function": (KINDS["function of NumPy"], "FunctionTransformer is asked"),
    "numbers taken for categories": (
        lambda s: make_pipeline(columns(s, WHOLE_NUMBERS), CLASSIFIERS["random forest"]),
        "a column of x is neither",
    ),
    "numbers taken for categories by a regression": (
        lambda s: make_pipeline(columns(s, WHOLE_NUMBERS), CLASSIFIERS["logistic regression"]),
        "scorecard is not used",
    ),
    "clipped numbers": (
        lambda s: make_pipeline(columns(s, preprocessing.MinMaxScaler(clip=True)), CLASSIFIERS["boosted trees"]),
        "a column of x is neither",
    ),
}


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.filterwarnings("ignore")
def test_what_has_no_plan_is_asked_as_a_pipeline(name: str, case: Case) -> None:
    """The reason names what it is that has none."""
    build, expected = OTHERS[name]

    plan, reason = case.plan(case.fit(build(case.schema)))

    assert plan is None
    assert expected in reason


def another_coefficient(plan: Plan) -> Plan:
    """Return *plan*, whose first number counts a thousandth more for each unit."""
    (member,), source = plan.members, plan.members[0].source
    assert isinstance(source, Scorecards)
    (card,) = source.cards
    (name, missing, slope), *others = card.numbers
    changed = replace(card, numbers=((name, missing, slope * 1.001), *others))
    return replace(plan, members=(replace(member, source=Scorecards((changed,))),))


def another_category(plan: Plan) -> Plan:
    """Return *plan*, for which one category is an unseen one."""
    member, source = plan.members[0], plan.members[0].source
    if isinstance(source, Scorecards):
        name, points, unseen = source.cards[0].categories[0]
        changed: Any = replace(source.cards[0], categories=((name, {**points, "red": unseen},
                                                             unseen), *source.cards[0].categories[1:]))  # fmt: skip
        return replace(plan, members=(replace(member, source=Scorecards((changed,))),))
    name, table, unseen_columns = source.preparation.categories[0]
    table = {**table, "red": unseen_columns}
    preparation = replace(
        source.preparation, categories=((name, table, unseen_columns), *source.preparation.categories[1:])
    )
    return replace(plan, members=(replace(member, source=Forest(preparation, source.model, source.read)),))


def another_split(place: int) -> Callable[[Plan], Plan]:
    """Return what changes one of the last splits of the tree at *place*, so little that few rows fall between."""

    def change(plan: Plan) -> Plan:
        source = plan.members[0].source
        assert isinstance(source, Forest)
        tree = source.model.get_tree_accessor(place)
        thresholds = tree.get_field("threshold").copy()
        thresholds[np.flatnonzero(tree.get_field("node_type"))[-1]] += 1e-3
        tree.set_field("threshold", thresholds)
        return plan

    return change


SABOTAGE = {
    "a coefficient": ("logistic regression", another_coefficient),
    "a category of a sum": ("logistic regression", another_category),
    "a category of a forest": ("random forest", another_category),
    "a category that no tree asks for": ("a stump", another_category),
    "a split of the first histograms": ("boosted histograms", another_split(0)),
    "a split of the last histograms": ("boosted histograms", another_split(9)),
    "a split of a forest": ("random forest", another_split(7)),
    "a split of boosted trees": ("boosted trees", another_split(5)),
    "a split of one tree": ("one tree", another_split(0)),
}


@pytest.mark.parametrize("name", SABOTAGE)
def test_a_plan_that_was_changed_is_refused(name: str, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """One coefficient, one split, one category is enough."""
    classifier, change = SABOTAGE[name]
    pipeline = case.fit(make_pipeline(columns(case.schema), CLASSIFIERS.get(classifier, STUMP)))
    assert case.plan(pipeline)[0] is not None
    monkeypatch.setattr(rehearsal, "make_plan", lambda *given: change(make_plan(*given)))

    plan, reason = case.plan(pipeline)

    assert not isinstance(plan, Plan)
    assert "is not used: " in reason


def test_a_split_is_not_missed_where_no_row_falls(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trees that scikit-learn keeps one by one are compared split by split, however many there are."""
    pipeline = case.fit(make_pipeline(columns(case.schema), CLASSIFIERS["random forest"]))
    monkeypatch.setattr(rehearsal, "make_plan", lambda *given: another_split(7)(make_plan(*given)))
    monkeypatch.setattr(rehearsal, "PROBE_VECTORS", 0)

    assert "a split is another one" in case.plan(pipeline)[1]


def linked(pipeline: Any, trained: Trained, settings: Settings) -> Link:
    """Return the model of *pipeline*, as it was trained, loaded and warm."""
    other = Trained(**{**vars(trained), "pipeline": pipeline})
    link = Link(loading.load(saving.save(other, settings).version, settings), 5.0)
    link.warm_up()
    return link


@pytest.mark.parametrize("classifier", ["logistic regression", "random forest", "boosted histograms"])
def test_one_row_and_many_are_answered_alike(
    classifier: str, trained: Trained, table: pd.DataFrame, model_settings: Settings
) -> None:
    """To the last digit that is answered, from the plan and from the pipeline."""
    pipeline = make_pipeline(columns(trained.schema), CLASSIFIERS[classifier])
    pipeline.fit(clean_table(table, trained.schema), table["repaid"])
    link = linked(pipeline, trained, model_settings)
    examples = link.model.manifest.examples

    assert link.plan is not None
    assert link.answer(examples) == [link.answer([example])[0] for example in examples]


def test_a_file_is_scored_without_the_pipeline(
    model_settings: Settings, table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where that fails it is asked all the same; without a shortcut it is asked at once."""
    link = Link(loading.load(store.current_manifest(model_settings).version, model_settings), 5.0)
    coded = with_codes(clean_table(table, link.model.schema))
    places, probas = link.predict_table(coded)
    asked: list[Any] = []
    ask_pipeline = link.ask_pipeline
    monkeypatch.setattr(link, "ask_pipeline", lambda given: asked.append(given) or ask_pipeline(given))

    assert np.array_equal(places, link.predict_table(coded)[0])
    assert [] == asked
    for broken in (Shortcut(None, [], None), None):  # type: ignore[arg-type]
        monkeypatch.setattr(link, "shortcut", broken)
        again = link.predict_table(coded)
        assert np.array_equal(places, again[0])
        assert np.array_equal(probas, again[1])
    assert 2 == len(asked)


def test_columns_that_differ_in_a_file_are_refused(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are made by another function than those of one row."""
    pipeline = case.fit(make_pipeline(columns(case.schema), GaussianNB()))
    assert isinstance(case.plan(pipeline)[0], Shortcut)
    matrix = Preparation.matrix
    monkeypatch.setattr(Preparation, "matrix", lambda *given: matrix(*given) + 1e-9)

    assert (None, True) == ((found := case.plan(pipeline))[0], "the steps before it make other columns" in found[1])


def test_a_plan_that_fails_leaves_the_answer_to_the_pipeline(model_settings: Settings) -> None:
    """Nothing that is only meant to be fast may cost an answer."""
    link = Link(loading.load(store.current_manifest(model_settings).version, model_settings), 5.0)
    example = link.model.manifest.examples[0]
    expected = link.answer([example])
    link.warm_up()
    assert isinstance(link.plan, Plan)
    for base in (float("nan"), "no number"):
        broken = Scorecards((Scorecard(base, (), ()),))  # type: ignore[arg-type]
        link.plan = replace(link.plan, members=(replace(link.plan.members[0], source=broken),))

        assert expected == link.answer([example])


def test_a_classifier_that_fails_leaves_the_answer_to_the_pipeline(
    trained: Trained, model_settings: Settings, table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is asked itself has the time of an answer, and the pipeline the rest of it."""
    pipeline = make_pipeline(columns(trained.schema), GaussianNB())
    pipeline.fit(clean_table(table, trained.schema), table["repaid"])
    link = linked(pipeline, trained, model_settings)
    example = link.model.manifest.examples[0]
    assert isinstance(link.plan, Shortcut)
    expected = link.answer([example])
    assert link.answer([example, example])[0] == expected[0]

    asked: list[Any] = []
    monkeypatch.setattr(Shortcut, "ask", lambda *given: asked.append(given) or 1 / 0)
    assert expected == link.answer([example])
    assert 1 == len(asked)


def test_a_classifier_that_is_slow_loses_only_its_time(
    trained: Trained, model_settings: Settings, table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is given up after the seconds of an answer, as a pipeline is."""
    pipeline = make_pipeline(columns(trained.schema), GaussianNB())
    pipeline.fit(clean_table(table, trained.schema), table["repaid"])
    link = linked(pipeline, trained, model_settings)
    link.seconds = 0.05
    done = threading.Event()
    monkeypatch.setattr(Shortcut, "ask", lambda *_: done.wait(10))

    with pytest.raises(ModelFailed, match="took longer than"):
        link.answer([link.model.manifest.examples[0]])
    done.set()


def test_a_link_without_one_answers_from_the_pipeline(
    trained: Trained, model_settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """And one line says why."""
    rows = pd.DataFrame(0, index=range(4), columns=trained.schema.names)
    with caplog.at_level(logging.INFO, "player.model.answering"):
        link = linked(DummyClassifier(strategy="prior").fit(rows, [0, 1, 1, 1]), trained, model_settings)

    assert link.plan is None
    assert (1, 0.75) == (link.answer([{}])[0].pred, link.answer([{}])[0].proba)
    said = f"model {link.version} answers single requests from its pipeline (DummyClassifier is asked as it is; "
    assert [said] == [line[: len(said)] for line in caplog.messages if "single requests" in line]
