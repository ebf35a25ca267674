"""How the tournament stands, as the pages and `customer host status` tell it."""

import json
import time
from collections.abc import Sequence
from typing import Any

from aiohttp import web

from customer.board.live import MEANING, shown
from customer.host.book import Play
from customer.host.pages.guarded import JOIN_ADDRESS, TOURNAMENT
from customer.host.pages.show import BOARD
from customer.host.plan import LAST_ROUND
from customer.host.store import ENDED
from customer.host.tournament import Tournament


def lines(tournament: Tournament) -> list[dict[str, Any]]:
    """Return the lines of the board as they are now."""
    people = [(seat.row.id, seat.row.name, seat.state) for seat in list(tournament.places.seats.values())]
    return tournament.standings.lines(people)


def board(tournament: Tournament) -> dict[str, Any]:
    """Return what the public board shows now, frozen or not."""
    played = tournament.store.book.plays()
    headline, subline = words(tournament, played)
    now = {
        "headline": headline,
        "subline": subline,
        "progress": progress(tournament),
        "void": [{"id": play.id, "void": play.void} for play in played if play.void],
        "lines": lines(tournament),
    }
    if tournament.frozen:
        return now | {"lines": json.loads(tournament.frozen)["lines"], "frozen": True}
    return now | {"frozen": False}


def words(tournament: Tournament, played: Sequence[Play]) -> tuple[str, str]:
    """Return what is going on. The name of a round, and what changed in it, are told when it is over."""
    current = tournament.current
    over = [play for play in played if current is None or play.id != current.id]
    before = f"Round {over[-1].id} was “{over[-1].name}”: {MEANING.get(over[-1].name, '')}" if over else ""
    if tournament.phase == ENDED:
        return "The game is over", before
    if not tournament.clock.going.is_set():
        return "Paused", "nobody is asked"
    if current is not None:
        asking = f"the customer asks again what it asked in round {current.plan.again}" if current.plan.again else ""
        return "Last round" if asking else f"Round {current.id}", asking or before or "the customer asks"
    return between_rounds(tournament, played, before)


def between_rounds(tournament: Tournament, played: Sequence[Play], before: str) -> tuple[str, str]:
    """Return what is going on while no round is played."""
    if not played:
        return "Before the first round", "everybody is tested until an answer comes; no points yet"
    to_do = kill_now(tournament, played)
    return ("Now kill your service", f"{to_do} {before}") if to_do else (f"After round {played[-1].id}", before)


def kill_now(tournament: Tournament, played: Sequence[Play]) -> str:
    """Return what players do before the last round, and until when; "" when something else comes next."""
    coming = tournament.coming(played)
    if tournament.phase == ENDED or tournament.current or not played or not coming or coming.name != LAST_ROUND.name:
        return ""
    clock = time.strftime("%H:%M:%S", time.localtime(tournament.next_at))
    when = f"At {clock}" if tournament.next_at else "When the host begins the last round"
    return (
        "with kill -9, or restart its machine, and start it again. "
        f"{when} the customer asks again what it has just asked: the same answer earns a point."
    )


def progress(tournament: Tournament) -> float | None:
    """Return how much of the present round is over, or None between rounds."""
    current = tournament.current  # asked once: a page is made in a thread beside the game
    if current is None:
        return None
    plan, begun = current.plan, tournament.blocks_begun
    return min(1.0, begun * plan.block / plan.requests)


async def board_html(app: web.Application) -> str:
    """Return the changing part of the board as HTML."""
    tournament = app[TOURNAMENT]
    join = "" if tournament.phase == ENDED else app[JOIN_ADDRESS]
    return await tournament.ledger.read(draw_board, tournament, join)


def draw_board(tournament: Tournament, join: str) -> str:
    """Return the board as it is now, as HTML."""
    state = board(tournament)
    return BOARD.get_template("live_lines.html").render(**shown(state | {"join": join}, state.pop("lines")))


def needing_help(tournament: Tournament) -> list[dict[str, Any]]:
    """Return the players whose plumbing does not work, and what is to be done."""
    return [
        {"number": seat.row.id, "name": seat.row.name, "url": seat.row.url, "state": seat.state, "why": seat.why,
         "since": seat.row.since}
        for seat in list(tournament.places.seats.values())
        if seat.state in ("new", "set aside")
    ]  # fmt: skip


def status(tournament: Tournament) -> dict[str, Any]:
    """Return everything the host wants to see."""
    played, current = tournament.store.book.plays(), tournament.current
    headline, subline = words(tournament, played)
    coming = tournament.coming(played)
    return {
        "headline": headline,
        "subline": subline,
        "phase": tournament.phase,
        "paused": not tournament.clock.going.is_set(),
        "frozen": bool(tournament.frozen),
        "progress": progress(tournament),
        "current": current.name if current else None,
        "next": coming.name if coming else None,
        "ordered": not tournament.orders.empty(),
        "trouble": tournament.ledger.trouble,
        "no_round": tournament.trouble,
        "no_worker": tournament.crew.trouble if tournament.crew else "",
        "kill_now": kill_now(tournament, played),
        "late_ms": round(1000 * tournament.heart.worst(0), 1),
        "needing_help": needing_help(tournament),
        "rounds": [{"round": p.id, "name": p.name, "state": p.state, "void": p.void} for p in played],
        "players": [
            line | {"url": tournament.places.seats[line["number"]].row.url,
                    "labels_waiting": tournament.post.waiting(line["number"]),
                    "labels_trouble": tournament.post.trouble.get(line["number"], "")}
            for line in lines(tournament)
        ],
    }  # fmt: skip
