"""What is left of a tournament when its host is killed again and again."""

import random
import time
from collections.abc import Callable
from pathlib import Path

from tests.customer.host_process import hosted, wait_for

PLAYERS = 20
GAME = "--rounds;as trained;--minutes;1;--rate;4;--block;10;--seed;7;--deadline;10"


def test_a_host_killed_at_random_moments(
    tmp_path: Path, amount: Callable[[str], int], report: Callable[..., None]
) -> None:
    """However often the host is killed, everybody's points are those of the undisturbed game with the same seed."""
    chance, kills = random.Random(2026), 0
    with hosted(tmp_path, PLAYERS, *GAME.split(";")) as host:
        host.do("next")
        while kills < amount("HOST_KILLS"):
            time.sleep(chance.uniform(0.0, 4.0))
            host.kill()
            kills += 1
            host.start()
            status = host.status()
            if not status["ordered"] and all(each["state"] == "done" for each in status["rounds"]):
                host.do("repeat" if status["rounds"] else "next")
        wait_for(lambda: all(each["state"] == "done" for each in host.status()["rounds"]), seconds=180)
        board = {player["name"]: player["points"] for player in host.status()["players"]}
        twice = host.query("SELECT 1 FROM asks GROUP BY player_id, play_id, number HAVING COUNT(*) > 1")
        asked, cases = (host.query(f"SELECT COUNT(*) FROM {name}")[0][0] for name in ("asks", "cases"))
        report(kills=kills, requests=asked, lost=PLAYERS * cases - asked, twice=len(twice))

        assert host.worth(PLAYERS) == host.points() == board
        assert PLAYERS * cases == asked
        assert not twice
