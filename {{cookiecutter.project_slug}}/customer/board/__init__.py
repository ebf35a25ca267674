"""The board: a game as one HTML file that needs no network, no script and no server."""

from jinja2 import Environment, PackageLoader, StrictUndefined

from customer.score import GameResult

LOST_SHOWN = 50


def render(result: GameResult) -> str:
    """Return the board of a finished game as HTML."""
    environment = Environment(
        loader=PackageLoader("customer.board"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    template = environment.get_template("board.html")
    return template.render(game=result, total=result.total, lost=result.lost, shown=LOST_SHOWN)
