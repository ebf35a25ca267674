"""The monitoring page: shows what `monitoring/` computed, without script and without anything from elsewhere."""

from datetime import UTC, datetime

from flask import Blueprint, current_app, request

from player.web.components import Components
from player.web.dashboard import charts, timeline
from player.web.dashboard.answers import Answers
from player.web.dashboard.feature import show_feature
from player.web.dashboard.page import PageCache, Source
from player.web.dashboard.rendering import render
from player.web.dashboard.rows import path_of
from player.web.dashboard.spans import LASTS, read_span

FASTEST, SLOWEST = 2, 3600  # seconds between two refreshes a viewer may ask for


def create_blueprint() -> Blueprint:
    """Return the page as a blueprint; the application it goes into has the parts in `extensions["player"]`."""
    bp = Blueprint("dashboard", __name__, url_prefix="/dashboard", template_folder="templates", static_folder="static")
    cache, answers = PageCache(), Answers()

    @bp.get("/", strict_slashes=False)
    def show() -> str:
        """Show how the model is doing, and why."""
        span = read_span(request.args, datetime.now(UTC))
        page = cache.get(lambda: as_source(current_app.extensions["player"]), span)
        shapes = {"charts": charts, "timeline": timeline, "path_of": path_of}
        return render("dashboard.html", page=page, refresh=read_refresh(), span=span, lasts=LASTS, **shapes)

    @bp.get("/answers", defaults={"request_id": ""})
    @bp.get("/answers/<path:request_id>")
    def answer(request_id: str) -> tuple[str, int]:
        """Show why one request got its answer; an id that fits into no path comes as `?id=`."""
        return answers.page(request_id or request.args.get("id", ""), current_app.extensions["player"])

    @bp.get("/features", defaults={"name": ""})
    @bp.get("/features/<path:name>")
    def feature(name: str) -> tuple[str, int]:
        """Show how one feature went over time, and the newest requests with their value of it."""
        page = cache.get(lambda: as_source(current_app.extensions["player"]))
        return show_feature(name or request.args.get("id", ""), page, current_app.extensions["player"])

    return bp


def as_source(components: Components) -> Source:
    """Return what the page needs of a running service."""
    return Source(components.settings, components.engine, components.writer.status(), components.complaints())


def read_refresh() -> int:
    """Return the seconds after which the viewer wants the page again; 0 when it shall stay."""
    seconds = request.args.get("refresh", default=0, type=int)
    return seconds if FASTEST <= seconds <= SLOWEST else 0
