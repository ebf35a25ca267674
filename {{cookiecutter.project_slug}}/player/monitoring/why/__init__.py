"""One request looked at: why it got its answer."""
