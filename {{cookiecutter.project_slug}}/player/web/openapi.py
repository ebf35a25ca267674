"""The contract as an OpenAPI 3.1 document, made from the configuration and the schema of the model."""

from typing import Any

from player.features import Schema
from player.repair import Feature
from player.settings.sections import Contract

JSON = "application/json"
REFUSALS = {
    400: "the request cannot be understood",
    401: "no key, or none that opens this",
    403: "sent by another site",
    413: "more than one request may have",
    415: "not the kind of body that is read here",
    422: "a label that cannot be kept",
    429: "this caller had its share of this minute; Retry-After says when to ask again",
    503: "too much at once, or no room to keep the answer; ask again",
}
USED = "this request_id was used for something else, and [access].reused_ids says to refuse that"


def describe_api(
    contract: Contract, schema: Schema | None, key_required: bool, predict_needs_key: bool
) -> dict[str, Any]:
    """Return the document: paths, bodies and answers under the names of *contract*, features of *schema*.

    *key_required*: labels need the key. *predict_needs_key*: predictions need one too.
    """
    features = {f.name: describe_feature(f) for f in schema.features} if schema else {}
    return {
        "openapi": "3.1.0",
        "info": {"title": "player", "version": "1", "description": "Predictions, labels and health of one model."},
        "paths": {
            contract.predict: describe_predict(contract, features, predict_needs_key),
            contract.feedback: {"post": describe_feedback(contract, key_required)},
            "/health/live": {"get": operation("Whether the process runs")},
            "/health/ready": {"get": operation("Whether answers are given and kept")},
            "/version": {"get": operation("Model, project and environment")},
            "/openapi.json": {"get": operation("This document")},
        },
        "components": {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
    }


def describe_feature(feature: Feature) -> dict[str, Any]:
    """Return what a feature looks like; any JSON value is accepted and repaired, so nothing is forbidden."""
    if feature.kind == "number":
        return {"description": "a number", "examples": [round((feature.low + feature.high) / 2)]}
    return {"description": f"one of: {', '.join(feature.categories[:20])}", "examples": list(feature.categories[:1])}


def describe_predict(contract: Contract, features: dict[str, Any], needs_key: bool) -> dict[str, Any]:
    """Return the two ways to ask for a prediction, with the key where it is needed."""
    request_id = {"description": "a text or an integer; made when it is absent or neither", "examples": ["a-1", 7]}
    envelope = {"type": "object", "properties": {contract.request_id: request_id}}
    # No type: what is no object is repaired as well, with a warning.
    asked: dict[str, Any] = {"description": "an object", "properties": features}
    if contract.features:
        envelope["properties"] |= {contract.features: asked}  # type: ignore[operator]
    else:
        envelope["properties"] |= features  # type: ignore[operator]
    answer = describe_answer(contract)
    post = operation("Ask for a prediction", answer)
    post["requestBody"] = {"required": True, "content": {JSON: {"schema": envelope}}}
    get = operation("Ask for a prediction, features as query arguments", answer)
    get["parameters"] = [{"name": name, "in": "query", "schema": {}} for name in features]
    for each in (post, get):
        each["responses"]["409"] = problem(USED)
        each["security"] = [{"key": []}] if needs_key else []
    return {"post": post, "get": get}


def describe_answer(contract: Contract) -> dict[str, Any]:
    """Return what comes back; where the contract has no prediction it is the probability alone."""
    probability = {contract.probability: {"type": "number", "minimum": 0, "maximum": 1}}
    if not contract.prediction:
        return {"type": "object", "required": [contract.probability], "properties": probability}
    return {
        "type": "object",
        "required": [contract.request_id, contract.prediction, contract.probability],
        "properties": {
            contract.request_id: {"type": ["string", "integer"]},
            contract.prediction: {"description": "the predicted label"},
            **probability,
            "model": {"type": "string"},
            "degraded": {"type": "boolean"},
            "warnings": {"type": "array", "items": {"type": "string"}},
        },
    }


def describe_feedback(contract: Contract, key_required: bool) -> dict[str, Any]:
    """Return how labels are brought, with the key where it is required."""
    item = {
        "type": "object",
        "required": [contract.request_id, contract.label],
        "properties": {
            contract.request_id: {"type": ["string", "integer"], "maxLength": 200},
            contract.label: {"type": ["string", "integer", "number", "boolean"]},
        },
    }
    post = operation("Bring the true label of one request, or of a list of them")
    post["requestBody"] = {
        "required": True,
        "content": {JSON: {"schema": {"anyOf": [item, {"type": "array", "items": item}]}}},
    }
    post["security"] = [{"key": []}] if key_required else []
    return post


def operation(summary: str, answer: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return one operation with its good answer and the problems every route may report."""
    good = {"description": "OK", "content": {JSON: {"schema": answer or {}}}}
    refusals = {str(status): problem(what) for status, what in REFUSALS.items()}
    return {"summary": summary, "responses": {"200": good, **refusals}}


def problem(what: str) -> dict[str, Any]:
    """Return an answer that is a problem document (RFC 9457)."""
    return {"description": what, "content": {"application/problem+json": {"schema": {"type": "object"}}}}
