"""Settings: what may be set, where a value comes from, what an environment must have. Uses no other wing."""
