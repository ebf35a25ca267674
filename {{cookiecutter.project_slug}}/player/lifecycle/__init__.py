"""The life of a model beyond one request."""
