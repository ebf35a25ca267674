"""The page of one request: why it got its answer."""

from functools import partial
from threading import Lock
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from player.model.answering import Link
from player.monitoring.why import text
from player.monitoring.why.explain import Why, explain, load_model
from player.storage import queries
from player.storage.database import within
from player.web.components import Components
from player.web.dashboard import charts
from player.web.dashboard.page import PATIENCE
from player.web.dashboard.rendering import render


class Answers:
    """Shows one request; keeps the last model that had to be loaded for it."""

    def __init__(self) -> None:
        """Start without a model."""
        self.lock = Lock()
        self.loaded: tuple[Link, ...] = ()

    def page(self, request_id: str, components: Components) -> tuple[str, int]:
        """Return the page of the request *request_id*, and the status it has."""
        settings = components.settings
        why, trouble, status = None, f"The database {text.UNKNOWN}", 404
        try:
            row, labels = within(PATIENCE, queries.find, components.engine, request_id)
            if row:
                why, trouble, status = self.explain(row, labels, components), "", 200
        except (SQLAlchemyError, OSError) as error:
            trouble, status = f"The database does not answer ({type(error).__name__}).", 503
        html = render("answer.html", why=why, trouble=trouble, request_id=request_id[:200], text=text, charts=charts,
                      project=settings.project.name, environment=settings.environment)  # fmt: skip
        return html, status

    def explain(self, row: dict[str, Any], labels: list[dict[str, Any]], components: Components) -> Why:
        """Return why *row* got its answer; one thread at a time asks models."""
        with self.lock:
            return explain(row, labels, components.settings.logging.show_values, partial(self.find, components))

    def find(self, components: Components, version: str) -> Link:
        """Return a model that runs, or one that is loaded for this; raises ModelError."""
        for link in (*components.predictor.chain.links, *self.loaded):
            if link.version == version:
                return link
        self.loaded = (load_model(version, components.settings),)
        return self.loaded[0]
