"""Says the same thing in the log at most once a minute, however many requests have the same trouble."""

import logging
import threading
import time

QUIET_SECONDS = 60.0


class Quiet:
    """A logger for what may happen a thousand times a second."""

    def __init__(self, log: logging.Logger) -> None:
        """Write to *log*."""
        self.log = log
        self.lock = threading.Lock()
        self.said: dict[str, float] = {}

    def say(self, level: int, what: str, error: Exception | None = None) -> None:
        """Log *what*, with the traceback of *error*, unless it was logged less than a minute ago."""
        now = time.monotonic()
        with self.lock:
            self.said = {text: then for text, then in self.said.items() if now - then < QUIET_SECONDS}
            if what in self.said:
                return
            self.said[what] = now
        self.log.log(level, "%s", what, exc_info=error)
