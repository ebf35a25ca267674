"""What happened since the first request: chapters that are written once."""
