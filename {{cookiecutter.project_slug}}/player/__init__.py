"""The player: what you deploy. `docs/architecture.md` has the picture of the house."""

TEMPLATE = "1.0.0"  # the version of the template this project has; what changed since then: its CHANGELOG.md
