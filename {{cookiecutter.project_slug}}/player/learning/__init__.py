"""Learning: how a pipeline is built, fitted and asked, and what is wrong with one that cannot be used. Uses no wing."""
