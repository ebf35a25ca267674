"""What is left of a tournament whose host is killed."""

import random
import time
from pathlib import Path

from tests.customer.host_process import hosted, wait_for

GAME = "--rounds;as trained;--minutes;0.1;--rate;10;--block;10;--seed;7;--deadline;10"


def test_killed_in_the_middle_of_a_round_it_goes_on_where_it_was(tmp_path: Path) -> None:
    """Nothing is lost and nothing counted twice: points are those of the undisturbed game, on the board as well."""
    chance = random.Random(1)
    with hosted(tmp_path, 6, *GAME.split(";")) as host:
        host.do("next")
        for _ in range(3):
            time.sleep(chance.uniform(0.3, 2.0))
            host.kill()
            host.start()
        wait_for(lambda: host.rounds_done() == 1)
        board = {player["name"]: player["points"] for player in host.status()["players"]}
        asked = host.query("SELECT player_id, number, COUNT(*) FROM asks GROUP BY 1, 2")

        assert host.worth(6) == host.points() == board
        assert 6 * 60 == len(asked)
        assert {1} == {count for _, _, count in asked}
