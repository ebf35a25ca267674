"""What a tournament's database holds: players, rounds, their cases, and one row for each request.

A round (`plays`) is asked in blocks: everybody is asked the same cases of a block, each in an order of their own.
Who plays a block is fixed by its id: from the player's `first_block` to its `left_block`.
"""

from sqlalchemy import BigInteger, Boolean, Column, Double, ForeignKey, Index, Integer, MetaData, Table, Text

FORMAT = 2  # of these tables

metadata = MetaData()

tournament = Table(
    "tournament",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("format", Integer, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("secret", Text, nullable=False),  # makes the ids, the orders and the keys
    Column("settings", Text, nullable=False),  # JSON: contract, classes, deadline
    Column("phase", Text, nullable=False),
    Column("paused", Boolean, nullable=False),
    Column("frozen", Text),  # JSON: the board as it was when it was frozen
)

players = Table(
    "players",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("name_key", Text, nullable=False, unique=True),
    Column("url", Text, nullable=False),
    Column("url_key", Text, nullable=False, unique=True),
    Column("label_key", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("since", Double, nullable=False),
    Column("first_block", Integer),
    Column("left_block", Integer),
)

plays = Table(
    "plays",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("plan", Text, nullable=False),  # JSON: a Plan
    Column("state", Text, nullable=False),
    Column("started", Double, nullable=False),
    Column("ended", Double),
    Column("void", Text),  # why it does not count
)

cases = Table(
    "cases",
    metadata,
    Column("play_id", Integer, ForeignKey("plays.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("features", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("best", Boolean, nullable=False),
    Column("row", Text, nullable=False, index=True),  # a checksum of the row as drawn: none comes twice
)

blocks = Table(
    "blocks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("play_id", Integer, ForeignKey("plays.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("closed", Boolean, nullable=False),
    Index("one_block", "play_id", "number", unique=True),
)

asks = Table(
    "asks",
    metadata,
    Column("block_id", Integer, ForeignKey("blocks.id"), primary_key=True),
    Column("player_id", Integer, ForeignKey("players.id"), primary_key=True),
    Column("number", Integer, primary_key=True),  # of the case in its round
    Column("play_id", Integer, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("points", Integer, nullable=False),
    Column("ms", Double, nullable=False),
    Column("late_ms", Double, nullable=False),  # how much after its time it was sent
    Column("asked_at", Double, nullable=False),
    Column("answer", Text, nullable=False),
    Column("said", Text, nullable=False),  # prediction and probability, to know them again in the last round
)
Index("asks_of_player", asks.c.player_id, asks.c.asked_at)

deliveries = Table(
    "deliveries",
    metadata,
    Column("block_id", Integer, ForeignKey("blocks.id"), primary_key=True),
    Column("player_id", Integer, ForeignKey("players.id"), primary_key=True),
    Column("delivered_at", Double, nullable=False),
    Column("labels", Integer, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Double, nullable=False),
    Column("kind", Text, nullable=False),
    Column("player_id", Integer),
    Column("text", Text, nullable=False),
)
