"""The page as one file that needs nothing else: `player report` writes it, to keep, to send, to print."""

from contextlib import suppress
from pathlib import Path

import jinja2
from sqlalchemy.exc import SQLAlchemyError

from player.config import Settings
from player.model.files import write_whole
from player.monitoring.history.writing import write_history
from player.monitoring.on_change import notice
from player.storage import queries
from player.storage.tables import create_engine_for
from player.web.dashboard import charts, timeline
from player.web.dashboard.page import Page, Source, gather
from player.web.dashboard.spans import ALL, LASTS

HERE = Path(__file__).parent


def write_report(settings: Settings, path: Path) -> Page:
    """Write the page of *settings* as of now to *path*, whole or not at all; return what stands on it.

    Raises StorageError when the database cannot be read.
    """
    queries.read_recent(settings, 1)  # says in a sentence what is wrong; a page without its rows helps nobody
    engine = create_engine_for(settings)
    try:
        with suppress(SQLAlchemyError):  # the page says so itself
            write_history(engine, settings)
        page = gather(Source(settings, engine))
        notice(engine, settings, page.found)
    finally:
        engine.dispose()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, render(page).encode("utf-8", "replace"))
    return page


def render(page: Page) -> str:
    """Return *page* as HTML with its style inside, without a link that leaves it; every value escaped.

    Single requests are left out: a file travels further than the page does.
    """
    pages = jinja2.Environment(loader=jinja2.FileSystemLoader(HERE / "templates"), autoescape=True)
    css = (HERE / "static" / "dashboard.css").read_text(encoding="utf-8")
    return pages.get_template("dashboard.html").render(
        page=page, charts=charts, timeline=timeline, offline=True, css=css, span=ALL, lasts=LASTS
    )
