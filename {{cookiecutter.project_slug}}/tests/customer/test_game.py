"""What holds for a whole game against one player."""

import asyncio
import json
import socket
import sys
import time
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from click.testing import CliRunner
from fake_player import SAYS, SEEN, SULK, make_player
from rich.console import Console

from customer import board, show
from customer.cli import main
from customer.contract import Contract
from customer.errors import NoPlayer
from customer.game import Watcher, describe, ignore, play
from customer.referee import Player, Verdict
from customer.rounds import LABEL_DELAY, Round, last_round, standard_game, the_world
from customer.score import GameResult, Result, score

FAKE_PLAYER = Path(__file__).parents[1] / "fake_player.py"


def play_game(app: web.Application, *, seed: int = 1, requests: int = 60, parallel: int = 8) -> GameResult:
    """Play the standard game against *app* in this process."""
    return play_rounds(app, standard_game(the_world(), requests, parallel), seed)


def play_rounds(
    app: web.Application, rounds: list[Round], seed: int = 1, watch: Watcher = ignore, kill: Any = None
) -> GameResult:
    async def run() -> GameResult:
        async with TestServer(app) as server:
            player = Player(str(server.make_url("")).rstrip("/"))
            return await play(player, rounds, seed, Contract(), deadline=20, watch=watch, pause=0, kill=kill)

    return asyncio.run(run())


def verdicts(result: GameResult) -> list[tuple[str, str]]:
    return [(each.round, each.verdict.reason) for each in result.results]


def test_same_seed_same_points() -> None:
    """The same seed gives the same points request by request, however many are on their way at once."""
    first, second = play_game(make_player(), parallel=1), play_game(make_player(), parallel=20)

    assert verdicts(first) == verdicts(second)
    assert verdicts(first) != verdicts(play_game(make_player(), seed=2))


def test_ids_are_new_in_every_game() -> None:
    """No request id comes twice, not even in another game with the same seed."""
    results = [*play_game(make_player()).results, *play_game(make_player()).results]

    assert len(results) == len({each.request_id for each in results}) == 2 * 6 * 60


def test_figures_add_up() -> None:
    """Points are the correct answers minus the failed ones, and every request is counted once."""
    result = play_game(make_player())

    for part in [*result.rounds, result.total]:
        assert part.asked == part.correct + part.wrong + part.failed
        assert part.points == part.correct - part.failed
    assert result.total.best == sum(part.best for part in result.rounds)
    assert 0.5 < (result.total.share or 0) < 1


@pytest.mark.parametrize(("forgets", "kept"), [(False, 30), (True, 0)])
def test_the_last_round_asks_the_same_of_a_player_that_was_killed(forgets: bool, kept: int) -> None:
    """Killed after the round before, the player is asked the same in another order; what it kept earns a point."""
    app, asked = make_player(), list[int]()

    def kill() -> None:
        asked.append(sum(kind == "asked" for kind, _ in app[SEEN]))
        app[SAYS]["proba"] = 0.7 if forgets else 0.5

    round_before = standard_game(the_world(), 30)[0]
    result = play_rounds(app, [round_before, last_round(round_before)], kill=kill)
    first, again = (
        [body for kind, body in app[SEEN] if kind == "asked"][1:][part] for part in (slice(0, 30), slice(30, 60))
    )

    assert [31] == asked
    assert sorted(first, key=str) == sorted(again, key=str)
    assert [body["request_id"] for body in first] != [body["request_id"] for body in again]
    assert (kept, 30 - kept, 0, 30) == (
        result.rounds[1].correct, result.rounds[1].wrong, result.rounds[1].failed, result.rounds[1].best
    )  # fmt: skip
    assert result.rounds[0].points + kept == result.total.points
    assert 30 == result.labels_sent
    assert f"{kept} of 30 answers were kept" in show.caption(result)


def test_every_label_arrives_once_and_late() -> None:
    """Each answered request gets its label exactly once, after many others have been asked."""
    app = make_player()
    result = play_game(app, requests=100, parallel=4)
    asked: dict[str, int] = {}
    labels: list[str] = []
    for kind, body in app[SEEN]:
        if kind == "asked":
            asked[body["request_id"]] = len(asked)
        else:
            labels.append(body["request_id"])
            delay = len(asked) - asked[body["request_id"]]
            assert delay >= LABEL_DELAY or len(asked) == len(result.results) + 1

    assert {each.request_id for each in result.results} == set(labels)
    assert len(labels) == len(set(labels)) == result.labels_sent


def test_labels_wait_for_a_player_in_trouble() -> None:
    """Labels that were refused once are brought again, none twice."""
    app = make_player(sulk=["/feedback"])
    result = play_game(app)

    assert len(result.results) == result.labels_sent == len([1 for kind, _ in app[SEEN] if kind == "label"])
    assert result.labels_lost == 0


def test_lost_labels_are_counted() -> None:
    """A player that never takes labels gets its score all the same, and the reason is told."""
    result = play_game(make_player(sulk=["/feedback"] * 1000), requests=20)

    assert (0, 120, "status 500") == (result.labels_sent, result.labels_lost, result.labels_trouble)


