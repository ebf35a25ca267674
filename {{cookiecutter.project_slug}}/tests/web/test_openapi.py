"""The contract says what may be sent, what comes back, and where a key is needed."""

from typing import Any

import pytest

from player.config import Settings
from player.repair import Feature
from player.training import Trained
from player.web.openapi import REFUSALS, describe_api, describe_feature


def described(
    settings: Settings, trained: Trained | None, keys: tuple[bool, bool] = (False, False), **names: str
) -> Any:
    """Return the document for a model, with other *names* in the contract."""
    contract = settings.contract.model_copy(update=names)
    return describe_api(contract, trained.schema if trained else None, *keys)


@pytest.mark.parametrize(
    ("keys", "predict", "feedback"),
    [((False, False), [], []), ((True, False), [], [{"key": []}]), ((True, True), [{"key": []}], [{"key": []}])],
)
def test_it_says_where_a_key_is_needed(
    settings: Settings, trained: Trained, keys: tuple[bool, bool], predict: list[Any], feedback: list[Any]
) -> None:
    """Labels and predictions are two decisions; both ways to ask are one."""
    paths = described(settings, trained, keys)["paths"]

    assert [predict, predict] == [paths["/api"][method]["security"] for method in ("get", "post")]
    assert feedback == paths["/feedback"]["post"]["security"]


@pytest.mark.parametrize(("name", "inside"), [("features", True), ("", False)])
def test_features_are_where_the_contract_has_them(
    settings: Settings, trained: Trained, name: str, inside: bool
) -> None:
    """In an object of their own, or beside the id."""
    paths = described(settings, trained, features=name)["paths"]
    body = paths["/api"]["post"]["requestBody"]
    properties = body["content"]["application/json"]["schema"]["properties"]
    names = [feature.name for feature in trained.schema.features]

    assert ["request_id", *([name] if inside else names)] == list(properties)
    assert names == list(properties[name]["properties"] if inside else properties)[0 if inside else 1 :]
    assert body["required"]
    assert [(each, "query") for each in names] == [(p["name"], p["in"]) for p in paths["/api"]["get"]["parameters"]]


def test_without_a_model_it_is_the_same_contract(settings: Settings) -> None:
    """Only the features are not known yet."""
    paths = described(settings, None)["paths"]

    assert [] == paths["/api"]["get"]["parameters"]
    assert {"/api", "/feedback", "/health/live", "/health/ready", "/version", "/openapi.json"} == set(paths)


def test_each_answer_is_described(settings: Settings, trained: Trained) -> None:
    """A good one with its names, and every refusal as a problem document."""
    responses = described(settings, trained, prediction="class")["paths"]["/api"]["post"]["responses"]
    answer = responses["200"]["content"]["application/json"]["schema"]

    assert ["request_id", "class", "proba"] == answer["required"]
    assert (0, 1) == (answer["properties"]["proba"]["minimum"], answer["properties"]["proba"]["maximum"])
    assert {"200", "409", *map(str, REFUSALS)} == set(responses)
    assert {"application/problem+json"} == {
        kind for status, each in responses.items() if status != "200" for kind in each["content"]
    }


def test_a_label_may_be_of_any_kind_and_come_in_a_list(settings: Settings) -> None:
    """Its id and its value are needed, under the names of the contract."""
    post = described(settings, None, label="truth")["paths"]["/feedback"]["post"]
    one, many = post["requestBody"]["content"]["application/json"]["schema"]["anyOf"]

    assert (["request_id", "truth"], one) == (one["required"], many["items"])
    assert ({"type": ["string", "integer"], "maxLength": 200}, ["request_id", "truth"]) == (
        one["properties"]["request_id"],
        list(one["properties"]),
    )
    assert post["requestBody"]["required"]


def test_an_example_of_a_feature_is_one_that_training_saw() -> None:
    """The middle of a range, the first category; of very many categories the first twenty are named."""
    many = tuple(f"c{number}" for number in range(25))

    assert {"description": "a number", "examples": [30]} == describe_feature(Feature("a", "number", 20, 40))
    found = describe_feature(Feature("b", "category", categories=many))
    assert (f"one of: {', '.join(many[:20])}", ["c0"]) == (found["description"], found["examples"])
