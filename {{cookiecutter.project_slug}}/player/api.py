"""The routes: HTTP in, HTTP out. What happens in between is in the rooms this one calls."""

import hmac
import json
import logging
import time
import uuid
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, abort, current_app, jsonify, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import HTTPException, Unauthorized

from player import logging_config, metrics, wire
from player.config import Settings
from player.errors import NotDurable
from player.openapi import describe_api
from player.parts import Parts
from player.settings import Contract
from player.storage.writer import LabelRow, PredictionRow

log = logging.getLogger(__name__)

OPEN = (
    "api.predict",
    "api.live",
    "api.ready",
    "api.version",
    "api.openapi",
    "contract.show",
    "dashboard.static",
    "static",
)
MOST_LABELS = 10_000


def parts() -> Parts:
    """Return what `create_app` put together."""
    found: Parts = current_app.extensions["player"]
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
    """Answer one applicant: clean, predict, make durable, log; only then reply."""
    started = time.perf_counter()
    asked = wire.read_asked(request, parts().settings.contract)
    logging_config.request_id.set(asked.key)
    row = parts().writer.find(asked.key)
    warnings = asked.warnings
    if row is None:
        row = parts().writer.put_prediction(ask_model(asked, started))
    if row.features != wire.storable(asked.features):
        warnings = [*warnings, "request_id: used before with other features, this is the first answer"]
    metrics.count_prediction(row, time.perf_counter() - started)
    log.info("predicted %r proba=%.4f model=%s degraded=%s for %s in %.1f ms%s", row.pred, row.proba, row.model,
             row.degraded, client(), 1000 * (time.perf_counter() - started), shown(row))  # fmt: skip
    return reply(asked, row, warnings)


def ask_model(asked: wire.Asked, started: float) -> PredictionRow:
    """Return the model's answer as the row to store."""
    answer = parts().predictor.answer(asked.features)
    if answer.warnings:
        log.info("preprocessing repaired: %s", "; ".join(answer.warnings))
    return PredictionRow(
        request_id=asked.key,
        received_at=datetime.now(UTC),
        model=answer.model,
        pred=answer.pred,
        proba=answer.proba,
        degraded=answer.degraded,
        features=wire.storable(asked.features),
        warnings=[*asked.warnings, *answer.warnings],
        latency_ms=round(1000 * (time.perf_counter() - started), 3),
        client=client(),
    )


def reply(asked: wire.Asked, row: PredictionRow, warnings: list[str]) -> Response:
    """Return the answer under the names of the contract."""
    contract = parts().settings.contract
    return jsonify(
        {
            contract.request_id: asked.request_id,
            contract.prediction: row.pred,
            contract.probability: row.proba,
            "model": row.model,
            "degraded": row.degraded,
            "warnings": list(dict.fromkeys([*warnings, *row.warnings])),
        }
    )


def feedback() -> Response:
    """Store one label, or a list of labels; the answer says for each what became of it."""
    contract = parts().settings.contract
    body = wire.read_json(request.get_data())
    items = body if isinstance(body, list) else [body]
    if len(items) > MOST_LABELS:
        abort(413, f"At most {MOST_LABELS} labels in one request.")
    now = datetime.now(UTC)
    rows = [read_label(item, contract, now) for item in items]
    parts().quota.take(sender(), len(rows))
    statuses = parts().writer.put_labels(rows)
    metrics.count_labels(statuses)
    log.info("stored %d labels from %s", len(rows), client())
    results = [{contract.request_id: r.request_id, "status": s} for r, s in zip(rows, statuses, strict=True)]
    return jsonify(results if isinstance(body, list) else results[0])


def read_label(item: Any, contract: Contract, now: datetime) -> LabelRow:
    """Return one label of the body; anything but an id and a plain value is the sender's mistake."""
    if not isinstance(item, dict) or contract.request_id not in item or contract.label not in item:
        abort(422, f"Each label needs {contract.request_id!r} and {contract.label!r}.")
    request_id, label = item[contract.request_id], item[contract.label]
    if not isinstance(request_id, str | int) or isinstance(request_id, bool) or len(str(request_id)) > wire.LONGEST_ID:
        abort(422, f"{contract.request_id!r} must be a text or an integer of at most {wire.LONGEST_ID} characters.")
    if isinstance(label, dict | list) or label is None or len(str(label)) > wire.LONGEST_ID:
        abort(422, f"{contract.label!r} must be a plain value.")
    return LabelRow(str(uuid.uuid4()), wire.printable(str(request_id)), label, now, sender())


