"""The tournament's pages: the board, joining, each player's own page, the host's page, the review."""

from pathlib import Path

from aiohttp import web

from customer.host.control import Control
from customer.host.pages import hosts, own, public
from customer.host.pages.broadcast import Broadcast
from customer.host.pages.guarded import CONTROL, JOIN_ADDRESS, MOST_BYTES, ROOM_CODE, TOURNAMENT, guard
from customer.host.tournament import Tournament

BROADCAST = web.AppKey("broadcast", Broadcast)


def make_app(tournament: Tournament, control: Control, join_address: str, room_code: str = "") -> web.Application:
    """Return the application that shows a tournament. Run its broadcast beside it."""
    app = web.Application(middlewares=[guard], client_max_size=MOST_BYTES)
    app[TOURNAMENT], app[CONTROL] = tournament, control
    app[JOIN_ADDRESS], app[ROOM_CODE] = join_address, room_code
    app[BROADCAST] = Broadcast(app)
    app.add_routes(
        [
            web.get("/", public.show_board),
            web.get("/events", app[BROADCAST].serve),
            web.get("/board.json", public.board_json),
            web.get("/join", public.join_form),
            web.post("/join", public.join),
            web.get("/login", public.login_form),
            web.post("/login", public.login),
            web.post("/logout", public.logout),
            web.get("/me", own.show),
            web.get("/me/requests.csv", own.requests_csv),
            web.post("/me/check", own.check),
            web.post("/me/move", own.move),
            web.post("/me/leave", own.leave),
            web.get("/host", hosts.show),
            web.get("/host/live", hosts.live),
            web.get("/host/status", hosts.show_status),
            web.post("/host/do", hosts.do),
            web.post("/host/players", hosts.enrol_players),
            web.get("/review", public.show_review),
            web.get("/results.json", public.results_json),
            web.static("/static", Path(__file__).with_name("static")),
        ]
    )
    return app
