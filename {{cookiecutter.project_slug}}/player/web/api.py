"""The routes: HTTP in, HTTP out. What happens in between is in the rooms this one calls."""

import json
import logging
import time
import uuid
from datetime import UTC, datetime
from functools import partial
from typing import Any

from flask import Blueprint, Response, abort, current_app, jsonify, request

from player import logging_config
from player.reading.labels import Labels, labels_of
from player.repair import without_usual
from player.settings.sections import Contract
from player.storage.columns import printable
from player.storage.writer import LabelRow, PredictionRow
from player.web import access, metrics, payload
from player.web.components import Components
from player.web.openapi import describe_api

log = logging.getLogger(__name__)

MOST_LABELS = 10_000


def components() -> Components:
    """Return what `create_app` put together."""
    found: Components = current_app.extensions["player"]
    return found


def create_blueprint(contract: Contract) -> Blueprint:
    """Return the routes under the names of *contract*; each works with and without a slash at its end."""
    bp = Blueprint("api", __name__)
    routes = (
        (contract.predict, predict, ["GET", "POST"]),
        (contract.feedback, feedback, ["POST"]),
        ("/health/live", live, ["GET"]),
        ("/health/ready", ready, ["GET"]),
        ("/version", version, ["GET"]),
        ("/metrics", show_metrics, ["GET"]),
        ("/openapi.json", openapi, ["GET"]),
    )
    for path, view, methods in routes:
        for form in (path.rstrip("/"), f"{path.rstrip('/')}/"):
            bp.add_url_rule(form, view_func=view, methods=methods)
    return bp


def predict() -> Response:
    """Answer one case: clean, predict, make durable, log; only then reply."""
    started = time.perf_counter()
    caller = access.caller(components().keys)
    components().requests.take(caller, access.weight())  # before anything is read: a refusal costs next to nothing
    schema = components().predictor.schema
    asked = payload.read_asked(request, components().settings.contract, schema.names if schema else ())
    if "X-Request-ID" not in request.headers:
        logging_config.request_id.set(asked.key)
    asked, row, is_new = answer_once(asked, caller, started)
    metrics.count_prediction(row, time.perf_counter() - started)
    log.info("predicted %r proba=%.4f model=%s degraded=%s for %s in %.1f ms%s", row.pred, row.proba, row.model,
             row.degraded, access.client(), 1000 * (time.perf_counter() - started), shown(row))  # fmt: skip
    answer = reply(asked, row)
    if is_new:  # copied once the answer has left, so that the copy takes no time from it
        answer.call_on_close(partial(components().shadow.mirror, row.request_id, row.features))
    return answer


def answer_once(asked: payload.Asked, caller: str, started: float) -> tuple[payload.Asked, PredictionRow, bool]:
    """Return what was asked, its row, durable, and whether that is new.

    The same question by the same caller under the same id gets the answer it got before. An id that was used for
    something else is nobody's business: by setting, the question is answered under a new id, or refused with 409.
    """
    writer = components().writer
    made = ask_model(asked, caller, started)
    first = writer.put_prediction(made)
    if first is made:
        return asked, made, True
    if first.client == caller and payload.same(first.features, made.features):
        return asked, first, False
    if components().settings.access.reused_ids == "refuse":
        abort(409, "This request_id was used for something else; send a new one.")
    asked = asked.under_new_id()
    return asked, writer.put_prediction(ask_model(asked, caller, started)), True


def ask_model(asked: payload.Asked, caller: str, started: float) -> PredictionRow:
    """Return the model's answer as the row to store."""
    answer = components().predictor.answer(asked.features)
    repaired = without_usual(answer.warnings) if asked.written else answer.warnings
    if repaired:
        said = "; ".join(repaired) if components().settings.logging.show_values else f"{len(repaired)} values"
        log.info("preprocessing repaired: %s", said)
    return PredictionRow(
        request_id=asked.key,
        received_at=datetime.now(UTC),
        model=answer.model,
        pred=answer.pred,
        proba=answer.proba,
        degraded=answer.degraded,
        features=what_is_kept(asked),
        warnings=[each[: payload.LONGEST_WARNING] for each in [*asked.warnings, *repaired][: payload.MOST_WARNINGS]],
        latency_ms=round(1000 * (time.perf_counter() - started), 3),
        client=caller,
    )


