"""The pages for everybody: the board, joining, logging in, and the review when the game is over."""

from typing import Any

from aiohttp import web

from customer.errors import CustomerError
from customer.host import keys
from customer.host.pages.guarded import COOKIE, JOIN_ADDRESS, ROOM_CODE, TOURNAMENT, is_host, read_form, wants_json
from customer.host.pages.show import BOARD, page, theme
from customer.host.pages.state import board, board_html, lines
from customer.host.places import MOST_PLAYERS
from customer.host.review import results
from customer.host.store import ENDED

LOGIN_SECONDS = 7 * 24 * 3600


async def show_board(request: web.Request) -> web.Response:
    """Show the board; it changes by itself."""
    content = await board_html(request.app)
    text = BOARD.get_template("live.html").render(theme=theme(request), content=content)
    return web.Response(text=text, content_type="text/html")


async def board_json(request: web.Request) -> web.Response:
    """Return the public board as JSON."""
    tournament = request.app[TOURNAMENT]
    return web.json_response(await tournament.ledger.read(board, tournament))


async def join_form(request: web.Request) -> web.Response:
    """Show the form to join."""
    return page(
        request, "join.html", code=bool(request.app[ROOM_CODE]), example=f"http://{request.remote}:5000", error=""
    )


async def join(request: web.Request) -> web.Response:
    """Register a player and test it; the answer has the key, and what the test found."""
    app, words = request.app, await read_form(request)
    tournament = app[TOURNAMENT]
    if app[ROOM_CODE] and not keys.is_key(words.get("code", "").strip(), app[ROOM_CODE]):
        raise CustomerError("The code of the room is wrong; it stands on the host's screen.")
    if len(tournament.places.seats) >= MOST_PLAYERS:
        raise CustomerError(f"There are {MOST_PLAYERS} players already.")
    seat, finding = await tournament.places.join(
        words.get("name", ""), words.get("url", ""), words.get("label_key", "").strip()
    )
    key = tournament.places.key_of(seat)
    if wants_json(request):
        about = {"name": seat.row.name, "url": seat.row.url, "page": f"{app[JOIN_ADDRESS].removesuffix('/join')}/me"}
        return web.json_response({**about, "key": key, "check": finding.to_dict() if finding else None})
    response = page(request, "joined.html", name=seat.row.name, url=seat.row.url, key=key, finding=finding)
    let_in(response, key)
    return response


async def login_form(request: web.Request) -> web.Response:
    """Show where a key is given."""
    return page(request, "login.html")


async def login(request: web.Request) -> web.StreamResponse:
    """Remember a key in this browser, and go where it opens the door."""
    key = (await read_form(request)).get("key", "").strip()
    tournament = request.app[TOURNAMENT]
    if keys.is_key(key, keys.host_key(tournament.secret)):
        target = "/host"
    elif tournament.places.of(key):
        target = "/me"
    else:
        raise CustomerError("This key opens nothing here; a player's key was shown when it joined.")
    response = web.HTTPSeeOther(target)
    let_in(response, key)
    raise response


async def logout(request: web.Request) -> web.StreamResponse:
    """Forget the key."""
    response = web.HTTPSeeOther("/")
    response.del_cookie(COOKIE)
    raise response


def let_in(response: web.StreamResponse, key: str) -> None:
    """Let the browser remember a key, out of reach of scripts and of other sites."""
    response.set_cookie(COOKIE, key, max_age=LOGIN_SECONDS, httponly=True, samesite="Strict")


async def show_review(request: web.Request) -> web.Response:
    """Show what is worth talking about; for everybody when the game is over, before that for the host."""
    return page(request, "review.html", **await outcome(request))


async def results_json(request: web.Request) -> web.Response:
    """Return the whole outcome as a file."""
    return web.json_response(await outcome(request))


async def outcome(request: web.Request) -> dict[str, Any]:
    """Return the outcome, or refuse while the game is on: it would tell what changed, and the seed."""
    tournament = request.app[TOURNAMENT]
    if tournament.phase != ENDED and not is_host(request):
        raise web.HTTPForbidden(text="The review opens when the game is over.")
    return await tournament.ledger.read(results, tournament.store, lines(tournament))
