"""What can be refused by the head of a request alone, so that its large body is never read."""

from collections.abc import Callable
from typing import Any

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from player.web import access
from player.web.components import Components


def make_doorstep(app: Flask) -> Callable[[dict[str, Any]], Response | None]:
    """Return what tells by the head of a request (a WSGI environ) how *app* refuses it, or None: its body matters."""
    found: Components = app.extensions["player"]

    def refuse(environ: dict[str, Any]) -> Response | None:
        with app.request_context(environ):
            try:
                access.check_key(found.settings, found.keys)
                if request.endpoint == "api.predict":
                    found.requests.look(access.caller(found.keys), access.weight())
            except HTTPException as error:
                return app.process_response(app.make_response(app.handle_user_exception(error)))
        return None

    return refuse
