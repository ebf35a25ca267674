"""The worlds that can be played, a file each: config/base.toml, [customer], chooses one."""
