"""Registers players from a list: a CSV with the columns name and url, and label_key where players want one."""

import csv
import io
from typing import Any

from customer.errors import CustomerError
from customer.host import names
from customer.host.places import Places

NEEDED, OPTIONAL = ("name", "url"), ("label_key",)


def read(text: str, where: str) -> list[dict[str, str]]:
    """Return the players on a list; raises CustomerError that names the column or the line that is wrong."""
    rows = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), skipinitialspace=True)
    columns = [str(name).strip() for name in rows.fieldnames or []]
    if missing := [name for name in NEEDED if name not in columns]:
        has = ", ".join(columns[:8]) or "nothing"
        raise CustomerError(f"{where} has no column {' and no column '.join(missing)}; its first line is: {has}.")
    players = []
    for row in rows:
        found = {str(name).strip(): str(value or "").strip() for name, value in row.items()}
        if not any(found.values()):
            continue
        if empty := [name for name in NEEDED if not found.get(name)]:
            raise CustomerError(f"{where}, line {rows.line_num}: no {' and no '.join(empty)}.")
        players.append({name: found.get(name, "") for name in (*NEEDED, *OPTIONAL)})
    if not players:
        raise CustomerError(f"{where} names no players.")
    return players


async def enrol(places: Places, players: list[dict[str, str]]) -> list[dict[str, Any]]:
    """Register each player who is not there yet; return all with their keys, or with what is wrong."""
    known = {seat.row.name: seat for seat in places.seats.values()}
    enrolled = []
    for each in players:
        seat, error = known.get(names.clean(each["name"])[0]), ""
        try:
            if seat is None:
                seat, _ = await places.join(each["name"], each["url"], each["label_key"], look=False)
        except CustomerError as problem:
            error = str(problem)
        enrolled.append(
            {"name": each["name"], "url": each["url"], "key": places.key_of(seat) if seat else "", "error": error}
        )
    return enrolled