def what_is_kept(asked: payload.Asked) -> dict[str, Any]:
    """Return what the row keeps of the features; when the disk is nearly full, the room is for answers and labels."""
    found = components()
    if found.writer.nearly_full():
        return {payload.CUT: "the disk was nearly full, the answer alone was kept"}
    schema = found.predictor.schema
    return payload.kept(asked.features, found.settings.storage.most_row_bytes, schema.names if schema else ())


def reply(asked: payload.Asked, row: PredictionRow) -> Response:
    """Return the answer under the names of the contract; where that has no prediction, the probability alone."""
    contract = components().settings.contract
    if not contract.prediction:
        return jsonify({contract.probability: row.proba})
    return jsonify(
        {
            contract.request_id: asked.request_id,
            contract.prediction: row.pred,
            contract.probability: row.proba,
            "model": row.model,
            "degraded": row.degraded,
            "warnings": list(dict.fromkeys([*asked.warnings, *row.warnings])),
        }
    )


def feedback() -> Response:
    """Store one label, or a list of labels; the answer says for each what became of it."""
    contract = components().settings.contract
    body = payload.read_json(request.get_data())
    items = body if isinstance(body, list) else [body]
    if len(items) > MOST_LABELS:
        abort(413, f"At most {MOST_LABELS} labels in one request.")
    now = datetime.now(UTC)
    classes = labels_of(tuple(components().predictor.classes))
    rows = [read_label(item, contract, now, classes) for item in items]
    components().quota.take(access.caller(components().keys), len(rows))
    statuses = components().writer.put_labels(rows)
    metrics.count_labels(statuses)
    log.info("stored %d labels from %s", len(rows), access.client())
    results = [{contract.request_id: r.request_id, "status": s} for r, s in zip(rows, statuses, strict=True)]
    return jsonify(results if isinstance(body, list) else results[0])


def read_label(item: Any, contract: Contract, now: datetime, classes: Labels) -> LabelRow:
    """Return one label of the body; anything but an id and a plain value is the sender's mistake.

    A label that means a class of the model is kept as that class, any other one as it came.
    """
    if not isinstance(item, dict) or contract.request_id not in item or contract.label not in item:
        abort(422, f"Each label needs {contract.request_id!r} and {contract.label!r}.")
    request_id, label = item[contract.request_id], item[contract.label]
    if (
        not isinstance(request_id, str | int)
        or isinstance(request_id, bool)
        or len(str(request_id)) > payload.LONGEST_ID
    ):
        abort(422, f"{contract.request_id!r} must be a text or an integer of at most {payload.LONGEST_ID} characters.")
    if isinstance(label, dict | list) or label is None or len(str(label)) > payload.LONGEST_ID:
        abort(422, f"{contract.label!r} must be a plain value.")
    known = classes.read(label)
    strange = known is None and bool(classes.classes)
    label = label if known is None else known
    return LabelRow(
        str(uuid.uuid4()), printable(str(request_id)), label, now, access.caller(components().keys), strange
    )


def live() -> Response:
    """Say that the process runs."""
    return jsonify({"live": True})


def ready() -> tuple[Response, int]:
    """Say whether an answer would be given and kept, and what is not as it should be."""
    reasons = components().complaints()
    can_store = components().writer.can_store()
    if not can_store:
        reasons.insert(0, "rows cannot be made durable; the log says why")
    return jsonify({"ready": can_store, "reasons": reasons}), 200 if can_store else 503


def version() -> Response:
    """Say which model, project and environment this is."""
    settings = components().settings
    return jsonify(
        {"model": components().predictor.version, "project": settings.project.name, "environment": settings.environment}
    )


def show_metrics() -> Response:
    """Return the counters of all processes in Prometheus' text format."""
    return Response(metrics.render(components().writer.status()), content_type=metrics.CONTENT_TYPE)


def openapi() -> Response:
    """Return the contract as an OpenAPI 3.1 document."""
    settings = components().settings
    schema, needs = components().predictor.schema, (settings.access.key_required, settings.predict_needs_key)
    return jsonify(describe_api(settings.contract, schema, *needs))


def shown(row: PredictionRow) -> str:
    """Return the features for the log line, or nothing where values must not be seen."""
    return f" features={json.dumps(row.features)}" if components().settings.logging.show_values else ""
