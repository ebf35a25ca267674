"""Serving: one socket, worker processes, and how they start, stop and restart. Uses the application of app.py."""
