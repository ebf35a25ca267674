"""Puts the components together: `create_app()` is all a server needs to know."""

import logging

from flask import Flask
from werkzeug.exceptions import HTTPException

from player.config import Settings, load_settings
from player.errors import NotDurable
from player.logging_config import setup_logging
from player.model.predictor import Predictor
from player.settings.controls import refuse_unsafe
from player.storage.tables import create_engine_for
from player.storage.writer import Writer
from player.web import access, api, dashboard, headers, problems, signature
from player.web.components import Components
from player.web.dashboard import docs_page, front_door
from player.web.payload import NotAnObject

log = logging.getLogger(__name__)


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
    components = Components(
        settings,
        Predictor(settings),
        Writer(settings, early_labels=settings.access.early_labels),
        create_engine_for(settings),
    )
    app.extensions["player"] = components
    app.before_request(access.name_request)
    app.before_request(lambda: access.check_key(settings, components.keys))
    app.before_request(access.check_origin)
    app.before_request(lambda: signature.check(settings))
    app.after_request(headers.add_headers)
    app.register_error_handler(NotAnObject, problems.handle_not_an_object)
    app.register_error_handler(NotDurable, problems.handle_not_durable)
    app.register_error_handler(HTTPException, problems.handle_http_error)
    if not settings.server.debug:
        app.register_error_handler(Exception, problems.handle_unexpected)
    app.register_blueprint(api.create_blueprint(settings.contract))
    app.register_blueprint(dashboard.create_blueprint())
    app.register_blueprint(docs_page.create_blueprint())
    app.register_blueprint(front_door.create_blueprint())
    components.start()
    log.info("ready: %s with model %s", settings.environment, components.predictor.version)
    return app
