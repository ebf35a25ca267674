"""Puts the parts together: `create_app()` is all a server needs to know."""

import logging

from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from player import access, api, dashboard, problems
from player.config import Settings, load_settings
from player.controls import refuse_unsafe
from player.dashboard import contract
from player.errors import NotDurable
from player.logging_config import one_line, request_id, setup_logging
from player.model.predictor import Predictor
from player.parts import Parts
from player.storage.tables import create_engine_for
from player.storage.writer import Writer
from player.wire import NotAnObject

log = logging.getLogger(__name__)

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def create_app(settings: Settings | None = None) -> Flask:
    """Return the application of *settings* (default: of the environment), its threads started.

    Raises ConfigError when the environment is not safe to run.
    """
    settings = settings or load_settings()
    refuse_unsafe(settings)
    setup_logging(settings)
    app = Flask("player", static_folder=None)
    app.url_map.merge_slashes = False  # no redirect, ever: a customer does not follow one
    app.config["MAX_CONTENT_LENGTH"] = settings.server.max_body_bytes
    app.config["DEBUG"] = settings.server.debug
    app.json.sort_keys = False  # type: ignore[attr-defined]
    parts = Parts(
        settings,
        Predictor(settings),
        Writer(settings, early_labels=settings.access.early_labels),
        create_engine_for(settings),
    )
    app.extensions["player"] = parts
    app.before_request(access.name_request)
    app.before_request(lambda: access.check_key(settings))
    app.before_request(access.check_origin)
    app.after_request(add_headers)
    app.register_error_handler(NotAnObject, problems.handle_not_an_object)
    app.register_error_handler(NotDurable, problems.handle_not_durable)
    app.register_error_handler(HTTPException, problems.handle_http_error)
    if not settings.server.debug:
        app.register_error_handler(Exception, problems.handle_unexpected)
    app.register_blueprint(api.create_blueprint(settings.contract))
    app.register_blueprint(dashboard.create_blueprint())
    app.register_blueprint(contract.create_blueprint())
    parts.start()
    log.info("ready: %s with model %s", settings.environment, parts.predictor.version)
    return app


def add_headers(response: Response) -> Response:
    """Tell browsers what this site never does, and everybody which request this was."""
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    # A header holds no other letters, and an id may be in any script.
    response.headers["X-Request-ID"] = one_line(request_id.get()).encode("ascii", "backslashreplace").decode()
    return response
