"""Looks back on a tournament: who recovered, who came from behind, and where everybody lost points."""

from collections import Counter
from typing import Any

from customer.board.standings import CORRECT, KEPT, NOT_COUNTED, Outcome, ranks
from customer.host.book import Book, Play
from customer.host.roster import Roster
from customer.host.store import Store

RECOVERED = 0.9  # of the share of the first round: who is back there has learned what had changed
ENOUGH = 4  # blocks, to speak of a beginning and an end of a round


def review(store: Store) -> dict[str, Any]:
    """Return what is worth talking about, as plain values."""
    names = {row.id: row.name for row in store.roster.players()}
    plays = {play.id: play for play in store.book.plays()}
    games = [(plays[play_id], blocks) for play_id, blocks in outcomes(store.book).items()]
    first = shares(games[0][1]) if games else {}
    return {
        "rounds": [about(play, blocks, names, first) for play, blocks in games],
        "void": [{"round": p.id, "name": p.name, "why": p.void} for p in plays.values() if p.void],
        "comeback": comeback(games, names),
    }


def outcomes(book: Book) -> dict[int, list[list[Outcome]]]:
    """Return for each round that counts the outcomes of its blocks."""
    found: dict[int, list[list[Outcome]]] = {}
    for play_id, block_id in book.counted_blocks():
        found.setdefault(play_id, []).append(book.outcomes(block_id))
    return found


def shares(blocks: list[list[Outcome]]) -> dict[int, float]:
    """Return for each player its points as a share of the best possible."""
    points, best = Counter[int](), Counter[int]()
    for player_id, reason, earned, _, could in (each for block in blocks for each in block):
        if reason != NOT_COUNTED:
            points[player_id] += earned
            best[player_id] += could
    return {player_id: points[player_id] / best[player_id] for player_id in best if best[player_id]}


def about(play: Play, blocks: list[list[Outcome]], names: dict[int, str], first: dict[int, float]) -> dict[str, Any]:
    """Return what happened in one round."""
    each = [outcome for block in blocks for outcome in block]
    reasons = Counter(reason for _, reason, points, _, _ in each if points < 0)
    failed = Counter(player_id for player_id, _, points, _, _ in each if points < 0)
    quarter = max(1, len(blocks) // 4)
    early, late = shares(blocks[:quarter]), shares(blocks[-quarter:])
    gained = {player: late[player] - early[player] for player in early.keys() & late.keys()}
    best = max(gained, key=lambda player: gained[player], default=None)
    return {
        "round": play.id,
        "name": play.name,
        "again": play.plan.again,
        "asked": len(each),
        "correct": sum(reason in (CORRECT, KEPT) for _, reason, _, _, _ in each),
        "possible": sum(could for _, _, _, _, could in each),
        "share": mean(list(shares(blocks).values())),
        "early": mean(list(early.values())),
        "late": mean(list(late.values())),
        "reasons": dict(reasons.most_common(5)),
        "most_failed": [(names[player], count) for player, count in failed.most_common(3)],
        "first_back": first_back(blocks, names, first),
        "gained_most": (names[best], round(gained[best], 3))
        if best is not None and gained[best] > 0 and len(blocks) >= ENOUGH
        else None,
    }


def first_back(blocks: list[list[Outcome]], names: dict[int, str], first: dict[int, float]) -> list[tuple[str, int]]:
    """Return who was back at the level of the first round before others, with the block from which on it stayed there.

    Only where the round began badly for that player: in its first quarter it was below that level.
    """
    quarter = max(1, len(blocks) // 4)
    if len(blocks) < ENOUGH:
        return []
    begun = shares(blocks[:quarter])
    found: list[tuple[int, str]] = []
    for player, level in first.items():
        if begun.get(player, 1.0) >= RECOVERED * level:
            continue
        rest = [number for number in range(quarter, len(blocks)) if stays(blocks[number:], player, RECOVERED * level)]
        if rest and rest[0] <= len(blocks) - quarter:
            found.append((rest[0] + 1, names[player]))
    return [(name, number) for number, name in sorted(found)[:3]]


def stays(blocks: list[list[Outcome]], player: int, level: float) -> bool:
    """Tell whether a player is at *level* over all these blocks together."""
    return shares(blocks).get(player, 0.0) >= level


def comeback(games: list[tuple[Play, list[list[Outcome]]]], names: dict[int, str]) -> dict[str, Any] | None:
    """Return who has won the most places from its worst to the last one."""
    points, worst = dict.fromkeys(names, 0), dict.fromkeys(names, 1)
    now: dict[int, int] = {}
    for _, blocks in games:
        for player_id, _, earned, _, _ in (each for block in blocks for each in block):
            points[player_id] += earned
        now = ranks(points)
        worst = {player: max(worst[player], rank) for player, rank in now.items()}
    won = {player: worst[player] - now[player] for player in now}
    best = max(won, key=lambda player: won[player], default=None)
    if best is None or won[best] <= 0:
        return None
    return {"name": names[best], "from": worst[best], "to": now[best]}


def mean(values: list[float]) -> float | None:
    """Return the mean, or None of nothing."""
    return round(sum(values) / len(values), 4) if values else None


def results(store: Store, lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the whole outcome of a tournament for a file: the ranking, the rounds, the seed."""
    about_it = store.about()
    roster: Roster = store.roster
    addresses = {row.id: row.url for row in roster.players()}
    return {
        "seed": about_it["seed"],
        "phase": about_it["phase"],
        "rounds": [
            {"round": play.id, "name": play.name, "void": play.void, "plan": play.plan.to_dict()}
            for play in store.book.plays()
        ],
        "players": [line | {"url": addresses[line["number"]]} for line in lines],
        "review": review(store),
    }
