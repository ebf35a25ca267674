"""Which environment this is, and every setting in it: `load_settings()` is all that other code needs.

Lowest first: `config/data.toml` (the columns of the training table), `config/base.toml`, the CIA rating's controls in
`config/rating.toml`, `config/<environment>.toml`, environment variables `PLAYER_…` (nested names with two underscores:
`PLAYER_SERVER__PORT`). Secrets come from variables only, or from a file named by `PLAYER_…_FILE`. How they are read is
in `player/settings/`.
"""

from player.settings.loading import load_settings
from player.settings.sections import ENVIRONMENTS, SECRETS, DataSettings, Settings

__all__ = ["ENVIRONMENTS", "SECRETS", "DataSettings", "Settings", "load_settings"]