def live() -> Response:
    """Say that the process runs."""
    return jsonify({"live": True})


def ready() -> tuple[Response, int]:
    """Say whether an answer would be given and kept, and what is not as it should be."""
    reasons = parts().complaints()
    can_store = parts().writer.can_store()
    return jsonify({"ready": can_store, "reasons": reasons}), 200 if can_store else 503


def version() -> Response:
    """Say which model, project and environment this is."""
    settings = parts().settings
    return jsonify(
        {"model": parts().predictor.version, "project": settings.project.name, "environment": settings.environment}
    )


def show_metrics() -> Response:
    """Return the counters of all processes in Prometheus' text format."""
    return Response(metrics.render(parts().writer.status()), content_type=metrics.CONTENT_TYPE)


def openapi() -> Response:
    """Return the contract as an OpenAPI 3.1 document."""
    return jsonify(describe_api(parts().settings.contract, parts().predictor.schema))


def client() -> str:
    """Say who asks: the address of the other side."""
    return request.remote_addr or "unknown"


def sender() -> str:
    """Name whose quota a label counts against."""
    return client()


def shown(row: PredictionRow) -> str:
    """Return the features for the log line, or nothing where values must not be seen."""
    return f" features={json.dumps(row.features)}" if parts().settings.logging.show_values else ""


def name_request() -> None:
    """Give the log lines of this request its id: the one it brought in X-Request-ID until a better one is known."""
    logging_config.request_id.set(wire.printable(request.headers.get("X-Request-ID", "-")[: wire.LONGEST_ID]))


def check_key(settings: Settings) -> None:
    """Stop a request that needs the key and does not have it; runs before every request."""
    if not settings.access.key_required or request.endpoint in OPEN or request.endpoint is None:
        return
    given = request.authorization
    key = (given.token or given.password or "") if given else ""
    wanted = settings.api_key.get_secret_value() if settings.api_key else ""
    # Compared as bytes in constant time: the time of a refusal must not tell how much of a guess was right.
    if not wanted or not hmac.compare_digest(key.encode(), wanted.encode()):
        log.warning("refused %s for %s: no or wrong key", request.path, client())
        raise Unauthorized("Send the key: Authorization: Bearer KEY.", www_authenticate=WWWAuthenticate("basic"))


def check_origin() -> None:
    """Stop a browser that another site sent here."""
    origin = request.headers.get("Origin")
    if request.method not in ("GET", "HEAD", "OPTIONS") and origin and origin.partition("://")[2] != request.host:
        abort(403, "Requests from other sites are refused.")


def problem(status: int, title: str, detail: str, headers: dict[str, str] | None = None) -> Response:
    """Return an error as `application/problem+json` (RFC 9457)."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return Response(json.dumps(body), status, headers, content_type="application/problem+json")


def handle_http_error(error: HTTPException) -> Response:
    """Turn Flask's own refusals (404, 405, 413, …) into problem documents."""
    headers = {k: v for k, v in error.get_headers() if k in ("Allow", "WWW-Authenticate", "Retry-After")}
    return problem(error.code or 500, error.name, error.description or error.name, headers)


def handle_not_an_object(error: wire.NotAnObject) -> Response:
    """Say what was wrong with a body that is not a JSON object."""
    log.info("refused a body from %s: %s", client(), error)
    return problem(400, "Bad Request", str(error))


def handle_not_durable(error: NotDurable) -> Response:
    """Refuse honestly what could not be stored: an answer that was not kept is worse than none."""
    log.error("could not store a row: %s", error)
    return problem(503, "Service Unavailable", "The answer could not be stored; ask again.", {"Retry-After": "1"})


def handle_unexpected(error: Exception) -> Response:
    """Log what nobody foresaw with its traceback, and tell the client nothing about it."""
    log.exception("unexpected error in %s", request.path)
    return problem(
        500, "Internal Server Error", f"Unexpected error; the log has it under {logging_config.request_id.get()}."
    )
