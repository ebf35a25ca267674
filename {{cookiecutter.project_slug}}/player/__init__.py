"""The player: what you deploy. `docs/architecture.md` has the picture of the house."""
