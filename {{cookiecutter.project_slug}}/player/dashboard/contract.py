"""The contract as a page for people: every call with its body and its answer, filled in with this model's features."""

import json
from typing import Any

from flask import Blueprint, current_app, render_template, request

from player.openapi import describe_api
from player.parts import Parts


def create_blueprint() -> Blueprint:
    """Return the page `/docs` as a blueprint; its looks are those of the dashboard."""
    bp = Blueprint("contract", __name__, url_prefix="/docs", template_folder="templates")

    @bp.get("/", strict_slashes=False)
    def show() -> str:
        """Show how to ask for a prediction and how to bring a label."""
        parts: Parts = current_app.extensions["player"]
        paths = describe_api(parts.settings.contract, parts.predictor.schema)["paths"]
        calls = [(verb.upper(), path, call) for path, verbs in paths.items() for verb, call in verbs.items()]
        return render_template("contract.html", project=parts.settings.project.name, calls=calls,
                               example=example(parts), label=label(parts), host=request.host_url)  # fmt: skip

    return bp


def example(parts: Parts) -> str:
    """Return a request that can be sent as it stands: its features are typical of the training data."""
    contract, schema = parts.settings.contract, parts.predictor.schema
    described: dict[str, Any] = describe_api(contract, schema)["paths"][contract.predict]["post"]
    fields = described["requestBody"]["content"]["application/json"]["schema"]["properties"]
    asked = fields[contract.features]["properties"] if contract.features else fields
    features = {name: (field.get("examples") or [0])[0] for name, field in asked.items()}
    body = {contract.request_id: "my-first-request"}
    return json.dumps(body | ({contract.features: features} if contract.features else features))


def label(parts: Parts) -> str:
    """Return a label that can be sent as it stands."""
    contract = parts.settings.contract
    return json.dumps({contract.request_id: "my-first-request", contract.label: 1})
