"""The host's page and the same levers for `customer host next` and the others, behind the host's key."""

from typing import Any

from aiohttp import web

from customer.host import enrol
from customer.host.pages.guarded import (
    CONTROL,
    JOIN_ADDRESS,
    ROOM_CODE,
    TOURNAMENT,
    must_be_host,
    read_form,
    wants_json,
)
from customer.host.pages.show import PAGES, page
from customer.host.pages.state import status


async def show(request: web.Request) -> web.Response:
    """Show the host's page."""
    must_be_host(request)
    return await host_page(request)


async def host_page(request: web.Request, said: str = "") -> web.Response:
    """Return the host's page, with what a lever has just said."""
    tournament = request.app[TOURNAMENT]
    found = await tournament.ledger.read(status, tournament)
    about: dict[str, Any] = {"join": request.app[JOIN_ADDRESS], "code": request.app[ROOM_CODE], "said": said}
    return page(request, "host.html", **about, **found)


async def live(request: web.Request) -> web.Response:
    """Return the part of the host's page that changes."""
    must_be_host(request)
    tournament = request.app[TOURNAMENT]
    found = await tournament.ledger.read(status, tournament)
    return web.Response(text=PAGES.get_template("host_live.html").render(**found), content_type="text/html")


async def show_status(request: web.Request) -> web.Response:
    """Return how the tournament stands, as JSON."""
    must_be_host(request)
    tournament = request.app[TOURNAMENT]
    return web.json_response(await tournament.ledger.read(status, tournament))


async def do(request: web.Request) -> web.Response:
    """Pull a lever."""
    must_be_host(request)
    words = await read_form(request)
    said = await request.app[CONTROL].do(words.get("do", ""), words)
    return web.json_response({"said": said}) if wants_json(request) else await host_page(request, said)


async def enrol_players(request: web.Request) -> web.Response:
    """Register everybody on a list; the answer has their keys."""
    must_be_host(request)
    words = await read_form(request)
    entries = enrol.read(words.get("players", ""), "the list")
    enrolled = await enrol.enrol(request.app[TOURNAMENT].places, entries)
    if wants_json(request):
        return web.json_response({"players": enrolled})
    return page(request, "enrolled.html", players=enrolled)
