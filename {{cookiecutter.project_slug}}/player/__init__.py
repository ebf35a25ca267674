"""The player: what you deploy."""
