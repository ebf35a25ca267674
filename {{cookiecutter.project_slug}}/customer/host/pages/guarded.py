"""What every page is guarded by: strict headers, no requests from other sites, and the key that says who asks."""

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import urlsplit

from aiohttp import web

from customer.errors import CustomerError
from customer.host import keys
from customer.host.control import Control
from customer.host.seat import Seat
from customer.host.tournament import Tournament

log = logging.getLogger(__name__)
COOKIE = "customer_key"
MOST_BYTES = 1_000_000  # of a form; the longest is a list of players
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

TOURNAMENT = web.AppKey("tournament", Tournament)
CONTROL = web.AppKey("control", Control)
ROOM_CODE = web.AppKey("room_code", str)
JOIN_ADDRESS = web.AppKey("join_address", str)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what another site sends, turn errors into one sentence, and add the headers."""
    try:
        check_origin(request)
        response = await handler(request)
    except CustomerError as error:
        response = told(request, str(error), 400)
    except web.HTTPException as error:
        if error.status < 400:
            error.headers.update(HEADERS)
            raise
        response = told(request, error.text or error.reason, error.status)
    except (ValueError, UnicodeError):
        response = told(request, "This request cannot be understood.", 400)
    if not response.prepared:
        response.headers.update(HEADERS)
    return response


def check_origin(request: web.Request) -> None:
    """Stop a form that another site's page sends."""
    origin = request.headers.get("Origin")
    if request.method not in ("GET", "HEAD") and origin and urlsplit(origin).netloc != request.host:
        raise web.HTTPForbidden(text="Requests from other sites are refused.")


def told(request: web.Request, text: str, status: int) -> web.Response:
    """Answer with one sentence: as JSON to a program, as a page to a person."""
    if wants_json(request):
        return web.json_response({"error": text}, status=status)
    from customer.host.pages.show import page  # a page is shown by what is guarded here

    return page(request, "told.html", status=status, text=text)


def wants_json(request: web.Request) -> bool:
    """Tell whether a program asks."""
    return "text/html" not in request.headers.get("Accept", "") or request.content_type == "application/json"


def given_key(request: web.Request) -> str:
    """Return the key that came with a request: of a program in a header, of a browser in a cookie."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else request.cookies.get(COOKIE, "")


def is_host(request: web.Request) -> bool:
    """Tell whether the host asks."""
    return keys.is_key(given_key(request), keys.host_key(request.app[TOURNAMENT].secret))


def seat_of(request: web.Request) -> Seat | None:
    """Return the seat of the player who asks, or None."""
    return request.app[TOURNAMENT].places.of(given_key(request))


def must_be_host(request: web.Request) -> None:
    """Stop everybody but the host."""
    if not is_host(request):
        raise web.HTTPUnauthorized(text="This needs the host's key: log in at /login.")


def must_have_seat(request: web.Request) -> Seat:
    """Return the seat of the player who asks; stops everybody else."""
    seat = seat_of(request)
    if seat is None:
        raise web.HTTPUnauthorized(text="This needs your key, from when you joined: log in at /login.")
    return seat


async def read_form(request: web.Request) -> Mapping[str, str]:
    """Return what was sent, as texts, from a form or as JSON."""
    if request.content_type == "application/json":
        body = json.loads(await request.text())
        if not isinstance(body, dict):
            raise CustomerError("The body must be a JSON object.")
        return {str(name): str(value) for name, value in body.items() if value is not None}
    return {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