def test_warm_up_repeats_until_there_is_an_answer() -> None:
    """The first applicant comes again until there is a prediction; that costs nothing."""
    app = make_player(sulk=["/api"] * 3)
    result = play_game(app, requests=5)

    assert 4 == result.warm_up_asked
    assert 0 == result.total.failed
    assert app[SEEN][0][1]["features"] == app[SEEN][1][1]["features"]


def test_no_player_no_game() -> None:
    """A player that cannot give any prediction ends the game in the warm-up, with the reason and what was asked."""
    with pytest.raises(NoPlayer, match="status 404") as caught:
        play_game(web.Application())

    total = caught.value.result.total

    assert (10, -10, {"status 404": 10}) == (total.asked, total.points, total.reasons)


def test_hanging_labels_cost_the_game_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A player that hangs when labels come is asked on as if nothing were; the labels count as lost."""
    monkeypatch.setattr("customer.referee.LABELS_DEADLINE_SECONDS", 3.0)
    app = make_player()
    app.router.add_post("/slow", hang)
    waited: list[float] = []
    started = time.monotonic()

    async def run() -> GameResult:
        async with TestServer(app) as server:
            player = Player(str(server.make_url("")).rstrip("/"))
            game = standard_game(the_world(), 200, 8)[:2]
            return await play(player, game, 1, Contract(feedback="/slow"), deadline=20, pause=0)

    result = asyncio.run(run())
    waited.append(time.monotonic() - started)

    assert (0, "timeout") == (result.labels_sent, result.labels_trouble)
    assert 400 == result.labels_lost == result.total.asked
    assert result.seconds < 3.0 <= waited[0]


async def hang(request: web.Request) -> web.Response:
    """Never answer."""
    await asyncio.Event().wait()
    raise AssertionError


def test_failed_requests_get_no_label() -> None:
    """A request without a prediction costs a point, and its label is not sent."""
    app = make_player()

    def fail_next_time(result: Result) -> None:
        if result.verdict.answered:
            app[SULK].append("/api")

    result = play_rounds(app, standard_game(the_world(), 30, parallel=1)[:1], watch=fail_next_time)

    assert {"status 500": 15} == result.total.reasons
    assert result.total.points == result.total.correct - 15
    assert 15 == result.labels_sent


def test_score_of_nothing() -> None:
    """A round without requests has no share and no latency."""
    empty = score("empty", [], best=[])

    assert (0, None, None, None) == (empty.points, empty.share, empty.late_share, empty.p50_ms)


def test_the_late_share_leaves_the_first_quarter_out() -> None:
    """Who is wrong in the first quarter only has earned everything after it."""
    reasons = ["wrong"] * 5 + ["correct"] * 15
    learned = score("learned", [Result("learned", str(n), Verdict(r)) for n, r in enumerate(reasons)], [True] * 20)

    assert (0.75, 1.0) == (learned.share, learned.late_share)


def test_a_rate_slows_all_rounds_but_the_rush_hour() -> None:
    """Ten applicants at a hundred a second need at least a tenth of a second, whoever asks how many at once."""
    game = standard_game(the_world(), 11, parallel=8, rate=100.0)
    started = time.monotonic()
    play_rounds(make_player(), game[:1])

    assert time.monotonic() - started > 0.1
    assert [100.0] * 5 + [0.0] == [part.rate for part in game]


def make_result(url: str = "http://127.0.0.1:5000", reason: str = "timeout") -> GameResult:
    results = [Result("as trained", f"id-{n}", Verdict(reason if n % 9 == 0 else "correct", 12.5)) for n in range(30)]
    return GameResult(
        url=url,
        seed=1,
        started_at="2026-01-01T00:00:00+00:00",
        seconds=1.0,
        truth_known=True,
        rounds=[score("as trained", results, [True] * 25 + [False] * 5)],
        results=results,
        warm_up_asked=1,
        labels_sent=26,
        labels_lost=0,
        labels_trouble="",
    )


def test_board_shows_the_reasons_and_needs_nothing_else() -> None:
    """The board names every lost request with its reason, and loads nothing from anywhere."""
    page = board.render(make_result())

    assert "id-9" in page
    assert "4 timeout" in page
    assert not [mark for mark in ("<script", "src=", "@import", "url(") if mark in page]


def test_a_wrong_answer_loses_no_point() -> None:
    """The board lists what cost a point; a wrong answer earns none and costs none."""
    result = make_result(reason="wrong")

    assert [] == result.lost
    assert "id-9" not in board.render(result)


def test_board_escapes() -> None:
    """Markup in an address or a reason stays text."""
    page = board.render(make_result(url="http://x/<script>alert(1)</script>", reason="<b>"))

    assert "<script>" not in page
    assert "<b>" not in page


def test_description_holds_every_request() -> None:
    """The saved game is plain JSON with one entry for each request."""
    plain = json.loads(json.dumps(describe(make_result())))

    assert 30 == len(plain["requests"])
    assert {"round": "as trained", "request_id": "id-0", "points": -1, "reason": "timeout", "ms": 12.5} == plain[
        "requests"
    ][0]


def test_table_fits_a_terminal_and_gives_reasons() -> None:
    """The final table is readable with 80 characters a line and says why requests failed."""
    console = Console(width=80, record=True, file=StringIO())
    console.print(show.score_table(make_result()))
    text = console.export_text()

    assert "…" not in text
    assert "failed in as trained: 4 timeout" in text


@pytest.fixture(name="port")
def _port() -> int:
    """A port that is free."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def customer(*words: Any) -> Any:
    return CliRunner().invoke(main, [str(word) for word in words])


