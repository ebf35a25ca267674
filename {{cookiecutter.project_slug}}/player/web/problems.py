"""How refusals and errors look on the wire: `application/problem+json` (RFC 9457), never HTML."""

import json
import logging

from flask import Response, request
from werkzeug.exceptions import HTTPException

from player.errors import NotDurable
from player.logging_config import request_id
from player.web import payload
from player.web.access import client

log = logging.getLogger(__name__)


def problem(status: int, title: str, detail: str, headers: dict[str, str] | None = None) -> Response:
    """Return an error as `application/problem+json` (RFC 9457)."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return Response(json.dumps(body), status, headers, content_type="application/problem+json")


def handle_http_error(error: HTTPException) -> Response:
    """Turn Flask's own refusals (404, 405, 413, …) into problem documents."""
    headers = {k: v for k, v in error.get_headers() if k in ("Allow", "WWW-Authenticate", "Retry-After")}
    return problem(error.code or 500, error.name, error.description or error.name, headers)


def handle_not_an_object(error: payload.NotAnObject) -> Response:
    """Say what was wrong with a body that is not a JSON object."""
    log.info("refused a body from %s: %s", client(), error)
    return problem(400, "Bad Request", str(error))


def handle_not_durable(_: NotDurable) -> Response:
    """Refuse honestly what could not be stored; the spool logs once that it begins, and once that it is over."""
    return problem(503, "Service Unavailable", "The answer could not be stored; ask again.", {"Retry-After": "1"})


def handle_unexpected(error: Exception) -> Response:
    """Log what nobody foresaw with its traceback, and tell the client nothing about it."""
    log.exception("unexpected error in %s", request.path)
    return problem(500, "Internal Server Error", f"Unexpected error; the log has it under {request_id.get()}.")
