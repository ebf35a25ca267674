"""How pages are made: a template, what it needs, and who looks at it."""

import time
from typing import Any

from aiohttp import web

from customer.board.live import environment
from customer.host.pages.guarded import is_host, seat_of

PAGES = environment("customer.host.pages")
PAGES.filters["clock"] = lambda at: time.strftime("%H:%M:%S", time.localtime(at))
BOARD = environment()
THEMES = ("light", "dark")


def page(request: web.Request, template: str, status: int = 200, **values: Any) -> web.Response:
    """Return a whole page."""
    seat = seat_of(request)
    common = {"theme": theme(request), "host": is_host(request), "me": seat.row.name if seat else ""}
    text = PAGES.get_template(template).render(**common, **values)
    return web.Response(text=text, status=status, content_type="text/html")


def theme(request: web.Request) -> str:
    """Return the light or dark look that the address asks for (?theme=dark), or "" for the browser's own."""
    wanted = request.query.get("theme", "")
    return wanted if wanted in THEMES else ""
