"""The page at `/`: what answers here, and where to go from here."""

from urllib.parse import urlencode

from flask import Blueprint, current_app, render_template, request

from player.web.components import Components
from player.web.dashboard.docs_page import typical_features


def create_blueprint() -> Blueprint:
    """Return the page as a blueprint; its looks are those of the dashboard."""
    bp = Blueprint("front_door", __name__, template_folder="templates")

    @bp.get("/")
    def show() -> str:
        """Say what this is, with links and a first request that can be sent as it stands."""
        components: Components = current_app.extensions["player"]
        settings = components.settings
        first = f"{settings.contract.predict.lstrip('/')}?{urlencode(typical_features(components))}"
        return render_template("front_door.html", project=settings.project.name, environment=settings.environment,
                               model=components.predictor.version, complaints=components.complaints(), first=first,
                               host=request.host_url, locked=settings.access.key_required)  # fmt: skip

    return bp