def test_play_starts_and_stops_a_server(port: int, tmp_path: Path) -> None:
    """`customer play --start` runs a server for the game, prints only JSON with --json, and saves game and board."""
    command = f'"{sys.executable}" "{FAKE_PLAYER}" {port}'
    url = f"http://127.0.0.1:{port}/api/"
    words = ("play", "--url", url, "--requests", 20, "--output", tmp_path, "--json", "--start", command)
    outcome = customer(*words)

    figures = json.loads(outcome.stdout)

    assert 0 == outcome.exit_code
    assert 120 == figures["total"]["asked"] == figures["labels_sent"]
    assert 120 == len(json.loads((tmp_path / "game.json").read_text(encoding="utf-8"))["requests"])
    assert "Rounds" in (tmp_path / "board.html").read_text(encoding="utf-8")
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_play_finds_the_player_by_a_variable(port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where everybody has a port of their own, CUSTOMER_URL says which, and --url goes over it."""
    command = f'"{sys.executable}" "{FAKE_PLAYER}" {port}'
    monkeypatch.setenv("CUSTOMER_URL", f"http://127.0.0.1:{port}")
    words = ("play", "--requests", 3, "--rounds", "as trained", "--output", tmp_path, "--json")

    assert 3 == json.loads(customer(*words, "--start", command).stdout)["total"]["asked"]
    assert "No prediction from http://127.0.0.1:9 " in customer(*words, "--url", "http://127.0.0.1:9").stderr


def test_play_kills_the_server_for_the_last_round(port: int, tmp_path: Path) -> None:
    """With "last round" in --rounds the server that was started is killed and started again, and its log goes on."""
    command = f'"{sys.executable}" -u "{FAKE_PLAYER}" {port}'  # -u: what a killed process holds back is lost
    words = ("play", "--url", f"http://127.0.0.1:{port}", "--requests", 5, "--output", tmp_path, "--start", command)
    outcome = customer(*words, "--rounds", "as trained,last round")

    assert 0 == outcome.exit_code, outcome.output
    assert "5 of 5 answers were kept" in outcome.output
    assert 2 == (tmp_path / "player.log").read_text(encoding="utf-8").count("Running on")


def test_play_shows_a_table_and_draws_it(port: int, tmp_path: Path) -> None:
    """Without --json there is a table, and --svg saves it as a picture."""
    command = f'"{sys.executable}" "{FAKE_PLAYER}" {port}'
    words = ("play", "--url", f"http://127.0.0.1:{port}", "--requests", 5, "--output", tmp_path, "--start", command)
    outcome = customer(*words, "--rounds", "as trained, rush hour", "--svg", tmp_path / "table.svg")

    assert 0 == outcome.exit_code
    assert "rush hour" in outcome.output
    assert "odd values" not in outcome.output
    assert f"http://127.0.0.1:{port}/dashboard" in outcome.output
    assert (tmp_path / "table.svg").read_text(encoding="utf-8").startswith("<svg")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--url", "localhost:5000"], "is not an address"),
        (["--rounds", "bad weather"], "there is no"),
        (["--rounds", "as trained,last round"], "give --start"),
        (["--rounds", "last round", "--start", "player serve"], "name another round"),
        (["--data", FAKE_PLAYER], "--data and --label go together"),
        (["--seed", "-1"], "x>=0"),
        (["--stay"], "give both"),
    ],
)
def test_wrong_usage(words: list[Any], message: str) -> None:
    """Wrong usage exits with 2 and says what is wrong."""
    outcome = customer("play", *words)

    assert 2 == outcome.exit_code
    assert message in outcome.output


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (f'"{sys.executable}" -c "raise SystemExit(\'no model\')"', "no model"),
        ("no-such-program-here", "cannot be started"),
    ],
)
def test_server_that_does_not_start(port: int, tmp_path: Path, command: str, message: str) -> None:
    """A server that does not start ends the game with one line: its last one."""
    words = ("play", "--url", f"http://127.0.0.1:{port}", "--output", tmp_path, "--json", "--start", command)
    outcome = customer(*words)

    assert 1 == outcome.exit_code
    assert message in outcome.stderr
    assert 1 == len(outcome.stderr.strip().splitlines())


def test_data_writes_the_training_table(tmp_path: Path) -> None:
    """`customer data` writes the rows it is asked for."""
    outcome = customer("data", "--rows", 12, "--output", tmp_path / "new" / "rows.csv")

    assert 0 == outcome.exit_code
    assert 13 == len((tmp_path / "new" / "rows.csv").read_text(encoding="utf-8").splitlines())
