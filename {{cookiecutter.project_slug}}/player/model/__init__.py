"""The models of this project: how they are kept, when they are trusted, and how they answer."""
