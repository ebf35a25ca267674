"""How many labels a sender may bring in a minute."""

import time
from collections import defaultdict
from threading import Lock

from werkzeug.exceptions import TooManyRequests


class Quota:
    """How many labels each sender may still bring in this minute."""

    def __init__(self, per_minute: int) -> None:
        """Allow *per_minute* labels a sender; 0 allows any number."""
        self.per_minute = per_minute
        self.minute = 0
        self.taken: dict[str, int] = defaultdict(int)
        self.lock = Lock()

    def take(self, sender: str, labels: int) -> None:
        """Count *labels* of *sender*; raises TooManyRequests (429) when it had its share of this minute."""
        if not self.per_minute:
            return
        minute = int(time.monotonic() // 60)
        with self.lock:
            if minute != self.minute:
                self.minute, self.taken = minute, defaultdict(int)
            if self.taken[sender] + labels > self.per_minute:
                raise TooManyRequests(f"At most {self.per_minute} labels a minute.", retry_after=60)
            self.taken[sender] += labels
