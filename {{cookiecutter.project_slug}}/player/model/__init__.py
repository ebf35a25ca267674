"""Models: how they are kept, when they are trusted, and how they answer. Uses training and features, no wing."""
