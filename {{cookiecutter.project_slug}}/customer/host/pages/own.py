"""A player's own pages, behind its key: every request with its reason, its points over time, a test at any time."""

from typing import Any

from aiohttp import web

from customer.errors import CustomerError
from customer.host import reports
from customer.host.pages.guarded import TOURNAMENT, must_have_seat, read_form, wants_json
from customer.host.pages.show import page
from customer.host.pages.state import kill_now, lines
from customer.host.plumbing import Finding
from customer.host.roster import LEFT
from customer.host.seat import Seat
from customer.host.tournament import Tournament

SHOWN = 100


async def show(request: web.Request) -> web.Response:
    """Show the player's own page."""
    seat = must_have_seat(request)
    return await own_page(request, seat)


async def own_page(request: web.Request, seat: Seat, finding: Finding | None = None) -> web.Response:
    """Return a player's page, with what a test has just found."""
    tournament = request.app[TOURNAMENT]
    only = request.query.get("only", "")[:40]
    found = await tournament.ledger.read(gather, tournament, seat, only)
    return page(request, "own.html", seat=seat, finding=finding, only=only, shown=SHOWN, **found)


def gather(tournament: Tournament, seat: Seat, only: str) -> dict[str, Any]:
    """Return what a player's page shows."""
    engine, number = tournament.store.engine, seat.row.id
    points, best = reports.over_time(engine, number)
    top = max([*points, *best, 1])
    return {
        "line": next(line for line in lines(tournament) if line["number"] == number),
        "players": len(tournament.places.seats),
        "kill_now": kill_now(tournament, tournament.store.book.plays()),
        "rounds": [row | {"now": running(tournament, row["play_id"])} for row in reports.rounds_of(engine, number)],
        "requests": reports.requests(engine, number, only, SHOWN),
        "reasons": reports.verdicts(engine, number),
        "waiting": tournament.post.waiting(number),
        "trouble": tournament.post.trouble.get(number, ""),
        "curve": scaled(points, top),
        "best_curve": scaled(best, top),
    }


def running(tournament: Tournament, play_id: int) -> bool:
    """Tell whether a round is still being played, so that its name is not told yet."""
    current = tournament.current
    return current is not None and current.id == play_id


def scaled(values: list[int], top: int) -> str:
    """Return the points of a curve from 0 to *top*, in a box of 100 by 24."""
    if len(values) < 2:
        return ""
    step = 100 / (len(values) - 1)
    return " ".join(f"{n * step:.1f},{23 - 22 * max(0, value) / top:.1f}" for n, value in enumerate(values))


async def requests_csv(request: web.Request) -> web.Response:
    """Return every request of the player as a CSV."""
    seat, tournament = must_have_seat(request), request.app[TOURNAMENT]
    only = request.query.get("only", "")[:40]
    rows = await tournament.ledger.read(reports.requests, tournament.store.engine, seat.row.id, only, None)
    text = await tournament.ledger.read(reports.to_csv, rows)
    return web.Response(
        text=text, content_type="text/csv", headers={"Content-Disposition": 'attachment; filename="requests.csv"'}
    )


async def check(request: web.Request) -> web.Response:
    """Test the player once, free of points, by the code that plays."""
    seat, tournament = must_have_seat(request), request.app[TOURNAMENT]
    finding = await tournament.places.prober.look(seat)
    return await answer(request, seat, finding)


async def move(request: web.Request) -> web.Response:
    """Let the player answer from another address."""
    seat, words = must_have_seat(request), await read_form(request)
    finding = await request.app[TOURNAMENT].places.move(seat, words.get("url", ""), words.get("label_key", "").strip())
    return await answer(request, seat, finding)


async def answer(request: web.Request, seat: Seat, finding: Finding) -> web.Response:
    """Return what a test has found, as a page or as JSON."""
    if wants_json(request):
        return web.json_response({"name": seat.row.name, "url": seat.row.url, "check": finding.to_dict()})
    return await own_page(request, seat, finding)


async def leave(request: web.Request) -> web.StreamResponse:
    """Let the player leave; its points stay."""
    seat, words = must_have_seat(request), await read_form(request)
    if words.get("sure") != "yes":
        raise CustomerError("Tick the box to leave: you are asked nothing any more, your points stay.")
    await request.app[TOURNAMENT].places.change(seat, LEFT, "left by itself")
    if wants_json(request):
        return web.json_response({"name": seat.row.name, "state": LEFT})
    raise web.HTTPSeeOther("/me")
