"""The contract as a page for people: every call with its body and its answer, filled in with this model's features."""

import json
from typing import Any

from flask import Blueprint, current_app, render_template, request

from player.web.components import Components
from player.web.openapi import describe_api


def create_blueprint() -> Blueprint:
    """Return the page `/docs` as a blueprint; its looks are those of the dashboard."""
    bp = Blueprint("contract", __name__, url_prefix="/docs", template_folder="templates")

    @bp.get("/", strict_slashes=False)
    def show() -> str:
        """Show how to ask for a prediction and how to bring a label."""
        components: Components = current_app.extensions["player"]
        paths = described(components)
        calls = [(verb.upper(), path, call) for path, verbs in paths.items() for verb, call in verbs.items()]
        return render_template("docs_page.html", project=components.settings.project.name, calls=calls,
                               example=example(components), label=label(components), host=request.host_url)  # fmt: skip

    return bp


def described(components: Components) -> dict[str, Any]:
    """Return the paths of the contract, as `/openapi.json` has them."""
    settings = components.settings
    needs = settings.access.key_required, settings.predict_needs_key
    paths: dict[str, Any] = describe_api(settings.contract, components.predictor.schema, *needs)["paths"]
    return paths


def typical_features(components: Components) -> dict[str, Any]:
    """Return features as they are typical of the training data; none without a model."""
    contract = components.settings.contract
    body = described(components)[contract.predict]["post"]["requestBody"]
    fields = body["content"]["application/json"]["schema"]["properties"]
    asked = fields[contract.features]["properties"] if contract.features else fields
    return {name: (field.get("examples") or [0])[0] for name, field in asked.items() if name != contract.request_id}


def example(components: Components) -> str:
    """Return a request that can be sent as it stands."""
    contract, features = components.settings.contract, typical_features(components)
    body = {contract.request_id: "my-first-request"}
    return json.dumps(body | ({contract.features: features} if contract.features else features))


def label(components: Components) -> str:
    """Return a label that can be sent as it stands."""
    contract = components.settings.contract
    return json.dumps({contract.request_id: "my-first-request", contract.label: 1})
